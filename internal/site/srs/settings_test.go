package srs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/site/control"
)

// folder makes control files; a mode of its own for the secrets.
func folder(t *testing.T, mode os.FileMode, files map[string]string) control.Dir {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		m := os.FileMode(0o644)
		if name == secretsFile {
			m = mode
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), m); err != nil {
			t.Fatal(err)
		}
	}
	return control.Dir(dir)
}

func TestSendersOfOthersAreRewrittenAndOursAreNot(t *testing.T) {
	files := map[string]string{"me": "m.test\n", "srs_domain": "fwd.test\n", "srs_secrets": "s\n",
		"rcpthosts": "own.test\n.below.test\nfwd.test\n"}
	d := folder(t, 0o440, files)
	files["srs_alwaysrewrite"] = "1"
	always := folder(t, 0o440, files)
	open := folder(t, 0o440, map[string]string{"locals": "own.test", "srs_domain": "fwd.test", "srs_secrets": "s"})
	for _, c := range []struct {
		d      control.Dir
		sender string
		ours   bool
	}{
		{d, "joe@a.test", false}, {d, "joe@M.test", true}, {d, "joe@own.test", true}, {d, "joe@x.below.test", true},
		{d, "SRS0=x@fwd.test", true}, {d, "", true}, {d, "#@[]", true}, {d, "joe", true},
		{always, "joe@own.test", false}, {always, "", true}, {always, "#@[]", true}, {always, "joe@a.test", false},
		{open, "joe@a.test", false}, {open, "joe@OWN.test", true}, {open, "joe@m.test", false},
	} {
		got, err := Sender(c.d, c.sender, now)
		if err != nil || c.ours != (got == c.sender) || !c.ours && !strings.HasSuffix(got, "@fwd.test") {
			t.Errorf("%q: %q, %v", c.sender, got, err)
		}
	}
}

func TestWithoutASecretThatIsOneMailWaits(t *testing.T) {
	for name, c := range map[string]struct {
		mode  os.FileMode
		files map[string]string
	}{
		"none":             {0o440, map[string]string{}},
		"an empty file":    {0o440, map[string]string{secretsFile: "\n"}},
		"everybody reads":  {0o444, map[string]string{secretsFile: "s\n"}},
		"everybody writes": {0o442, map[string]string{secretsFile: "s\n"}},
		"no domain":        {0o440, map[string]string{secretsFile: "s\n", domainFile: ""}},
		"two domains":      {0o440, map[string]string{secretsFile: "s\n", domainFile: "a@b"}},
		"a separator":      {0o440, map[string]string{secretsFile: "s\n", separatorFile: "."}},
		"two separators":   {0o440, map[string]string{secretsFile: "s\n", separatorFile: "=-"}},
	} {
		if c.files[domainFile] == "" && name != "no domain" {
			c.files[domainFile] = "fwd.test"
		}
		d := folder(t, c.mode, c.files)
		if s, err := Read(d); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
		if s, err := Sender(d, "joe@a.test", now); err == nil {
			t.Errorf("%s: %q", name, s)
		}
	}
}

func TestNumbersThatMakeNoSenseAreBounded(t *testing.T) {
	d := folder(t, 0o440, map[string]string{domainFile: "f.test", secretsFile: "s", "srs_hashlength": "1",
		"srs_hashmin": "99", "srs_maxage": "99999"})
	s, err := Read(d)
	if err != nil || s.HashLength != 4 || s.HashMin != 4 || s.MaxAge != 511 || s.Separator != "=" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestOffMeansThatTheDomainIsNotThere(t *testing.T) {
	if On(folder(t, 0o440, map[string]string{secretsFile: "s"})) {
		t.Error("on without it")
	}
	if !On(folder(t, 0o440, map[string]string{domainFile: ""})) {
		t.Error("off with it")
	}
}
