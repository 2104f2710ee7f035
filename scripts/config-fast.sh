#!/bin/sh
# config-fast NAME: writes the control files of a host called NAME, asking nobody.

case "$1" in
  ''|-*) echo "usage: config-fast host.name" >&2; exit 100;;
esac
cd @QMAIL@/control || exit 111

fqdn=$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]')
# The domain of a.example.org is example.org; that of example.org is itself.
case "$fqdn" in
  *.*.*) domain=${fqdn#*.};;
  *) domain=$fqdn;;
esac

# put FILE TEXT: the whole file or nothing
put() {
  echo "Putting $2 into control/$1..."
  echo "$2" >"$1.new" && mv "$1.new" "$1" || exit 111
}

umask 022
echo "Your fully qualified host name is $fqdn."
put me "$fqdn"
put defaultdomain "$domain"
put plusdomain "$domain"
put locals "$fqdn"
put rcpthosts "$fqdn"
test -e databytes || put databytes 52428800
echo "Now qmail will refuse to accept SMTP messages except to $fqdn."
echo "Make sure to change rcpthosts if you add hosts to locals or virtualdomains!"
echo "It will refuse messages of more than $(head -n 1 databytes) bytes, too: change databytes if that is too few, or too many."
