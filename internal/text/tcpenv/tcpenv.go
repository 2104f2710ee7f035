// Package tcpenv reads and writes the environment of a program that serves a TCP connection;
// see tcp-environ(5).
package tcpenv

import (
	"strconv"

	"qmail/internal/text/environ"
)

// A Conn is what the environment tells of a connection. An empty string is unknown.
type Conn struct {
	Proto      string // "TCP", or "TCP6" over IPv6
	LocalIP    string
	LocalPort  string
	LocalHost  string
	RemoteIP   string
	RemotePort string
	RemoteHost string
	RemoteInfo string
}

// fields are the variables with their places in c, in the order in which they are written.
func (c *Conn) fields() [8]field {
	return [...]field{
		{"PROTO", &c.Proto},
		{"TCPLOCALIP", &c.LocalIP}, {"TCPLOCALPORT", &c.LocalPort}, {"TCPLOCALHOST", &c.LocalHost},
		{"TCPREMOTEIP", &c.RemoteIP}, {"TCPREMOTEPORT", &c.RemotePort}, {"TCPREMOTEHOST", &c.RemoteHost},
		{"TCPREMOTEINFO", &c.RemoteInfo},
	}
}

type field struct {
	name  string
	value *string
}

// Read returns what env tells.
func Read(env []string) Conn {
	var c Conn
	for _, f := range c.fields() {
		*f.value, _ = environ.Get(env, f.name)
	}
	return c
}

// Replace returns env with the variables of c in the place of what was there; what is unknown is not set.
func (c Conn) Replace(env []string) []string {
	fields := c.fields()
	var names [len(fields)]string
	for i, f := range fields {
		names[i] = f.name
	}
	out := environ.Without(env, names[:]...)
	for _, f := range fields {
		if *f.value != "" {
			out = append(out, f.name+"="+*f.value)
		}
	}
	return out
}

// Local returns the name of this host as the client reached it, or else the address.
func (c Conn) Local() string {
	if c.LocalHost != "" {
		return c.LocalHost
	}
	return c.LocalIP
}

// GetInt returns the value of an environment variable that is a decimal number of at most nine digits.
func GetInt(env []string, name string) (n int, ok bool) {
	s, _ := environ.Get(env, name)
	if len(s) > 9 {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// DataBytes returns the most bytes of a message: DATABYTES in the environment, or else what control/databytes says.
// 0 is no limit, as is a number past all bounds.
func DataBytes(env []string, fromControl int) int64 {
	s, set := environ.Get(env, "DATABYTES")
	if !set {
		return int64(fromControl)
	}
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
