# Signs and verifies by Mail::DKIM, as theirs.py does by dkimpy. The argument is a file with an RSA key.
use strict;
use Mail::DKIM::DNS;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;
use Net::DNS;

binmode STDIN;
binmode STDOUT;
my %records;
while ((my $line = <STDIN>) ne "\n") {
	chomp $line;
	my ($name, $text) = split /=/, $line, 2;
	$records{$name} = $text;
}

package Records;
sub new { return bless {}, shift }
sub errorstring { return 'NXDOMAIN' }
sub query {
	my ($self, $name, $type) = @_;
	return undef unless $type eq 'TXT' && $records{$name};
	my $p = Net::DNS::Packet->new($name, $type);
	$p->push(answer => Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => [unpack '(a255)*', $records{$name}]));
	return $p;
}
sub send { return query(@_) }
package main;

Mail::DKIM::DNS::resolver(Records->new());
my @ways = ('simple/simple', 'simple/relaxed', 'relaxed/simple', 'relaxed/relaxed');
my $number = 0;
while (defined(my $line = <STDIN>)) {
	my ($verb, $length) = split ' ', $line;
	read STDIN, my $message, $length;
	my $d = $verb eq 'verify' ? Mail::DKIM::Verifier->new() : Mail::DKIM::Signer->new(
		Algorithm => 'rsa-sha256', Method => $ways[$number++ % 4], Domain => 'a.test', Selector => 'r', KeyFile => $ARGV[0]);
	$d->PRINT($message);
	$d->CLOSE;
	my $answer = '';
	if ($verb eq 'sign') {
		$answer = $d->signature->as_string . "\r\n";
	} else {
		my ($s) = $d->signatures;
		$answer = $s ? $s->result_detail : 'no signature';
		$answer = '' if $s && $s->result eq 'pass';
	}
	print length($answer), "\n", $answer;
}
