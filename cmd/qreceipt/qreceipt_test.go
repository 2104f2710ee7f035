package main

import (
	"strings"
	"testing"
	"testing/iotest"
)

func TestANoticeIsAskedForByNameInTheHeader(t *testing.T) {
	const field = "Notice-Requested-Upon-Delivery-To: "
	for _, c := range []struct {
		text  string
		asked bool
		id    string
	}{
		{field + "r@me.test\n\nx\n", true, ""},
		{field + "R@me.test\n\nx\n", false, ""},
		{strings.ToLower(field) + "x@y, A B <r@me.test> (c)\nMessage-ID: <1@x>\n\nx\n", true, "Message-ID: <1@x>\n"},
		{"Message-ID:\n <1@x>\n" + field + "\n x@y,\n\t\"r\"@me.test\n\nx\n", true, "Message-ID:\n <1@x>\n"},
		{"X: y\n\n" + field + "r@me.test\n", false, ""},
		{"X: " + strings.Repeat("y", 100_000) + "\n" + field + "r@me.test\n\n", true, ""},
		{"no field\n" + field + "r@me.test\n\n", false, ""},
		{"", false, ""},
	} {
		asked, id := readHeader(iotest.HalfReader(strings.NewReader(c.text)), "r@me.test")
		if asked != c.asked || id != c.id {
			t.Errorf("%.60q: %v %q, want %v %q", c.text, asked, id, c.asked, c.id)
		}
	}
}
