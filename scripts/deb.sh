#!/bin/sh
# deb.sh: makes build/qmail_VERSION_ARCH.deb of what make has built, for which it needs no root. VERSION, MAINTAINER,
# COMPRESS and OUT may come from the environment, and so may Debian's DEBFULLNAME and DEBEMAIL, and SOURCE_DATE_EPOCH.
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
# Nothing in it is younger than the commit: the same tree gives the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date -r CHANGES.md +%s)}
export SOURCE_DATE_EPOCH
maintainer="${DEBFULLNAME:-Postmaster} <${DEBEMAIL:-postmaster@$(hostname -f 2>/dev/null || hostname)}>"
maintainer=${MAINTAINER:-$maintainer}
out=${OUT:-build}
root=$out/deb
libc=

user() { sed -n "$1p" conf/conf-users; }
group() { sed -n "$1p" conf/conf-groups; }
# fill FILE: what is said in it with @NAMES@
fill() {
  sed -e "s|@QMAIL@|$home|g" -e "s|@TREE@|${home#/}|g" -e "s|@VERSION@|$version|g" -e "s|@ARCH@|$arch|g" -e "s|@LIBC@|$libc|g" \
    -e "s|@MAINTAINER@|$maintainer|g" -e "s|@SIZE@|$(du -sk "$root" | cut -f1)|g" \
    -e "s|@ALIAS@|$(user 1)|g" -e "s|@QMAILD@|$(user 2)|g" -e "s|@QMAILL@|$(user 3)|g" -e "s|@QMAILP@|$(user 5)|g" \
    -e "s|@QMAILQ@|$(user 6)|g" -e "s|@QMAILR@|$(user 7)|g" -e "s|@QMAILS@|$(user 8)|g" -e "s|@QMAILK@|$(user 9)|g" \
    -e "s|@GROUP@|$(group 1)|g" -e "s|@NOFILES@|$(group 2)|g" "$1"
}
# changelog: all versions of CHANGES.md; one that has a tag is of its date.
changelog() {
  of=$version
  for v in $(sed -n 's/^## //p' CHANGES.md); do
    at=$SOURCE_DATE_EPOCH
    if test -z "$of"; then at=$(git log -1 --format=%ct "v$v" 2>/dev/null || echo "$at"); fi
    printf 'qmail (%s) unstable; urgency=medium\n\n' "${of:-$v}"
    awk -v version="$v" -f scripts/deb/changelog.awk CHANGES.md
    printf '\n -- %s  %s\n\n' "$maintainer" "$(LC_ALL=C date -u -R -d "@$at")"
    of=
  done
}

rm -rf "$root"
mkdir -p "$root/DEBIAN" "$root/usr/share/qmail" "$root/usr/lib/qmail" "$root/usr/sbin" "$root/usr/bin" "$root/usr/lib/systemd/system" \
  "$root/usr/share/doc/qmail" "$root/usr/share/lintian/overrides" "$root/etc/qmail"
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
  # A link within /var is a relative one, by Debian's rules.
  case $home in /var/*) to=../..${home#/var} below=../$to;; *) to=$home below=$home;; esac
  ln -s "$below/bin/qmail-queue" "$root/var/lib/qmail/bin/qmail-queue"
  ln -s "$to/control" "$root/var/lib/qmail/control"
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
  # Debian has this license in a place that all packages name.
  sed '/^ *Apache License$/,/^ *limitations under the License\.$/c\
Licensed under the Apache License, Version 2.0: /usr/share/common-licenses/Apache-2.0' NOTICES
} >"$root/usr/share/doc/qmail/copyright"
case $version in *-*) name=changelog.Debian.gz;; *) name=changelog.gz;; esac
changelog | gzip -9nc >"$root/usr/share/doc/qmail/$name"
fill scripts/deb/lintian-overrides >"$root/usr/share/lintian/overrides/qmail"

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
