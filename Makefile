# make           build everything below build/, and ./config and ./config-fast
# make setup     install below HOME (the first line of conf/conf-qmail), or below DESTDIR
# make check     compare the installed tree with what it should be; silence means that all is well
# make test      every test; as root with whole systems in private namespaces
# make demo      the tests of INSTALL.md, on a system of its own that is gone afterwards
# make startup   what it costs to start each program, as a ratio to an empty Go program
# make man       the manual pages, formatted, in build/man
# make deb       a Debian package, in build; make deb-test tries it on a Debian of its own, with systemd

GO = go
DESTDIR =
HOME_DIR := $(shell sed 's/[ \t\r]*$$//;q' conf/conf-qmail)
FLAGS = -trimpath -buildvcs=false -ldflags '-s -w'
PROGRAMS := $(filter-out qmail-getpw,$(notdir $(patsubst %/,%,$(dir $(wildcard cmd/*/main.go)))))
SOURCES := go.mod go.sum $(wildcard conf/* cmd/*/*.go internal/*/*.go internal/*/*/*.go internal/*/*/*/*.go)

.PHONY: all setup check test demo startup man deb deb-test bench crashtest clean

all: build/stamp config config-fast

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

setup: all
	@if test -n "$(DESTDIR)"; then build/bin/install . "$(DESTDIR)" build/manifest; else build/bin/install .; fi

check: all
	@build/bin/instcheck .

# Whole systems need root: what is left out without it is said here, since go test keeps quiet about what it skips.
test: all
	@test "$$(id -u)" = 0 || echo "make test: not root: the tests that run whole systems are left out"
	$(GO) vet ./...
	$(GO) test ./...

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
	QMAIL_TEST_DEBIAN=1 $(GO) test ./internal/dev/services -run Debian -v -count=1 -timeout 20m

bench: all
	@mkdir -p build
	$(GO) build $(FLAGS) -o build/bench ./internal/dev/bench
	@QMAIL_TEST_BUILT=1 build/bench -svg build/bench.svg $(BENCHFLAGS)

crashtest: all
	$(GO) build $(FLAGS) -o build/crashtest ./internal/dev/crashtest
	@QMAIL_TEST_BUILT=1 build/crashtest $(CRASHFLAGS)

clean:
	rm -rf build config config-fast
