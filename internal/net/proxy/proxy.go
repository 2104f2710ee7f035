// Package proxy reads the header of the PROXY protocol, by which a balancer says whose connection it passes on; both
// versions, as HAProxy's specification of 2020 has them. Not one byte behind the header is read.
package proxy

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/inet"
)

const (
	// Patience is how long a balancer has for the header.
	Patience = 5 * time.Second
	// MaxText is the most bytes of a header of version 1, its line end included.
	MaxText = 107
	// MaxBinary is the most bytes behind the fixed part of a header of version 2: 216 of addresses, and what is told
	// besides of the connection, which is passed over.
	MaxBinary = 216 + 2048
	// fixed is how many bytes begin a header of version 2. No header of version 1 is shorter than its signature.
	fixed, signatureLength = 16, 12

	signature = "\r\n\r\n\x00\r\nQUIT\n"
)

var (
	// ErrHeader says that a connection does not begin with a header.
	ErrHeader = errors.New("no proper PROXY header")

	errLate = errors.New("no PROXY header in time")
	errGone = errors.New("it ended before its PROXY header")
)

// A Header is what a balancer says of the connection. The zero value says nothing: the connection is the balancer's
// own, or of a kind that it does not know.
type Header struct{ Source, Destination netip.AddrPort }

// Known reports whether it says whose the connection is.
func (h Header) Known() bool { return h.Source.IsValid() }

// String is the header as ParseHeader reads it.
func (h Header) String() string {
	if !h.Known() {
		return "-"
	}
	return h.Source.String() + "," + h.Destination.String()
}

// ParseHeader reads what String wrote.
func ParseHeader(s string) (h Header, ok bool) {
	if s == "-" {
		return h, true
	}
	source, destination, _ := strings.Cut(s, ",")
	var err, err2 error
	h.Source, err = netip.ParseAddrPort(source)
	h.Destination, err2 = netip.ParseAddrPort(destination)
	return h, err == nil && err2 == nil
}

// Read reads a header. An error other than r's is ErrHeader.
func Read(r io.Reader) (Header, error) {
	b := make([]byte, fixed, MaxText)
	if _, err := io.ReadFull(r, b[:signatureLength]); err != nil {
		return Header{}, err
	}
	if string(b[:signatureLength]) == signature {
		return readBinary(r, b)
	}
	b = b[:signatureLength]
	if !strings.HasPrefix(string(b), "PROXY ") {
		return Header{}, ErrHeader
	}
	// What ends the line is not known before it is there, so the rest comes byte by byte.
	for n := len(b); string(b[n-2:]) != "\r\n"; n = len(b) {
		if n == MaxText || b[n-1] == '\n' {
			return Header{}, ErrHeader
		}
		if _, err := io.ReadFull(r, b[n:n+1]); err != nil {
			return Header{}, err
		}
		b = b[:n+1]
	}
	return parseText(string(b[:len(b)-2]))
}

// parseText parses the line of a header of version 1.
func parseText(line string) (Header, error) {
	words := strings.Split(line, " ")
	if len(words) >= 2 && words[1] == "UNKNOWN" {
		return Header{}, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return Header{}, ErrHeader
	}
	source, ok := parseEnd(words[2], words[4], words[1] == "TCP6")
	destination, ok2 := parseEnd(words[3], words[5], words[1] == "TCP6")
	if !ok || !ok2 {
		return Header{}, ErrHeader
	}
	return Header{source, destination}, nil
}

func parseEnd(address, port string, six bool) (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(address)
	n, err2 := strconv.ParseUint(port, 10, 16)
	if err != nil || err2 != nil || ip.Is6() != six || ip.Zone() != "" || port != strconv.FormatUint(n, 10) {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), true
}

// readBinary reads on in a header of version 2, of which b has the signature and room for the fixed part.
func readBinary(r io.Reader, b []byte) (Header, error) {
	if _, err := io.ReadFull(r, b[signatureLength:]); err != nil {
		return Header{}, err
	}
	const version, local, proxy = 0x20, 0, 1
	command, family := b[12], b[13]
	n := int(binary.BigEndian.Uint16(b[14:]))
	if command != version|local && command != version|proxy || n > MaxBinary {
		return Header{}, ErrHeader
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return Header{}, err
	}
	if command == version|local {
		return Header{}, nil
	}
	const unknown, tcp4, tcp6 = 0x00, 0x11, 0x21
	switch {
	case family == unknown:
		return Header{}, nil
	case family == tcp4 && n >= 12:
		return Header{
			end(netip.AddrFrom4([4]byte(body[:4])), body[8:]),
			end(netip.AddrFrom4([4]byte(body[4:8])), body[10:]),
		}, nil
	case family == tcp6 && n >= 36:
		return Header{
			end(netip.AddrFrom16([16]byte(body[:16])), body[32:]),
			end(netip.AddrFrom16([16]byte(body[16:32])), body[34:]),
		}, nil
	}
	return Header{}, ErrHeader
}

func end(ip netip.Addr, port []byte) netip.AddrPort {
	return netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(port))
}

// ReadFrom reads the header with which a connection begins, for as long as Patience. The connection is as it was then.
func ReadFrom(conn *os.File) (Header, error) {
	d := sys.NewDialogue(conn, conn)
	d.Within(time.Now().Add(Patience))
	d.Timeout(Patience)
	defer d.Timeout(0)
	h, err := Read(d)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errLate
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		err = errGone
	}
	return h, err
}

// Of returns what a balancer says of a connection that was just made, and nil where nobody does.
func Of(dir control.Dir, conn *os.File) (*Header, error) {
	_, from, err := inet.Ends(conn)
	if err != nil {
		return nil, nil // whoever needs a connection says so
	}
	trusted, err := Trusts(dir, from.Addr())
	if !trusted {
		return nil, err
	}
	h, err := ReadFrom(conn)
	return &h, err
}

// Trusts reports whether connections from an address begin with a header: control/proxyfrom has the address, or a
// network of it.
func Trusts(dir control.Dir, from netip.Addr) (bool, error) {
	lines, _, err := dir.List("proxyfrom")
	if err != nil {
		return false, err
	}
	from = from.WithZone("").Unmap()
	for _, l := range lines {
		if ip, err := netip.ParseAddr(l); err == nil {
			if ip == from {
				return true, nil
			}
		} else if p, err := netip.ParsePrefix(l); err == nil && p.Contains(from) {
			return true, nil
		}
	}
	return false, nil
}
