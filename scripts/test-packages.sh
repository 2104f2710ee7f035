#!/bin/sh
# Installs what the tests need and this machine lacks, as root on Debian; elsewhere it says what is missing. No test
# needs a package that is not named here.
set -eu

# The build, and the tools that tests of whole systems run.
packages='gcc libc6-dev make dpkg-dev e2fsprogs iproute2 mandoc groff-base perl-base strace util-linux'
# The filesystems of failing disks, and what a machine is made of.
packages="$packages btrfs-progs xfsprogs debootstrap systemd tinycdb"
# Those who start servers.
packages="$packages daemontools openbsd-inetd runit s6 ucspi-tcp"
# Those whom mail comes from and goes to.
packages="$packages busybox curl dnsmasq-base dot-forward dovecot-core dovecot-imapd dovecot-lmtpd fail2ban fastforward
  fetchmail gnutls-bin haproxy inetutils-telnet libnet-ssleay-perl maildir-filter maildrop mpop msmtp mutt
  openssl postfix postsrsd procmail python3 rspamd s-nail swaks"
# Those who vouch for names, for hosts, and for mail.
packages="$packages bind9-utils certbot lego libmail-dkim-perl opendkim pebble python3-dkim python3-flufl.bounce python3-nacl rspamd
  unbound"
# Those that Debian does not install beside Postfix, or that come with jobs for cron, which are only unpacked, and what
# they link.
unpacked='exim4-daemon-light mlmmj opensmtpd'
packages="$packages libevent-2.1-7 libgnutls-dane0 libidn12 libnsl2"
place=/usr/local/lib/qmail-peers

missing=
for p in $packages; do
  dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
unpack=
for p in $unpacked; do
  test -d $place/$p || unpack="$unpack $p"
done
test -n "$missing$unpack" || exit 0
if test "$(id -u)" != 0 || ! command -v apt-get >/dev/null; then
  echo "tests: as root on Debian all of them run. What this machine lacks:$missing$unpack"
  exit 0
fi
echo "tests: installing what they need:$missing$unpack"

# None of the services that come with them is to start on this machine.
policy=/usr/sbin/policy-rc.d
if test ! -e $policy; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get update -qq
! command -v debconf-set-selections >/dev/null ||
  echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
test -z "$missing" || apt-get install -y -qq --no-install-recommends $missing >/dev/null
for p in $unpack; do
  mkdir -p $place
  (cd $place && apt-get -o APT::Sandbox::User=root download -qq $p && dpkg-deb -x "$p"_*.deb $p && rm "$p"_*.deb)
done
