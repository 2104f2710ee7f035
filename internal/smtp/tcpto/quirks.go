package tcpto

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"qmail/internal/sys"
)

// Ways are what qmail-remote does to be quick that a host may not bear.
type Ways uint8

// What can be left out.
const (
	Hello      Ways = 1 << iota // EHLO: HELO is said at once
	Pipelining                  // commands sent ahead of replies
	Parameters                  // what MAIL says of the message
	Keeping                     // another transaction on one connection
	Honest                      // no way: its refusals have proved to be the same without all of these
	Classical                   // in TLS, what makes the first message longer than a packet
	Secrecy                     // TLS, where policy allows that
)

// A Quirk is what is known of one host.
type Quirk struct {
	Without Ways // what is left out
	Group   int  // the most recipients in one transaction; 0: no limit is known
}

// String names what is left out.
func (q Quirk) String() string {
	text := ""
	add := func(known bool, what string) {
		if !known {
			return
		}
		if text != "" {
			text += ", "
		}
		text += what
	}
	add(q.Without&Hello != 0, "EHLO")
	add(q.Without&Pipelining != 0, "PIPELINING")
	add(q.Without&Parameters != 0, "parameters of MAIL")
	add(q.Without&Keeping != 0, "more messages on a connection")
	add(q.Without&Classical != 0, "ML-KEM in TLS")
	add(q.Without&Secrecy != 0, "TLS")
	add(q.Group > 0, "more than "+strconv.Itoa(q.Group)+" recipients")
	return text
}

// A Host is one of which a quirk is known.
type Host struct {
	Quirk
	IP   netip.Addr
	Time time.Time // when it showed
}

// remembered is how long a quirk counts after it has shown; then the host gets another chance.
const remembered = 24 * time.Hour

// A record of lock/quirks is the address, an IPv4 one mapped into IPv6, a byte of Ways, a zero, the group in two
// bytes, zeros, and the time as in the other tables.
const groupAt = 18

func (k kind) quirk(b []byte, now time.Time) Quirk {
	if !k.parse(b).within(remembered, now) {
		return Quirk{}
	}
	return Quirk{Ways(b[k.addr]), int(binary.LittleEndian.Uint16(b[groupAt:]))}
}

// leastMissed returns the place of the record that can best be missed: one that says nothing, or else the oldest,
// those first that only spare a question.
func (k kind) leastMissed(b []byte, now time.Time) int {
	best, bestWorth := 0, int64(-1)
	for at := 0; at+k.size <= len(b); at += k.size {
		worth := int64(0)
		switch q := k.quirk(b[at:], now); q {
		case Quirk{}:
		case Quirk{Without: Honest}:
			worth = k.parse(b[at:]).Time.Unix() - int64(remembered/time.Second)
		default:
			worth = k.parse(b[at:]).Time.Unix()
		}
		if bestWorth < 0 || worth < bestWorth {
			best, bestWorth = at, worth
		}
	}
	return best
}

// Spared returns the hosts for which something is left out.
func (t Table) Spared(now time.Time) ([]Host, error) {
	f, err := sys.OpenNow(filepath.Join(string(t), quirks.name), os.O_RDONLY)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := quirks.read(f)
	var list []Host
	for at := 0; at < len(b); at += quirks.size {
		q := quirks.quirk(b[at:], now)
		if q.Without&^Honest != 0 || q.Group > 0 {
			r := quirks.parse(b[at:])
			list = append(list, Host{q, r.IP.Unmap(), r.Time})
		}
	}
	return list, err
}

// Quirk returns what is known of ip. What cannot be read is nothing: the table only saves time.
func (t Table) Quirk(ip netip.Addr, now time.Time) Quirk {
	b := t.bytes(quirks)
	if _, at, ok := quirks.find(b, netip.AddrFrom16(ip.As16())); ok {
		return quirks.quirk(b[at:], now)
	}
	return Quirk{}
}

// Learn adds to what is known of ip: more that is left out, or a group that is smaller.
func (t Table) Learn(ip netip.Addr, more Quirk, now time.Time) error {
	return t.change(quirks, func(k kind, b []byte) int {
		ip := netip.AddrFrom16(ip.As16())
		_, at, ok := k.find(b, ip)
		if !ok {
			at = k.leastMissed(b, now)
			clear(b[at : at+k.size])
		}
		q := k.quirk(b[at:], now)
		q.Without |= more.Without
		if more.Group > 0 && (q.Group == 0 || more.Group < q.Group) {
			q.Group = min(more.Group, 1<<16-1)
		}
		k.put(b[at:], Record{ip, int(q.Without), now})
		binary.LittleEndian.PutUint16(b[at+groupAt:], uint16(q.Group))
		return at
	})
}
