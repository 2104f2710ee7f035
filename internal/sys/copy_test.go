package sys

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEverythingIsCopiedAfterTheHead(t *testing.T) {
	var c Copier
	for _, size := range []int{0, 1, 100, copySize - 5, copySize - 4, copySize - 3, copySize, copySize + 1,
		5*copySize + 7} {
		text := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		path := filepath.Join(t.TempDir(), "m")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for name, r := range map[string]io.Reader{
			"bytes": strings.NewReader(text), "file": f, "stream": io.MultiReader(strings.NewReader(text)),
			"drops":         iotest.OneByteReader(strings.NewReader(text)),
			"end with data": iotest.DataErrReader(strings.NewReader(text)),
		} {
			for _, head := range []string{"", "head", strings.Repeat("h", 2*copySize)} {
				if f, ok := r.(io.Seeker); ok {
					f.Seek(0, io.SeekStart)
				} else if head != "" {
					continue
				}
				var w bytes.Buffer
				if reading, writing := c.After(&w, []byte(head), r); reading != nil || writing != nil || w.String() != head+text {
					t.Errorf("%d bytes of %s after %d: %d, %v, %v", size, name, len(head), w.Len(), reading, writing)
				}
			}
		}
	}
}

func TestACopyTellsReadingFromWriting(t *testing.T) {
	bad := errors.New("bad")
	if reading, writing := new(Copier).After(io.Discard, []byte("x"), iotest.ErrReader(bad)); reading != bad ||
		writing != nil {
		t.Error(reading, writing)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if reading, writing := new(Copier).After(full, []byte("x"), strings.NewReader("y")); reading != nil || writing == nil {
		t.Error(reading, writing)
	}
}

func TestACopierKeepsNothing(t *testing.T) {
	var c Copier
	c.After(io.Discard, []byte("secret"), strings.NewReader("secret"))
	if len(c.buf) == 0 || bytes.Contains(c.buf, []byte("secret")) {
		t.Errorf("%q", c.buf)
	}
}
