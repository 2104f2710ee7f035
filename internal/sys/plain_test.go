package sys

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestNoLinkIsFollowedOnAPlainPath(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"5", "other"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "1"), []byte(dir), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"5/2": "1", "5/3": "../other/1", "6": "5", "7": "other", "8": "5/1"} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	for path, opens := range map[string]bool{
		"5/1": true, "other/1": true, "5/2": false, "5/3": false, "6/1": false, "7/1": false, "8": false,
		"": false, "5//1": false, "5/1/": false, "5/9": false, "9/1": false,
	} {
		f, err := OpenPlain(path, os.O_RDONLY)
		if (err == nil) != opens {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil {
			continue
		}
		if b, err := io.ReadAll(f); err != nil || string(b) != filepath.Dir(path) {
			t.Errorf("%s: %q %v", path, b, err)
		}
		f.Close()
	}
}
