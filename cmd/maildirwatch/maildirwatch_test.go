package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"qmail/internal/local/maildir"
)

func TestNewMailIsShownWithoutAnythingATerminalWouldObey(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := maildir.Make("M"); err != nil {
		t.Fatal(err)
	}
	t.Chdir("M")
	for name, text := range map[string]string{
		"new/1": "Return-Path: <a\033b@c>\nDelivered-To: r@h\nDelivered-To: s@h\nX: " + strings.Repeat("x", 9000) +
			"\nSUBJECT:  hi\x07there\n\nSubject: not this\n",
		"cur/2": "Subject: seen\n",
		"new/3": "",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(1_000_000-int64(name[len(name)-1]), 0)
		if err := os.Chtimes(name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	list, err := maildir.Scan(".")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := show(&out, list, time.Unix(1_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	want := clear + "FROM ? TO ? (51 seconds)\n   \nFROM a?b@c TO r@h (49 seconds)\n   hi?there\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestAnAgeIsToldInOneUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", 3 * time.Minute: "3 minutes", 47 * time.Hour: "47 hours", 49 * time.Hour: "2 days",
	} {
		if got := age(d); got != want {
			t.Error(d, got)
		}
	}
}
