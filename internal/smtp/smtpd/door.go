package smtpd

import "net/netip"

// A Stage is where a session has come to when its doors are asked.
type Stage int

// The stages, in their order. What a client says at AtHelo, AtMail and AtRcpt is in the Visit, and is not yet taken.
const (
	AtConnect Stage = iota // before the greeting
	AtHelo
	AtMail
	AtRcpt
	AtData  // before a message with recipients comes
	AtLogin // when somebody has logged in; doors are not asked
)

// A Visit is what a session knows of its client and its message.
type Visit struct {
	IP        string // of the client; empty if it is not known
	Helo      string
	Sender    string
	Recipient string // the one that is asked for
	Relays    bool   // a client that may send anywhere, as who has logged in may

	// For plugins:
	User, Mechanism string // of a login
	Count, Named    int    // recipients that are accepted, and that were asked for, this one too
	Hosted          bool   // the recipient is one of ours, or the client may send anywhere
}

// Public returns the client's address; ok is false where it is not known, or is one of a private network.
func (v *Visit) Public() (ip netip.Addr, ok bool) {
	ip, err := netip.ParseAddr(v.IP)
	ip = ip.Unmap().WithZone("")
	return ip, err == nil && !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast()
}

// A Door is what else may say no to a client. Admit returns a reply of 4xx or 5xx that refuses a stage, or "" for none;
// a reply of 421, and any at AtConnect, ends the session. It is called for one stage after the other, of one session.
type Door interface {
	Admit(stage Stage, v *Visit) (reply string)
}

// admits asks the doors one after the other, and reports whether none refuses. What they refuse is in the log.
func (s *session) admits(stage Stage, sender, recipient string) bool {
	if len(s.doors) == 0 {
		return true
	}
	v := s.visit(sender, recipient)
	for _, d := range s.doors {
		reply := d.Admit(stage, &v)
		if reply == "" {
			continue
		}
		s.refuse(reply, wanted(stage, sender, recipient)...)
		if stage == AtConnect || reply[:3] == "421" {
			s.end(ended)
		}
		return false
	}
	return true
}

func (s *session) visit(sender, recipient string) Visit {
	return Visit{
		IP: s.peer.RemoteIP, Helo: s.helo, Sender: sender, Recipient: recipient,
		Relays: s.relayClient || s.trusted(),
	}
}

// wanted is what a line of the log says of a refusal at a stage.
func wanted(stage Stage, sender, recipient string) (pairs []string) {
	if stage >= AtMail && stage != AtLogin {
		pairs = append(pairs, "from", sender)
	}
	if recipient != "" {
		pairs = append(pairs, "to", recipient)
	}
	return pairs
}
