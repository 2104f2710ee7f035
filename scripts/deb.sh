#!/bin/sh
# deb.sh: makes build/qmail_VERSION_ARCH.deb of what make has built. VERSION, MAINTAINER, COMPRESS and OUT may come from
# the environment.
set -eu
cd "$(dirname "$0")/.."
home=$(sed 's/[ \t\r]*$//;q' conf/conf-qmail)
arch=$(dpkg --print-architecture)
version=$(cat conf/VERSION)
# A tree that git knows is the release only where it has the tag; later trees sort behind it.
if git rev-parse --verify -q HEAD >/dev/null 2>&1 && test "$(git describe --tags --exact-match 2>/dev/null)" != "v$version"; then
  version=$version+$(git log -1 --format=%cd --date=format:%Y%m%d%H%M)
fi
version=${VERSION:-$version}
out=${OUT:-build}
root=$out/deb
libc=

user() { sed -n "$1p" conf/conf-users; }
group() { sed -n "$1p" conf/conf-groups; }
# fill FILE: what is said in it with @NAMES@
fill() {
  sed -e "s|@QMAIL@|$home|g" -e "s|@VERSION@|$version|g" -e "s|@ARCH@|$arch|g" -e "s|@LIBC@|$libc|g" \
    -e "s|@MAINTAINER@|${MAINTAINER:-Postmaster <postmaster@localhost>}|g" -e "s|@SIZE@|$(du -sk "$root" | cut -f1)|g" \
    -e "s|@ALIAS@|$(user 1)|g" -e "s|@QMAILD@|$(user 2)|g" -e "s|@QMAILL@|$(user 3)|g" -e "s|@QMAILP@|$(user 5)|g" \
    -e "s|@QMAILQ@|$(user 6)|g" -e "s|@QMAILR@|$(user 7)|g" -e "s|@QMAILS@|$(user 8)|g" -e "s|@QMAILK@|$(user 9)|g" \
    -e "s|@GROUP@|$(group 1)|g" -e "s|@NOFILES@|$(group 2)|g" "$1"
}

rm -rf "$root"
mkdir -p "$root/DEBIAN" "$root/usr/share/qmail" "$root/usr/lib/qmail" "$root/usr/sbin" "$root/usr/bin" "$root/usr/lib/systemd/system" \
  "$root/usr/share/doc/qmail" "$root/etc/qmail"
chmod -R u=rwX,go=rX "$root"
build/bin/install . "$root" "$out/deb.manifest" >/dev/null

# postinst has install make what qmail keeps, and give all of it its owners.
cp build/bin/install "$root/usr/lib/qmail/install"
cp "$out/deb.manifest" "$root/usr/share/qmail/manifest"

# What qmail keeps is not of the package: postinst has it made, and no removal can take it away.
rm -rf "$root$home/queue" "$root$home/control" "$root$home/users" "$root$home/alias" "$root$home/keys"
# Until postinst gives it away nobody may gain its owner's power.
chmod u-s "$root$home/bin/qmail-queue" "$root$home/bin/qmail-key"

# Programs by their names: each whose name no other package can have.
for program in "$root$home"/bin/*; do
  name=${program##*/}
  case $name in
    tcp-env|qmail-log|bouncesaying|condredirect|maildir2mbox|maildirwatch|preline|qail|qbiff|qreceipt)
      ln -s "$home/bin/$name" "$root/usr/bin/$name";;
    qmail-*|queue-fix|splogger|config-mail|config-tls|config-user) ln -s "$home/bin/$name" "$root/usr/sbin/$name";;
  esac
done

# Debian's dot-forward, fastforward and others have this home built in.
if test "$home" != /var/lib/qmail; then
  mkdir -p "$root/var/lib/qmail/bin"
  ln -s "$home/bin/qmail-queue" "$root/var/lib/qmail/bin/qmail-queue"
  ln -s "$home/control" "$root/var/lib/qmail/control"
fi

cp config-fast "$root/usr/share/qmail/config-fast"
cp "$root$home/boot/run" "$root/etc/qmail/rc"
cp "$root$home/boot/systemd/"* "$root/usr/lib/systemd/system/"
ln -s "$home/doc" "$root/usr/share/doc/qmail/doc"
ln -s "$home/bin/sendmail" "$root/usr/sbin/sendmail"
ln -s ../sbin/sendmail "$root/usr/lib/sendmail"
printf '#!/bin/sh\n# mailq: the queue, as its owner or root may see it.\nexec %s/bin/qmail-qread\n' "$home" >"$root/usr/bin/mailq"
fill scripts/deb/newaliases >"$root/usr/bin/newaliases"
chmod 755 "$root/usr/bin/mailq" "$root/usr/bin/newaliases"
{
  cat scripts/deb/copyright LICENSE
  echo
  cat NOTICES
} >"$root/usr/share/doc/qmail/copyright"

# Other packages have pages called mbox(5), forward(1) or maildirmake(1): ours get a section "5qmail", where man(1) looks too.
for page in "$root$home"/man/man?/*.?; do
  name=$(basename "$page")
  case $name in qmail*) ;; *) name=${name}qmail;; esac
  to=$root/usr/share/man/$(basename "$(dirname "$page")")
  mkdir -p "$to"
  gzip -9nc "$page" >"$to/$name.gz"
done

if ldd "$root$home/bin/qmail-getpw" >/dev/null 2>&1; then
  libc=", libc6 (>= $(dpkg-query -W -f '${Version}' libc6 | sed 's/-.*//'))"
fi
fill scripts/deb/control >"$root/DEBIAN/control"
cp scripts/deb/conffiles "$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
  fill scripts/deb/$script >"$root/DEBIAN/$script"
  chmod 755 "$root/DEBIAN/$script"
done
find "$root" -type d -exec chmod 755 {} +

dpkg-deb --root-owner-group -Z"${COMPRESS:-xz}" --build "$root" "$out/qmail_${version}_$arch.deb"
