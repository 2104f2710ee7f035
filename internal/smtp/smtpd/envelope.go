package smtpd

import (
	"strconv"

	"qmail/internal/net/ipme"
)

func (s *session) greet(name []byte, extended bool) {
	before := s.enhanced
	s.enhanced = false // no reply to a greeting has a code (RFC 2034, section 4)
	if s.meets(name) {
		s.welcome(extended)
	} else {
		s.enhanced = before
	}
}

// meets takes the name of a client, unless it is refused.
func (s *session) meets(name []byte) bool {
	if len(name) > maxHelo {
		s.refuse("501 that name is too long (#5.5.4)")
		return false
	}
	s.mailSeen = false
	before := s.helo
	s.helo = string(name)
	if _, ok := s.consult(AtHelo, "", "", false); !ok || !s.admits(AtHelo, "", "") {
		s.helo = before
		return false
	}
	s.greeted = true
	return true
}

// welcome says what the server can do.
func (s *session) welcome(extended bool) {
	s.say("250-" + s.greeting)
	s.say("250-PIPELINING")
	if extended && s.dataBytes > 0 {
		s.say("250-SIZE " + strconv.FormatInt(s.dataBytes, 10))
	}
	if extended && s.server.StartTLS != nil && s.tls == nil {
		s.say("250-STARTTLS")
	}
	if extended {
		s.offer()
	}
	if extended && s.limit.Count > 0 && s.extensions.Has("limits") {
		s.put("250-LIMITS RCPTMAX=" + strconv.Itoa(s.limit.Count))
	}
	if s.dsn = extended && s.offersDSN(); s.dsn {
		s.put("250-DSN")
	}
	if s.offeredUTF8 = extended && s.extensions.Has("smtputf8"); s.offeredUTF8 {
		s.put("250-SMTPUTF8")
	}
	s.enhanced = extended && (s.server.Submission != nil || s.extensions.Has("enhanced"))
	if s.enhanced {
		s.put("250-ENHANCEDSTATUSCODES")
	}
	s.put("250 8BITMIME")
}

func (s *session) mail(arg []byte) {
	addr, rest, ok := parseAddress(arg)
	if !ok {
		s.refuse("555 syntax error (#5.5.4)")
		return
	}
	addr, err := s.localized(addr)
	if err != nil {
		s.fail("421 unable to figure out my IP addresses (#4.3.0)")
		return
	}
	params := parseParameters(rest)
	w, ok := s.wishOf(&params)
	if !ok {
		s.mailSeen = false
		s.refuse(malformed, "from", addr)
		return
	}
	if s.forbidden(addr) {
		s.mailSeen = false
		return
	}
	international, ok := s.speaksUTF8(&params)
	if !ok {
		s.mailSeen = false
		s.refuse(noValue, "from", addr)
		return
	}
	if no := s.unspeakable(addr, international); no != "" {
		s.mailSeen = false
		s.refuse(no, "from", addr)
		return
	}
	if room := s.server.Room; room != nil && !room() {
		s.mailSeen = false
		s.refuse("452 the queue's disk is nearly full (#4.3.1)", "from", addr)
		return
	}
	a, ok := s.consult(AtMail, addr, "", false)
	addr = a.Address
	if !ok || !a.Vouched && !s.admits(AtMail, addr, "") {
		s.mailSeen = false
		return
	}
	s.sender, s.barred, s.params, s.wish = addr, !a.Vouched && s.controls.barred(addr), params, w
	s.international = international
	s.recipients, s.count, s.asked, s.full = s.recipients[:0], 0, 0, false
	s.mailSeen = true
	s.say("250 ok")
}

func (s *session) rcpt(arg []byte) {
	if !s.mailSeen {
		s.say("503 MAIL first (#5.5.1)")
		return
	}
	s.tarpit()
	addr, rest, ok := parseAddress(arg)
	if !ok {
		s.refuse("555 syntax error (#5.5.4)", "from", s.sender)
		return
	}
	params := parseParameters(rest)
	w, ok := s.wishFor(&params)
	if !ok {
		s.refuse(malformed, "from", s.sender, "to", addr)
		return
	}
	addr, err := s.localized(addr)
	if err != nil {
		s.fail("421 unable to figure out my IP addresses (#4.3.0)")
		return
	}
	if no := s.unspeakable(addr, s.international); no != "" {
		s.refuse(no, "from", s.sender, "to", addr)
		return
	}
	hosted, vouched := false, false
	if s.plugins != nil && !s.full {
		if hosted, err = s.takes(addr); err != nil {
			s.fail("421 unable to read controls (#4.3.0)")
			return
		}
		a, ok := s.consult(AtRcpt, s.sender, addr, hosted)
		if !ok {
			return
		}
		addr, vouched = a.Address, a.Vouched
	}
	if s.barred && !vouched {
		s.refuse("553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)", "from", s.sender, "to", addr)
		return
	}
	if !hosted && !vouched {
		if hosted, err = s.takes(addr); err != nil {
			s.fail("421 unable to read controls (#4.3.0)")
			return
		}
		if !hosted {
			s.refuse("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "from", s.sender, "to", addr)
			return
		}
	}
	if s.relayClient {
		addr += s.relay
	}
	if !vouched && !s.admits(AtRcpt, s.sender, addr) {
		return
	}
	if !s.limit.Allows(s.count+1, len(s.recipients)+len(addr)+1) || !s.wish.add(s.count, w) {
		const reply = "452 too many recipients (#4.5.3)"
		if !s.full {
			s.server.Log.Say(reply, "from", s.sender)
		}
		s.full = true
		s.say(reply)
		return
	}
	s.recipients = append(append(s.recipients, addr...), 0)
	s.count++
	s.say("250 ok")
}

// takes reports whether the client may send to an address.
func (s *session) takes(addr string) (bool, error) {
	if s.relayClient {
		return true, nil
	}
	ok, err := s.hosts.Accepts(addr)
	return ok || err == nil && s.trusted(), err
}

// fail ends the session for a trouble of ours.
func (s *session) fail(reply string) {
	s.server.Log.Say(reply)
	s.say(reply)
	s.end(ended)
}

// mine returns the addresses of this machine; they are looked up once in a session.
func (s *session) mine() (ipme.Set, error) {
	if s.looked {
		return s.addrs, nil
	}
	look := s.server.Mine
	if look == nil {
		look = ipme.Mine
	}
	set, err := look()
	if err == nil {
		s.addrs, s.looked = set, true
	}
	return set, err
}
