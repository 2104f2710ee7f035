#!/bin/sh
# Gives each fuzz target hostile bytes for a time (fuzz.sh 2s), two targets at once. An input that a target fails on is
# kept in testdata/fuzz of its package.
set -eu
cd "$(dirname "$0")/.."
top=$PWD
mkdir -p build/fuzz

# fuzz.sh target BINARY PACKAGE NAME TIME runs one target. When time is over in the middle of something, package testing
# may call that a failure, and says only this.
if test "${1-}" = target; then
  said="$top/build/fuzz/$2.$4"
  cd "$3"
  if ! "$top/build/fuzz/$2" -test.run='^$' -test.fuzz="^$4\$" -test.fuzztime="$5" -test.parallel=1 -test.timeout=10m \
    -test.fuzzcachedir="$top/build/fuzz/cache" >"$said" 2>&1 && ! grep -qx ' *context deadline exceeded' "$said"; then
    cat "$said"
    exit 1
  fi
  exit
fi

# fuzz.sh build PACKAGE makes the binary of a package and names its targets.
if test "${1-}" = build; then
  binary=$(echo "$2" | tr / -)
  go test -c -vet=off -fuzz=Fuzz -o "build/fuzz/$binary" "./$2"
  cat "$2"/*_test.go | sed -n "s,^func \(Fuzz[A-Za-z0-9_]*\)(.*,$binary $2 \1,p" >"build/fuzz/$binary.targets"
  exit
fi

rm -f build/fuzz/*.targets
grep -rl '^func Fuzz' --include='*_test.go' cmd conf internal | xargs -n 1 dirname | sort -u |
  xargs -P 2 -n 1 sh scripts/fuzz.sh build
cat build/fuzz/*.targets >build/fuzz/targets
xargs -P 2 -L 1 sh -c 'sh scripts/fuzz.sh target "$@" '"${1:-2s}" sh <build/fuzz/targets
echo "fuzz: $(wc -l <build/fuzz/targets) targets, ${1:-2s} each"
