package dkim

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

// bodyModel says what a canonical body is, with the whole of it at hand.
func bodyModel(c Canon, in string) string {
	if in != "" && !strings.HasSuffix(in, "\r\n") {
		in += "\r\n"
	}
	if c == Relaxed {
		lines := strings.Split(in, "\r\n")
		for i, l := range lines {
			lines[i] = strings.TrimRight(l, " \t")
		}
		for i, l := range lines {
			var b strings.Builder
			for j := 0; j < len(l); j++ {
				switch {
				case !blank(l[j]):
					b.WriteByte(l[j])
				case j == 0 || !blank(l[j-1]):
					b.WriteByte(' ')
				}
			}
			lines[i] = b.String()
		}
		in = strings.Join(lines, "\r\n")
	}
	for strings.HasSuffix(in, "\r\n\r\n") {
		in = in[:len(in)-2]
	}
	if c == Relaxed && in == "\r\n" {
		return ""
	}
	if c == Simple && in == "" {
		return "\r\n"
	}
	return in
}

func FuzzBody(f *testing.F) {
	for _, m := range oddMessages() {
		f.Add([]byte(m), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		size = 1 + (size&0xff+0x100)%50
		for _, c := range []Canon{Simple, Relaxed} {
			if got, want := bodyIn(c, in, size), bodyModel(c, string(in)); got != want {
				t.Errorf("%s of %q in pieces of %d: %q, not %q", c, in, size, got, want)
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	for _, m := range []string{rfc6376, rfc8463} {
		f.Add([]byte(wire(m)), 7)
	}
	for _, m := range oddMessages() {
		if len(m) < 1000 {
			f.Add([]byte(signAll(f, m, allWays()[4:]...)), 100)
		}
	}
	lookup := func(name string) ([]string, error) {
		if r := published()[name]; r != nil {
			return r, nil
		}
		return testKeys().records[name], nil
	}
	f.Fuzz(func(t *testing.T, m []byte, size int) {
		size = 1 + (size&0xff+0x100)%300
		var both [2][]Result
		for i, n := range []int{size, len(m) + 1} {
			v := NewVerifier(Usual())
			for at := 0; at < len(m); at += n {
				v.Write(m[at:min(at+n, len(m))])
			}
			both[i] = v.Results(lookup, time.Unix(1528637909, 0))
		}
		if !reflect.DeepEqual(both[0], both[1]) {
			t.Errorf("in pieces of %d: %+v; whole: %+v", size, both[0], both[1])
		}
		for _, r := range both[0] {
			for i := 0; i < len(r.Reason); i++ {
				if r.Reason[i] < ' ' || r.Reason[i] > '~' {
					t.Errorf("%q", r.Reason)
				}
			}
			if (r.Reason == "") != (r.Status == Pass) {
				t.Errorf("%+v", r)
			}
		}
	})
}

func FuzzParseKey(f *testing.F) {
	for _, list := range published() {
		f.Add(list[0])
	}
	f.Add("v=DKIM1; p=MIGf")
	f.Fuzz(func(t *testing.T, record string) {
		if k, err := ParseKey(record); (err == nil) != (k.Public != nil) {
			t.Errorf("%q: %+v, %v", record, k, err)
		}
	})
}

func FuzzSign(f *testing.F) {
	for _, m := range oddMessages() {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, m []byte) {
		for _, w := range []Template{template(Ed25519, Simple, Simple), template(Ed25519, Relaxed, Relaxed)} {
			s := NewSigner(Usual(), func([]Field) []Canon { return []Canon{w.Body} })
			s.Write(m)
			if s.Close() != nil {
				continue
			}
			line, err := s.Sign(w, func(block []byte) ([]byte, error) { return signBy(w.Algorithm, block), nil })
			if err == ErrFrom {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			// What it has signed already may be much.
			v := NewVerifier(Usual())
			v.Write(bytes.Join([][]byte{line, m}, nil))
			if r := v.Results(testKeys().records.lookup, time.Unix(0, 0)); r[0].Status != Pass && v.split.err != ErrTooLong {
				t.Errorf("%q: %+v", m, r[0])
			}
		}
	})
}
