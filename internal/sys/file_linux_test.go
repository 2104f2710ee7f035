package sys

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestAFileIsWrittenOutOrItIsSaidThatThisCannotBeDone(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("text")
	for _, out := range []func(*os.File) error{StartOut, WriteOut} {
		if err := out(f); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
	}
	f.Close()
	for _, out := range []func(*os.File) error{StartOut, WriteOut} {
		if err := out(f); err == nil || errors.Is(err, errors.ErrUnsupported) {
			t.Error("a closed file:", err)
		}
	}
}

func TestAFilesystemWithoutAJournalAndTwoFilesystemsAreNotOrdered(t *testing.T) {
	here := t.TempDir()
	for _, folders := range [][]string{{"/proc"}, {here, "/proc"}, {"/proc", here}, {here, filepath.Join(here, "none")},
		{filepath.Join(here, "none")}} {
		if Ordered(folders[0], folders[1:]...) {
			t.Error(folders)
		}
	}
}
