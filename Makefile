# make           build everything below build/, and ./config, ./config-fast and ./config-tls
# make setup     install below HOME (the first line of conf/conf-qmail), or below DESTDIR
# make check     compare the installed tree with what it should be; silence means that all is well
# make test      every test; as root with whole systems in private namespaces, on Debian it installs what they need
# make test-here the tests that this machine has all for; both say at their end which were left out, and why
# make check-fast what needs no root and less than two minutes
# make fuzz      hostile bytes for each parser, some seconds each (FUZZTIME)
# make attack    the long attacks on the daemons, as root
# make demo      the tests of INSTALL.md, on a system of its own that is gone afterwards
# make bench     the workloads of docs/PERFORMANCE.md, beside Postfix; make bench-check compares with what they were
# make startup   what it costs to start each program, as a ratio to an empty Go program
# make man       the manual pages, formatted, in build/man
# make bare-test this commit's demo and tests on a bare Debian (BARE: the commands), as root, which takes its time
# make deb       a Debian package, in build; make deb-test tries it on a Debian of its own, with systemd
# make dist      build/qmail-VERSION.tar.gz of this commit, which builds without a network

GO = go
DESTDIR =
HOME_DIR := $(shell sed 's/[ \t\r]*$$//;q' conf/conf-qmail)
# Of go test: the time limit is for what hangs, a busy machine included; what it would have vet look for, a vet before it
# finds. TESTFLAGS is yours: -run, -shuffle=on, -cover.
GOTEST = $(GO) run ./internal/dev/gotest -timeout 30m -vet=off
TESTFLAGS =
FUZZTIME = 2s
FLAGS = -trimpath -buildvcs=false -ldflags '-s -w'
PROGRAMS := $(filter-out qmail-getpw,$(notdir $(patsubst %/,%,$(dir $(wildcard cmd/*/main.go)))))
SOURCES := go.mod go.sum $(wildcard conf/* cmd/*/*.go internal/*/*.go internal/*/*/*.go internal/*/*/*/*.go)

.PHONY: all setup check test test-packages test-here check-fast fuzz attack demo startup man deb deb-test bare-test dist bench bench-check bench-keep crashtest clean

all: build/stamp config config-fast config-tls

# A failed or interrupted build leaves no stamp.
build/stamp: $(SOURCES) Makefile
	@mkdir -p build/bin
	CGO_ENABLED=0 $(GO) build $(FLAGS) -o build/bin/ $(addprefix ./cmd/,$(PROGRAMS))
	@if test ! -e cmd/qmail-getpw/main.go; then :; \
	elif test "$$(CGO_ENABLED=1 $(GO) env CGO_ENABLED)" = 1 && command -v "$$($(GO) env CC)" >/dev/null; then \
		echo "qmail-getpw: built with cgo: it sees the users of nsswitch.conf"; \
		CGO_ENABLED=1 $(GO) build $(FLAGS) -o build/bin/ ./cmd/qmail-getpw; \
	else \
		echo "qmail-getpw: built without cgo, for lack of a C compiler: it sees the users of /etc/passwd"; \
		CGO_ENABLED=0 $(GO) build $(FLAGS) -o build/bin/ ./cmd/qmail-getpw; \
	fi
	@touch $@

config: scripts/config.sh conf/conf-qmail
	@sed 's,@QMAIL@,$(HOME_DIR),g' scripts/config.sh >$@.new && chmod 755 $@.new && mv $@.new $@

config-fast: scripts/config-fast.sh conf/conf-qmail
	@sed 's,@QMAIL@,$(HOME_DIR),g' scripts/config-fast.sh >$@.new && chmod 755 $@.new && mv $@.new $@

config-tls: build/stamp
	@cp build/bin/config-tls $@.new && mv $@.new $@

setup: all
	@if test -n "$(DESTDIR)"; then build/bin/install . "$(DESTDIR)" build/manifest; else build/bin/install .; fi

check: all
	@build/bin/instcheck .

test: test-packages test-here

test-packages:
	@sh scripts/test-packages.sh

# No result is taken from an earlier run: go test does not know what programs its tests start. The attacks come last and
# by themselves: what honest mail waits for is measured there, and other tests are no part of an attack.
test-here: export QMAIL_TEST_TREE = $(CURDIR)/build/test
test-here: all
	$(GO) vet ./...
	rm -rf build/test && mkdir build/test
	$(GOTEST) -count=1 $(TESTFLAGS) $$($(GO) list ./... | grep -v '/internal/dev/attack$$')
	$(GOTEST) -count=1 $(TESTFLAGS) ./internal/dev/attack
	rm -rf build/test

check-fast:
	@test -z "$$(gofmt -l conf cmd internal)" || { gofmt -d conf cmd internal; exit 1; }
	$(GO) vet ./...
	$(GOTEST) -short $(TESTFLAGS) ./...

fuzz:
	@sh scripts/fuzz.sh $(FUZZTIME)

attack: all
	QMAIL_TEST_ATTACK=long $(GOTEST) -count=1 $(TESTFLAGS) ./internal/dev/attack

demo: all build/demo
	@QMAIL_TEST_BUILT=1 build/demo

build/demo: build/stamp
	CGO_ENABLED=0 $(GO) build $(FLAGS) -o $@ ./internal/dev/demo

startup: all
	@$(GO) test ./internal/dev/policy -run TestStartup -v -count=1 -args -startup | grep '\.[0-9][0-9]$$'

man:
	@mkdir -p build/man
	@for p in docs/man/*.[1-8]; do sed 's,@QMAIL@,$(HOME_DIR),g' "$$p" | nroff -man >"build/man/$$(basename "$$p" | sed 's/[1-8]$$/0/')" || exit 1; done

deb: all
	@sh scripts/deb.sh

deb-test: all
	@! command -v lintian >/dev/null || { sh scripts/deb.sh && lintian --allow-root --fail-on error build/qmail_*.deb; }
	QMAIL_TEST_DEBIAN=1 $(GO) test ./internal/dev/services -run Debian -v -count=1 -timeout 20m

dist:
	@sh scripts/dist.sh

BARE = make demo && make test
bare-test:
	QMAIL_TEST_BARE='$(BARE)' $(GO) test ./internal/dev/services -run BareMachine -v -count=1 -timeout 3h

bench: all
	@mkdir -p build
	$(GO) build $(FLAGS) -o build/bench ./internal/dev/bench
	@QMAIL_TEST_BUILT=1 build/bench -svg build/bench.svg $(BENCHFLAGS)

# A run of our own programs alone, three rounds; on a quiet machine.
bench-check: all
	$(GO) build $(FLAGS) -o build/bench ./internal/dev/bench
	@QMAIL_TEST_BUILT=1 build/bench -s qmail -svg "" -check testdata/bench.txt $(BENCHFLAGS)

bench-keep: all
	$(GO) build $(FLAGS) -o build/bench ./internal/dev/bench
	@QMAIL_TEST_BUILT=1 build/bench -s qmail -svg "" -keep testdata/bench.txt $(BENCHFLAGS)

crashtest: all
	$(GO) build $(FLAGS) -o build/crashtest ./internal/dev/crashtest
	@QMAIL_TEST_BUILT=1 build/crashtest $(CRASHFLAGS)

clean:
	rm -rf build config config-fast config-tls
