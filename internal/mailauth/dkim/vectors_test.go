package dkim

import (
	"strings"
	"testing"
	"time"
)

// The messages of RFC 6376, appendix A, and of RFC 8463, appendix A.
const (
	dinnerHead = `From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>`
	dinner = dinnerHead + `

Hi.

We lost the game.  Are you hungry yet?

Joe.
`
	// In RFC 6376 there is one blank behind "game.".
	dinnerOnce = dinnerHead + `

Hi.

We lost the game. Are you hungry yet?

Joe.
`
	rfc6376 = `DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
` + dinnerOnce
	rfc8463 = `DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
` + dinner
)

// published are the records of those keys.
func published() records {
	return records{
		"brisbane._domainkey.example.com": {"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ" +
			"KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt" +
			"IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v" +
			"/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi" +
			"tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"},
		"brisbane._domainkey.football.example.com": {
			"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
		},
		"test._domainkey.football.example.com": {"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTz" +
			"WRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC" +
			"DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"},
	}
}

// records answers for the DNS.
type records map[string][]string

func (r records) lookup(name string) ([]string, error) { return r[name], nil }

// wire returns a text as it is sent.
func wire(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// verify returns what becomes of a message in the form of the wire.
func verify(message string, keys Lookup) []Result {
	v := NewVerifier(Usual())
	v.Write([]byte(message))
	return v.Results(keys, time.Unix(1528637909, 0))
}

func TestTheSignaturesOfTheRFCsAreGood(t *testing.T) {
	for name, message := range map[string]string{"RFC 6376": rfc6376, "RFC 8463": rfc8463} {
		results := verify(wire(message), published().lookup)
		if len(results) != strings.Count(message, FieldName) {
			t.Errorf("%s: %+v", name, results)
		}
		for _, r := range results {
			if r.Status != Pass {
				t.Errorf("%s: %s: %s (%s)", name, r.Record(), r.Status, r.Reason)
			}
		}
	}
}

// Each change that a signature must find out.
func TestWhatWasChangedOnTheWayIsFoundOut(t *testing.T) {
	for _, c := range []struct{ old, new string }{
		{"Is dinner", "Is  Dinner"}, {"We lost", "We won"}, {"joe@football", "moe@football"}, {"h=Received : From",
			"h=From"},
		{"Joe.\n", "Joe.\n\nPS\n"}, {"Subject: Is", "Subject:  Is"}, {"[192.0.2.1]", "[192.0.2.2]"},
		{"i=joe@football.example.com", "i=jim@football.example.com"}, {"game. Are", "game.  Are"}, {"b=AuUo", "b=BuUo"},
		{"s=brisbane; d", "d=example.com; s=brisbane; D"},
	} {
		if !strings.Contains(rfc6376, c.old) {
			t.Fatal(c.old)
		}
		r := verify(wire(strings.Replace(rfc6376, c.old, c.new, 1)), published().lookup)
		if len(r) != 1 || r[0].Status != Fail && r[0].Status != Neutral {
			t.Errorf("%q for %q: %+v", c.new, c.old, r)
		}
	}
	for _, c := range []struct{ old, new string }{ // and what relaxed lets pass
		{"Subject: Is dinner", "SUBJECT :\n Is \t dinner"}, {"game.  Are", "game. \t Are"}, {"yet?", "yet?  "},
		{"Joe.\n", "Joe.\n\n \n"},
	} {
		for _, r := range verify(wire(strings.Replace(rfc8463, c.old, c.new, 1)), published().lookup) {
			if r.Status != Pass {
				t.Errorf("%q for %q: %s (%s)", c.new, c.old, r.Status, r.Reason)
			}
		}
	}
}
