package main

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"qmail/internal/net/dns"
	"qmail/internal/sys"
	"qmail/internal/sys/inet"
)

// smtpPort is not for LMTP (RFC 2033, section 5): a mail server that answers there would send the message on.
const smtpPort = 25

var (
	errServer = errors.New("it is neither a path nor host:port")
	errPort   = errors.New("port 25 is not for LMTP")
	errNobody = errors.New("it has no address")
)

// connect connects to a server. All addresses of a host are tried.
func connect(server string) (*os.File, error) {
	if strings.IndexByte(server, '/') >= 0 {
		f, err := sys.DialLocal(server, connecting)
		return f, plain(err)
	}
	host, port, err := parse(server)
	if err != nil {
		return nil, err
	}
	list, err := addresses(host)
	if err != nil {
		return nil, err
	}
	err = errNobody
	for _, ip := range list[:min(len(list), maxAddresses)] {
		f, connectErr := inet.Connect(netip.Addr{}, netip.AddrPortFrom(ip, port), connecting)
		if connectErr == nil {
			return f, nil
		}
		err = connectErr
	}
	return nil, plain(err)
}

// maxAddresses is how many addresses of a host are tried.
const maxAddresses = 8

// parse returns the two parts of host:port; an IPv6 address is in brackets.
func parse(server string) (host string, port uint16, err error) {
	i := strings.LastIndexByte(server, ':')
	if i <= 0 {
		return "", 0, errServer
	}
	n, err := strconv.ParseUint(server[i+1:], 10, 16)
	if err != nil || n == 0 {
		return "", 0, errServer
	}
	if n == smtpPort {
		return "", 0, errPort
	}
	host = server[:i]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host, ok = strings.CutSuffix(inner, "]")
		if _, err := netip.ParseAddr(host); !ok || err != nil {
			return "", 0, errServer
		}
	}
	return host, uint16(n), nil
}

func addresses(host string) ([]netip.Addr, error) {
	if host == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	return dns.Open("/etc/resolv.conf").Within(questions, time.Now().Add(connecting)).Addrs(host)
}

// questions bounds what the DNS is asked.
const questions = 20

// plain leaves out of an error what has been said already.
func plain(err error) error {
	if err == nil || err == errNobody {
		return err
	}
	return errors.New(sys.Reason(err))
}
