package dns

import (
	"cmp"
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
	// manyStrays is how many packets that answer something else are no accident any more.
	manyStrays = 64
)

var (
	// errStrays says that no answer was among many packets that were none: somebody guesses, or drowns it.
	errStrays = errors.New("too many packets that answer something else")
	// errEcho says that the answer did not repeat the question's letters as they were: it is forged, or of a
	// server that changes their case.
	errEcho = errors.New("DNS answer to a question in other letters")
)

// A way is how one question travels.
type way struct {
	tcp   bool
	edns  bool
	plain bool // the case of the letters is left as it is, and not compared
}

// ask puts a question to one server after the other until one answers. The last round does without EDNS0, which
// some box on the way may drop.
func (r *Resolver) ask(q dnsmessage.Question) (*answer, error) {
	if !r.budget.spend() {
		return nil, errSpent
	}
	err := errNone
	for round := range r.conf.attempts {
		for _, s := range r.conf.servers {
			if r.budget.over() {
				return nil, errSpent
			}
			a, aerr := r.askServer(s, q, round == 0 || round < r.conf.attempts-1)
			if aerr == nil {
				return a, nil
			}
			err = aerr
		}
	}
	return nil, err
}

// askServer asks one server: by UDP, again without EDNS0 if that is what it stumbled over, and by TCP, which
// nobody forges from afar, if the answer did not fit or somebody may be forging. A server that changes the
// case of letters and knows no TCP is asked without our lots.
func (r *Resolver) askServer(s netip.AddrPort, q dnsmessage.Question, edns bool) (*answer, error) {
	byTCP := way{tcp: true, edns: true}
	if r.conf.tcp {
		a, _, err := r.exchange(byTCP, s, q)
		return a, err
	}
	a, h, err := r.exchange(way{edns: edns}, s, q)
	if err != nil && edns && (h.RCode == dnsmessage.RCodeFormatError || h.RCode == dnsmessage.RCodeNotImplemented) {
		edns = false
		a, h, err = r.exchange(way{}, s, q)
	}
	if err == errEcho || err == errStrays {
		first := err
		a, h, err = r.exchange(byTCP, s, q)
		if err != nil && first == errEcho {
			a, h, err = r.exchange(way{edns: edns, plain: true}, s, q)
		}
	}
	if err == nil && h.Truncated {
		a, h, err = r.exchange(byTCP, s, q)
		if err == nil && h.Truncated {
			return nil, errAnswer
		}
	}
	return a, err
}

// exchange sends one question over a socket of its own, so that each has a port and a number that nobody can
// guess, and waits for the answer. Whatever else comes is ignored until the time is over. Err is nil with a
// nil answer when it was truncated.
func (r *Resolver) exchange(w way, s netip.AddrPort, q dnsmessage.Question) (*answer, dnsmessage.Header, error) {
	var none dnsmessage.Header
	id := uint16(rand.Uint32())
	sent := q
	if !w.plain {
		sent.Name = mixed(q.Name)
	}
	packet, err := question(id, sent, w.edns, r.conf.trusted)
	if err != nil {
		return nil, none, err
	}
	end := r.budget.until(time.Now().Add(r.conf.timeout))
	c, err := dial(w.tcp, s, time.Until(end))
	if err != nil {
		return nil, none, err
	}
	defer c.Close()
	c.SetDeadline(end)
	if !w.tcp {
		packet = packet[2:]
	}
	if _, err := c.Write(packet); err != nil {
		return nil, none, err
	}
	return r.wait(c, w, end, id, sent, q)
}

// wait reads until the answer has come.
func (r *Resolver) wait(
	c *os.File, w way, end time.Time, id uint16, sent, asked dnsmessage.Question,
) (*answer, dnsmessage.Header, error) {
	var none dnsmessage.Header
	buf := make([]byte, maxUDP)
	var nothing error // what it means when no answer comes
	for strays := 0; ; strays++ {
		b, err := receive(c, buf, w.tcp)
		if err != nil {
			return nil, none, cmp.Or(nothing, err)
		}
		a, h, ok, err := parseAnswer(b, id, sent)
		switch {
		case ok && !w.tcp && !w.plain && !h.echoes:
			// The true one may come yet.
			nothing = errEcho
			c.SetDeadline(earlier(end, time.Now().Add(r.conf.timeout/10)))
		case ok:
			if a != nil {
				a.unmix(sent.Name, asked.Name)
				a.secure = h.AuthenticData && r.conf.trusted
			}
			return a, h.Header, err
		case w.tcp:
			return nil, none, errAnswer
		case strays == manyStrays && nothing == nil:
			nothing = errStrays
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
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

// question returns a packet that asks q, with its length before it as TCP needs it. Secure asks as well whether DNSSEC
// vouches for the answer.
func question(id uint16, q dnsmessage.Question, edns, secure bool) ([]byte, error) {
	h := dnsmessage.Header{ID: id, RecursionDesired: true, AuthenticData: secure} // RFC 6840, section 5.7
	b := dnsmessage.NewBuilder(make([]byte, 2, 512), h)
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
