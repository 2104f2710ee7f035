package rfc822

import "testing"

func TestADomainInUTF8IsWrittenWithoutQuotes(t *testing.T) {
	for in, want := range map[string]string{
		"jörg@bücher.test":          "To: \"jörg\"@bücher.test\n",
		"Jörg <j@x.bücher.測試>, a@b": "To: \"Jörg\" <j@x.bücher.測試>, a@b\n",
		"ü.ü@\"a ü\".test":          "To: \"ü\".\"ü\"@\"a ü\".test\n",
		"a@\xfc.test":               "To: a@\"\xfc\".test\n",
		"a@\u0085.test":             "To: a@\"\u0085\".test\n",
		"a@b.test ü":                "To: a@b.test \"ü\"\n",
	} {
		tokens, err := Tokenize(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendField(nil, "To", tokens)); got != want {
			t.Errorf("%q: %q", in, got)
		}
		again, err := Tokenize(want[len("To:"):])
		if err != nil || Text(again) != Text(tokens) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestAnAddressForSMTPUTF8IsQuotedOnlyWhereItMustBe(t *testing.T) {
	for in, want := range map[string]string{
		"jörg@x": "jörg@x", "j ü@x": `"j ü"@x`, ".ü@x": `".ü"@x`, "ü.ü@ü": "ü.ü@ü", "": "", "@ü": `""@ü`,
		`ü"@x`: `"ü\""@x`, "joe@x": "joe@x",
	} {
		if got := QuoteUTF8(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
