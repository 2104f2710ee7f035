package remote

import (
	"slices"
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/site/smtproutes"
	"qmail/internal/text/ascii"
)

// settings is what the control files say; they are read for each delivery.
type settings struct {
	helo           string
	routes         control.Map
	senders        control.Map // authsenders
	timeoutConnect time.Duration
	timeoutRemote  time.Duration // for each reply, and for each part of the message
	// timeoutDelivery is for all, beside what the length of the message and the number of recipients grant.
	timeoutDelivery time.Duration
	plodding        control.Map // names and suffixes of hosts that are spared PIPELINING
}

// perRecipient is what each recipient adds to the time for a delivery.
const perRecipient = 10 * time.Second

func readSettings(d control.Dir) (*settings, error) {
	helo, ok, err := d.Text("helohost")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errControls
	}
	lines, _, err := d.List("smtproutes")
	if err != nil {
		return nil, err
	}
	routes := control.NewMap(lines)
	if lines, _, err = d.List("authsenders"); err != nil {
		return nil, err
	}
	senders := control.NewMap(lines)
	connect, err := d.Int("timeoutconnect")
	if err != nil {
		return nil, err
	}
	reply, err := d.Int("timeoutremote")
	if err != nil {
		return nil, err
	}
	delivery, err := d.Int("timeoutdelivery")
	if err != nil {
		return nil, err
	}
	lines, _, err = d.List("nopipelining")
	if err != nil {
		return nil, err
	}
	plodding := make(control.Map, len(lines))
	for _, l := range lines {
		plodding[ascii.LowerString(l)] = ""
	}
	return &settings{
		helo: helo, routes: routes, senders: senders,
		timeoutConnect: time.Duration(connect) * time.Second, timeoutRemote: time.Duration(reply) * time.Second,
		timeoutDelivery: time.Duration(delivery) * time.Second, plodding: plodding,
	}, nil
}

// lockstep reports whether control/nopipelining has one of the names.
func (s *settings) lockstep(names ...string) bool {
	return len(s.plodding) > 0 && slices.ContainsFunc(names, func(name string) bool {
		_, ok := s.plodding.GetHost(name)
		return ok
	})
}

// smtpPort is where mail goes unless smtproutes says otherwise.
const smtpPort = smtproutes.Port

// A target is where a message is to go, before any lookup.
type target struct {
	host  string
	port  uint16 // 0: smtproutes holds something that is no port
	relay bool   // host is a relay of smtproutes: no MX, and it may be this machine
	login smtproutes.Login
}

// target applies authsenders and smtproutes. A route without a relay means the MX of the host itself.
func (s *settings) target(host, sender string) target {
	route, ok := s.bySender(sender)
	if !ok {
		route, ok = s.routes.GetHost(host)
	}
	if !ok || route == "" {
		return target{host: host, port: smtpPort}
	}
	r := smtproutes.Parse(route)
	if r.Relay == "" {
		return target{host: host, port: r.Port, login: r.Login}
	}
	return target{host: r.Relay, port: r.Port, relay: true, login: r.Login}
}

// bySender returns the route of authsenders for a whole address, or for its domain.
func (s *settings) bySender(sender string) (route string, ok bool) {
	if route, ok = s.senders.Get(sender); ok && sender != "" {
		return route, true
	}
	return s.senders.GetHost(sender[strings.LastIndexByte(sender, '@')+1:])
}

// sendable reports whether an address can stand in a command: a line end inside it would end the command and
// begin another.
func sendable(addr string) bool { return !strings.ContainsAny(addr, "\r\n\x00") }
