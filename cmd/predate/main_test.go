package main

import (
	"regexp"
	"testing"
)

func TestTheDateIsLocalWithItsOffsetAndTheDayIsNotPadded(t *testing.T) {
	t.Setenv("TZ", "XYZ-5:30")
	got := string(localDate())
	if !regexp.MustCompile(`^[1-9][0-9]? [A-Z][a-z][a-z] [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} \+0530$`).MatchString(got) {
		t.Errorf("%q", got)
	}
}
