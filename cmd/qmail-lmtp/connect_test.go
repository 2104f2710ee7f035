package main

import "testing"

func TestAServerIsAHostAndAPortThatIsNotThatOfSMTP(t *testing.T) {
	for server, want := range map[string]struct {
		host string
		port uint16
	}{
		"localhost:24": {"localhost", 24}, "127.0.0.1:2424": {"127.0.0.1", 2424}, "[::1]:24": {"::1", 24},
		"store.test:65535": {"store.test", 65535},
		"store.test":       {}, "store.test:": {}, ":24": {}, "store.test:0": {}, "store.test:65536": {}, "a:25": {},
		"a:+24": {}, "a:-1": {}, "a:24x": {}, "[::1:24": {}, "[a.test]:24": {}, "[]:24": {}, "": {}, ":": {},
	} {
		host, port, err := parse(server)
		if (err != nil) != (want.host == "") || err == nil && (host != want.host || port != want.port) {
			t.Errorf("%q: %q, %d, %v", server, host, port, err)
		}
	}
}

func TestWhatIsNoCommandLineIsNotCarriedOut(t *testing.T) {
	for _, argv := range [][]string{{}, {"-t"}, {"-t", "0", "/s"}, {"-t", "x", "/s"}, {"-x", "/s"}, {"/s", "a", "b"}} {
		if args, within, ok := arguments(argv); ok {
			t.Errorf("%q: %q, %v", argv, args, within)
		}
	}
	if args, within, ok := arguments([]string{"-t", "5", "/s", "a@b"}); !ok || len(args) != 2 || within.Seconds() != 5 {
		t.Errorf("%q, %v, %v", args, within, ok)
	}
}
