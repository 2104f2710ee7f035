package remote

import (
	"strings"
	"time"

	"qmail/internal/site/control"
)

// settings is what the control files say; they are read for each delivery.
type settings struct {
	helo           string
	routes         control.Map
	timeoutConnect time.Duration
	timeoutRemote  time.Duration // for each reply, and for each part of the message
}

func readSettings(d control.Dir) (*settings, error) {
	helo, ok, err := d.LineOrMe("helohost")
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
	connect, err := d.Int("timeoutconnect", 60)
	if err != nil {
		return nil, err
	}
	reply, err := d.Int("timeoutremote", 1200)
	if err != nil {
		return nil, err
	}
	return &settings{
		helo: helo, routes: control.NewMap(lines),
		timeoutConnect: time.Duration(connect) * time.Second, timeoutRemote: time.Duration(reply) * time.Second,
	}, nil
}

// smtpPort is where mail goes unless smtproutes says otherwise.
const smtpPort = 25

// A target is where a message is to go, before any lookup.
type target struct {
	host  string
	port  uint16 // 0: smtproutes holds something that is no port
	relay bool   // host is a relay of smtproutes: no MX, and it may be this machine
}

// target applies smtproutes. A route without a relay means the MX of the host itself.
func (s *settings) target(host string) target {
	route, ok := s.routes.GetHost(host)
	if !ok || route == "" {
		return target{host: host, port: smtpPort}
	}
	relay, port := splitRoute(route)
	if relay == "" {
		return target{host: host, port: port}
	}
	return target{host: relay, port: port, relay: true}
}

// splitRoute splits "relay:port"; the brackets of an IPv6 address may hold colons.
func splitRoute(route string) (relay string, port uint16) {
	from := 0
	if strings.HasPrefix(route, "[") {
		from = max(0, strings.IndexByte(route, ']'))
	}
	i := strings.IndexByte(route[from:], ':')
	if i < 0 {
		return route, smtpPort
	}
	n, ok := control.ParseInt(route[from+i+1:])
	if !ok || n > 65535 {
		n = 0
	}
	return route[:from+i], uint16(n)
}

// sendable reports whether an address can stand in a command: a line end inside it would end the command and
// begin another.
func sendable(addr string) bool { return !strings.ContainsAny(addr, "\r\n\x00") }
