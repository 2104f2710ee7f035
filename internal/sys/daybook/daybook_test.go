package daybook

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// read returns the lines of the days that are over at a time.
func read(t *testing.T, b Book, now time.Time) (lines []string) {
	t.Helper()
	days, err := b.Days(now, -1)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range days {
		if err := d.Read(func(w []string) { lines = append(lines, strings.Join(w, "|")) }); err != nil {
			t.Fatal(err)
		}
		d.Close()
	}
	return lines
}

func TestADayIsReadWhenItIsOver(t *testing.T) {
	b := Book(t.TempDir())
	for _, words := range [][]string{{"a", "b\nc\td\x7f"}, {strings.Repeat("x", 600), ""}} {
		if err := b.Add(noon, words...); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Add(noon, slices.Repeat([]string{strings.Repeat("y", 500)}, 9)...); err == nil {
		t.Error("a line is longer than one write")
	}
	if got := read(t, b, noon.Add(12*time.Hour)); len(got) != 0 {
		t.Errorf("%q at midnight", got)
	}
	want := []string{"a|b?c?d?", strings.Repeat("x", maxWord) + "|"}
	if got := read(t, b, noon.Add(13*time.Hour)); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestTwoDoNotReportTheSameDay(t *testing.T) {
	b := Book(t.TempDir())
	if err := b.Add(noon, "a"); err != nil {
		t.Fatal(err)
	}
	later := noon.Add(24 * time.Hour)
	days, err := b.Days(later, -1)
	if err != nil || len(days) != 1 {
		t.Fatal(days, err)
	}
	if got := read(t, b, later); len(got) != 0 {
		t.Errorf("another has %q", got)
	}
	if err := days[0].Remove(); err != nil {
		t.Fatal(err)
	}
	days[0].Close()
	if got := read(t, b, later); len(got) != 0 {
		t.Errorf("%q after it was removed", got)
	}
}

func TestAFolderThatAnotherWritesLeadsNowhere(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	name := filepath.Join(dir, "20261127")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, later := Book(dir), noon.Add(24*time.Hour)
	for what, plant := range map[string]func() error{
		"a link":   func() error { return os.Symlink(secret, name) },
		"a FIFO":   func() error { return syscall.Mkfifo(name, 0o600) },
		"a folder": func() error { return os.Mkdir(name, 0o700) },
		"a file that is full": func() error {
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(name, maxDay+1)
		},
	} {
		if err := plant(); err != nil {
			t.Fatal(err)
		}
		if err := b.Add(noon, "a"); err == nil {
			t.Errorf("%s is written to", what)
		}
		if what != "a file that is full" {
			if got := read(t, b, later); len(got) != 0 {
				t.Errorf("of %s %q is read", what, got)
			}
		}
		os.Remove(name)
	}
	if got, _ := os.ReadFile(secret); string(got) != "secret\n" {
		t.Errorf("%q", got)
	}
}

func TestFilesOfOthersDoNotCount(t *testing.T) {
	b := Book(t.TempDir())
	if err := b.Add(noon, "a"); err != nil {
		t.Fatal(err)
	}
	if days, err := b.Days(noon.Add(24*time.Hour), os.Getuid()+1); err != nil || len(days) != 0 {
		t.Errorf("%d days, %v", len(days), err)
	}
}
