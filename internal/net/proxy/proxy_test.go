package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/site/control"
)

// binaryHeader makes a header of version 2.
func binaryHeader(command, family byte, body string) string {
	b := append([]byte(signature), command, family, 0, 0)
	binary.BigEndian.PutUint16(b[14:], uint16(len(body)))
	return string(b) + body
}

const four = "\xc0\x00\x02\x01\xcb\x00\x71\x02\x12\x34\x00\x19"

func six() string {
	return "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" +
		"\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x02" + "\x12\x34\x00\x19"
}

// The lines of version 1 are the specification's own, the longest of each kind among them.
func TestHeaderSaysWhoseTheConnectionIs(t *testing.T) {
	longest := "ffff:f...f:ffff"
	longest = strings.Replace(longest, "f...f", "ffff:ffff:ffff:ffff:ffff:ffff", 1)
	for text, want := range map[string]string{
		"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n": "255.255.255.255:65535,255.255.255.255:65535",
		"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n":          "192.168.0.1:56324,192.168.0.11:443",
		"PROXY TCP6 " + longest + " " + longest + " 65535 65535\r\n": "[" + longest + "]:65535,[" + longest + "]:65535",
		"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n":            "192.0.2.1:1,[2001:db8::1]:2",
		"PROXY UNKNOWN\r\n": "-",
		"PROXY UNKNOWN " + longest + " " + longest + " 65535 65535\r\n":   "-",
		binaryHeader(0x21, 0x11, four):                                    "192.0.2.1:4660,203.0.113.2:25",
		binaryHeader(0x21, 0x11, four+"\x04\x00\x01x"):                    "192.0.2.1:4660,203.0.113.2:25",
		binaryHeader(0x21, 0x21, six()):                                   "[2001:db8::1]:4660,[2001:db8::2]:25",
		binaryHeader(0x21, 0x00, ""):                                      "-",
		binaryHeader(0x20, 0x00, ""):                                      "-",
		binaryHeader(0x20, 0x11, four):                                    "-",
		binaryHeader(0x21, 0x21, six()+strings.Repeat("x", MaxBinary-36)): "[2001:db8::1]:4660,[2001:db8::2]:25",
	} {
		r := strings.NewReader(text + "EHLO x\r\n")
		h, err := Read(r)
		if err != nil || h.String() != want {
			t.Errorf("%q: %v, %v, want %s", text, h, err, want)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "EHLO x\r\n" {
			t.Errorf("%q: it was read on, to %q", text, rest)
		}
		if back, ok := ParseHeader(h.String()); !ok || back != h {
			t.Errorf("%v became %v", h, back)
		}
	}
}

func TestWhatIsNoHeaderIsRefusedWithinItsBounds(t *testing.T) {
	for _, text := range []string{
		"EHLO example.org\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n mail",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
		"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
		"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY UNKNOWN " + strings.Repeat("x", MaxText) + "\r\n",
		binaryHeader(0x11, 0x11, four),
		binaryHeader(0x22, 0x11, four),
		binaryHeader(0x21, 0x12, four),
		binaryHeader(0x21, 0x31, strings.Repeat("x", 216)),
		binaryHeader(0x21, 0x11, four[:11]),
		binaryHeader(0x21, 0x21, six()[:35]),
		binaryHeader(0x21, 0x11, four+strings.Repeat("x", MaxBinary)),
	} {
		r := strings.NewReader(text + strings.Repeat("z", 8192))
		if h, err := Read(r); !errors.Is(err, ErrHeader) || h.Known() {
			t.Errorf("%q: %v, %v", text, h, err)
		}
		if read := int(r.Size()) - r.Len(); read > fixed+MaxBinary {
			t.Errorf("%q: %d bytes were read", text, read)
		}
	}
	for i := range len(binaryHeader(0x21, 0x11, four)) {
		if _, err := Read(strings.NewReader(binaryHeader(0x21, 0x11, four)[:i])); err == nil {
			t.Errorf("%d bytes are a header", i)
		}
	}
}

func TestOnlyNamedBalancersAreTrusted(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "proxyfrom")
	text := "# ours\n192.0.2.1\n198.51.100.0/24\n2001:db8::/32\nexample.org\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for ip, want := range map[string]bool{"192.0.2.1": true, "192.0.2.2": false, "198.51.100.7": true,
		"::ffff:192.0.2.1": true, "2001:db8:1::1": true, "2001:db9::1": false, "127.0.0.1": false} {
		if got, err := Trusts(control.Dir(dir), netip.MustParseAddr(ip)); got != want || err != nil {
			t.Errorf("%s: %v, %v", ip, got, err)
		}
	}
	if got, err := Trusts(control.Dir(filepath.Join(dir, "absent")), netip.MustParseAddr("192.0.2.1")); got || err != nil {
		t.Errorf("without the file: %v, %v", got, err)
	}
	if got, err := Trusts(control.Dir(file), netip.MustParseAddr("192.0.2.1")); got || err == nil {
		t.Error("what cannot be read is no answer")
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nEHLO"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(binaryHeader(0x21, 0x11, four)))
	f.Add([]byte(binaryHeader(0x21, 0x21, six())))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		h, err := Read(r)
		if read := len(b) - r.Len(); read > fixed+MaxBinary {
			t.Errorf("%d bytes were read", read)
		}
		if err != nil && h != (Header{}) {
			t.Errorf("%v beside %v", h, err)
		}
		if back, ok := ParseHeader(h.String()); !ok || back != h {
			t.Errorf("%v became %v", h, back)
		}
	})
}
