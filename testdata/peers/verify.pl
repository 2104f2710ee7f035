# Verifies each signature of the message on standard input by Mail::DKIM, and prints how many are good, of how many.
use strict;
use Mail::DKIM::Verifier;

my $v = Mail::DKIM::Verifier->new();
while (<STDIN>) {
	s/\r?\n$//;
	$v->PRINT("$_\015\012");
}
$v->CLOSE;
my ($good, $count) = (0, 0);
for my $s ($v->signatures) {
	$count++;
	$good++ if $s->result eq 'pass';
	print STDERR $s->result_detail, "\n" if $s->result ne 'pass';
}
print "$good $count\n";
