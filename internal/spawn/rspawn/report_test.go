package rspawn

import (
	"strings"
	"testing"

	"qmail/internal/spawn"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
)

func TestTheReportOfQmailRemoteIsReadForEachRecipient(t *testing.T) {
	const unusable = "Zqmail-remote produced no usable report.\n"
	for _, c := range []struct {
		output string
		want   []string
	}{
		{"r\x00Kaccepted\n\x00", []string{"Kaccepted\n"}},
		{"r\x00Zlater\n\x00", []string{"Zlater\n"}},
		{"r\x00Dspam\n\x00", []string{"Dspam\n"}},
		{"hno one\n\x00Dgiving up\n\x00", []string{"Dno one\ngiving up\n"}},
		{"sbusy\n\x00Zgiving up\n\x00", []string{"Zbusy\ngiving up\n"}},
		{"sbusy\n\x00Dgiving up\n\x00", []string{"Zbusy\ngiving up\n"}},
		{"hno one\n\x00Zgiving up\n\x00", []string{"Dno one\n"}},
		{"Zno connection\n\x00", []string{"Zno connection\n"}},
		{"Dno host\n\x00", []string{"Dno host\n", "Dno host\n"}},
		{"r\x00hno one\n\x00sbusy\n\x00Kaccepted\n\x00", []string{"Kaccepted\n", "Dno one\n", "Zbusy\n"}},
		{"r\x00r\x00Zlost\n\x00", []string{"Zlost\n", "Zlost\n"}},
		{"r\x00Kaccepted\n\x00more", []string{"Kaccepted\n"}},
		{"r\x00Kaccepted\n", []string{unusable}},
		{"r\x00", []string{unusable}},
		{"r", []string{unusable}},
		{"rubbish", []string{unusable}},
		{"\x00", []string{unusable}},
		{"r\x00\x00Kaccepted\n\x00", []string{unusable}},
		{"r\x00Kaccepted\n\x00", []string{"Kaccepted\n", unusable}},
		{"Kaccepted\n\x00", []string{unusable, unusable}},
		{"r\x00hno one\n\x00Zlost\n\x00", []string{"Zlost\n", "Dno one\n", "Zlost\n"}},
		{"r\x00r\x00Kaccepted\n\x00", []string{unusable}},
		{"", []string{"Zqmail-remote produced no output.\n"}},
	} {
		for i, e := range read(spawn.Outcome{Output: []byte(c.output)}, plain, len(c.want)) {
			if got := string(rune(e.kind)) + string(e.text); got != c.want[i] {
				t.Errorf("%q, recipient %d: %q, want %q", c.output, i, got, c.want[i])
			}
		}
	}
}

func TestAQmailRemoteThatDidNotEndWellIsNotBelieved(t *testing.T) {
	for _, c := range []struct {
		o    spawn.Outcome
		want string
	}{
		{spawn.Outcome{Crashed: true}, "Zqmail-remote crashed.\n"},
		{spawn.Outcome{Code: exit.Temp}, "ZUnable to run qmail-remote.\n"},
		{spawn.Outcome{Code: exit.Perm}, "DUnable to run qmail-remote.\n"},
		{spawn.Outcome{Code: 1}, "DUnable to run qmail-remote.\n"},
	} {
		c.o.Output = []byte("r\x00Kaccepted\n\x00")
		for _, e := range read(c.o, plain, 2) {
			if got := string(rune(e.kind)) + string(e.text); got != c.want {
				t.Errorf("%+v: %q", c.o, got)
			}
		}
	}
}

func TestAMessagesTextThatWasCutShortKeepsItsLetter(t *testing.T) {
	e := read(spawn.Outcome{Output: []byte("r\x00Dlong te"), Cut: true}, plain, 1)[0]
	if e.kind != report.Failure || string(e.text) != "long te" {
		t.Errorf("%c %q", e.kind, e.text)
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte("r\x00Kaccepted\n\x00"), 1, false)
	f.Add([]byte("hno\n\x00r\x00sbusy\x00Dspam\n\x00"), 3, false)
	f.Add([]byte("Zno connection"), 2, true)
	f.Fuzz(func(t *testing.T, output []byte, n int, cut bool) {
		n = max(1, n%60)
		list := read(spawn.Outcome{Output: output, Cut: cut}, plain, n)
		if len(list) != n {
			t.Fatalf("%d reports for %d recipients", len(list), n)
		}
		for _, e := range list {
			switch e.kind {
			case report.Success, report.Deferral, report.Failure:
			default:
				t.Errorf("kind %q", e.kind)
			}
			if e.kind == report.Success && !strings.Contains(string(output), "K") {
				t.Errorf("success of %q", output)
			}
		}
	})
}
