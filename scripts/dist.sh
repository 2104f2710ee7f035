#!/bin/sh
# dist.sh: makes build/qmail-VERSION.tar.gz of the last commit, with the modules it links in vendor/: it builds without a
# network. The same commit gives the same bytes.
set -eu
cd "$(dirname "$0")/.."
version=$(cat conf/VERSION)
out=$PWD/build
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/qmail-$version
mkdir -p "$out" "$tree"
git archive HEAD | tar -x -C "$tree"
(cd "$tree" && GOFLAGS=-mod=mod go mod vendor)
umask 022
tar -C "$work" --sort=name --mtime="@$(git log -1 --format=%ct)" --owner=0 --group=0 --numeric-owner \
  --mode=u=rwX,go=rX -cf - "qmail-$version" | gzip -9n >"$out/qmail-$version.tar.gz"
echo "$out/qmail-$version.tar.gz"
