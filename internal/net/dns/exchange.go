package dns

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"qmail/internal/sys/inet"
)

const (
	// udpSize is what we say to take over UDP: what passes everywhere without being cut into fragments.
	udpSize = 1232
	// maxUDP is what we take all the same.
	maxUDP = 4096
	// maxStrays bounds the packets of one exchange that answer something else.
	maxStrays = 64
)

// ask puts a question to one server after the other until one answers. The last round does without EDNS0, which
// some box on the way may drop.
func (r *Resolver) ask(q dnsmessage.Question) (*answer, error) {
	err := errNone
	for round := range r.conf.attempts {
		for _, s := range r.conf.servers {
			a, aerr := r.askServer(s, q, round == 0 || round < r.conf.attempts-1)
			if aerr == nil {
				return a, nil
			}
			err = aerr
		}
	}
	return nil, err
}

// askServer asks one server: by UDP, again without EDNS0 if that is what it stumbled over, and by TCP if the
// answer did not fit.
func (r *Resolver) askServer(s netip.AddrPort, q dnsmessage.Question, edns bool) (*answer, error) {
	if r.conf.tcp {
		a, _, err := r.exchange("tcp", s, q, true)
		return a, err
	}
	a, h, err := r.exchange("udp", s, q, edns)
	if err != nil && edns && (h.RCode == dnsmessage.RCodeFormatError || h.RCode == dnsmessage.RCodeNotImplemented) {
		a, h, err = r.exchange("udp", s, q, false)
	}
	if err == nil && h.Truncated {
		a, h, err = r.exchange("tcp", s, q, true)
		if err == nil && h.Truncated {
			return nil, errAnswer
		}
	}
	return a, err
}

// exchange sends one question over a socket of its own, so that each has a port and a
// number that nobody can guess, and waits for the answer. Err is nil with a nil answer when
// it was truncated.
func (r *Resolver) exchange(network string, s netip.AddrPort, q dnsmessage.Question,
	edns bool) (*answer, dnsmessage.Header, error) {
	var none dnsmessage.Header
	id := uint16(rand.Uint32())
	packet, err := question(id, q, edns)
	if err != nil {
		return nil, none, err
	}
	end := time.Now().Add(r.conf.timeout)
	tcp := network == "tcp"
	c, err := dial(tcp, s, r.conf.timeout)
	if err != nil {
		return nil, none, err
	}
	defer c.Close()
	c.SetDeadline(end)
	if !tcp {
		packet = packet[2:]
	}
	if _, err := c.Write(packet); err != nil {
		return nil, none, err
	}
	buf := make([]byte, maxUDP)
	for range maxStrays {
		b, err := receive(c, buf, tcp)
		if err != nil {
			return nil, none, err
		}
		if a, h, ok, err := parseAnswer(b, id, q); ok {
			return a, h, err
		}
		if tcp {
			break
		}
	}
	return nil, none, errAnswer
}

func dial(tcp bool, s netip.AddrPort, timeout time.Duration) (*os.File, error) {
	if tcp {
		return inet.Connect(netip.Addr{}, s, timeout)
	}
	return inet.ConnectUDP(s)
}

// receive reads one packet, or one answer with its length before it.
func receive(c io.Reader, buf []byte, tcp bool) ([]byte, error) {
	if !tcp {
		n, err := c.Read(buf)
		if err == io.EOF {
			return nil, nil // a packet with nothing in it
		}
		return buf[:max(0, n)], err
	}
	if _, err := io.ReadFull(c, buf[:2]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(buf))
	_, err := io.ReadFull(c, b)
	return b, err
}

// question returns a packet that asks q, with its length before it as TCP needs it.
func question(id uint16, q dnsmessage.Question, edns bool) ([]byte, error) {
	b := dnsmessage.NewBuilder(make([]byte, 2, 512), dnsmessage.Header{ID: id, RecursionDesired: true})
	err := errors.Join(b.StartQuestions(), b.Question(q))
	if edns {
		var h dnsmessage.ResourceHeader
		err = errors.Join(err, h.SetEDNS0(udpSize, dnsmessage.RCodeSuccess, false),
			b.StartAdditionals(), b.OPTResource(h, dnsmessage.OPTResource{}))
	}
	if err != nil {
		return nil, err
	}
	packet, err := b.Finish()
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(packet, uint16(len(packet)-2))
	return packet, nil
}
