#!/bin/sh
# config: finds this host's name in DNS and writes the control files. Run it in the source tree after a build.
test "$#/$1" != 1/--help || { echo "config: usage: config [user@domain [host]]" >&2; exit 100; }

case $1 in
  *@*)
    test -x @QMAIL@/bin/config-user || { echo "config: @QMAIL@ is not installed: run make setup first" >&2; exit 111; }
    exec @QMAIL@/bin/config-user "$@";;
esac

here=$(dirname "$0")
bin=$here/build/bin
for p in hostname dnsfq; do
  test -x "$bin/$p" || { echo "config: $bin/$p is not there: run make first" >&2; exit 111; }
done

host=$("$bin/hostname") || { echo "config: this machine does not say its name" >&2; exit 111; }
echo "Your hostname is $host."
fqdn=$("$bin/dnsfq" "$host" 2>/dev/null)
case "$fqdn" in
  '')
    echo "Sorry, I couldn't find your host's canonical name in DNS: it has none there, or DNS cannot be asked now."
    echo "You will have to set up control/me yourself. If you know the name, run"
    echo "  ./config-fast host.name"
    exit 1;;
esac
echo "Your host's fully qualified name in DNS is $fqdn."
sh "$here/config-fast" "$fqdn" || exit

echo "Checking local IP addresses:"
# Each address that DNS gives a name to is an address by which mail comes to us, so its name is local.
"$bin/ipmeprint" 2>/dev/null | while read -r ip; do
  case "$ip" in 127.*|::1|0.0.0.0|fe80:*) continue;; esac
  name=$("$bin/dnsptr" "$ip" 2>/dev/null)
  if test -z "$name"; then
    echo "$ip: PTR lookup failed. I assume this address has no DNS name."
    continue
  fi
  case "$("$bin/dnsip" "$name" 2>/dev/null) " in
    *"$ip "*) ;;
    *) echo "$ip: its name $name does not point back: left out."; continue;;
  esac
  for f in locals rcpthosts; do
    grep -qix "$name" @QMAIL@/control/$f || { echo "$ip: adding $name to control/$f..."; echo "$name" >>@QMAIL@/control/$f; }
  done
done

echo
echo "If there are any other domain names that point to you,"
echo "you will have to add them to @QMAIL@/control/locals and control/rcpthosts."
echo "You don't have to worry about aliases, i.e., domains with CNAME records."
