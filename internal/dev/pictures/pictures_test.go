package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestThePicturesAreThoseOfTheirPages(t *testing.T) {
	err := drawAll("../../../docs", func(path string, svg []byte) error {
		old, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(old, svg) {
			t.Errorf("%s is not what its page says: go run ./internal/dev/pictures", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAPictureIsWholeAndNeedsNothingElse(t *testing.T) {
	err := drawAll("../../../docs", func(path string, svg []byte) error {
		d := xml.NewDecoder(bytes.NewReader(svg))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			if e, ok := token.(xml.StartElement); ok {
				if e.Name.Local == "script" || e.Name.Local == "image" {
					t.Errorf("%s has a %s", path, e.Name.Local)
				}
				for _, a := range e.Attr {
					if a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
						t.Errorf("%s has an attribute %s", path, a.Name.Local)
					}
				}
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestATextIsBrokenAtBlanks(t *testing.T) {
	got := strings.Join(wrap("one two three-and-more four", 8), "|")
	if want := "one two|three-and-more|four"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
