// Package ucspi is the UCSPI-TLS convention, both ends of it: a server has the program that started it put TLS over
// the connection, when the client asks for it. It links no TLS.
//
// The server has the client's connection as descriptors 0 and 1, and three more, whose numbers are in its
// environment; they may be one and the same. It writes a byte to the first, y, or Y to be told what the TLS is, and
// from then on reads what the client says in TLS from the second, and writes its answers to the third.
package ucspi

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/environ"
)

// The variables of the convention. Policy is for the server: set, TLS is offered where it can be had; "!", nothing is
// done without it; "-", it is not offered.
const (
	Policy       = "UCSPITLS"
	ControlFD    = "SSLCTLFD"
	ReadFD       = "SSLREADFD"
	WriteFD      = "SSLWRITEFD"
	protocolName = "SSL_PROTOCOL"
	cipherName   = "SSL_CIPHER"
)

// Begin and BeginTell are the bytes by which a server asks for TLS; after BeginTell it reads a Description.
const (
	Begin     = 'y'
	BeginTell = 'Y'
)

// Patience is how long a server waits for the TLS that it has asked for. It must exceed what the other end gives a
// client and qmail-key.
const Patience = 2 * time.Minute

// An Offer is what a server is offered.
type Offer struct {
	Must bool // nothing may be done without TLS
	// Control, In and Out are nil where TLS cannot be had.
	Control, In, Out *os.File
}

// Offered returns what the environment of a server offers it, nil: nothing. The descriptors are not inherited by what
// it starts.
func Offered(env []string) *Offer {
	policy, set := environ.Get(env, Policy)
	if !set || policy == "-" {
		return nil
	}
	o := &Offer{Must: policy == "!"}
	var files [3]*os.File
	for i, name := range [...]string{ControlFD, ReadFD, WriteFD} {
		if files[i] = descriptor(env, name); files[i] == nil {
			if o.Must {
				return o
			}
			return nil
		}
	}
	o.Control, o.In, o.Out = files[0], files[1], files[2]
	return o
}

// descriptor returns the open descriptor, none of the three usual ones, that a variable has the number of; nil: none.
func descriptor(env []string, name string) *os.File {
	text, _ := environ.Get(env, name)
	fd, err := strconv.ParseUint(text, 10, 16)
	if err != nil || fd < 3 {
		return nil
	}
	var st syscall.Stat_t
	if syscall.Fstat(int(fd), &st) != nil {
		return nil
	}
	syscall.CloseOnExec(int(fd))
	return proc.FD(int(fd), name)
}

// ErrNone says that TLS cannot be had.
var ErrNone = errors.New("nobody does TLS for this server")

// Begin has TLS put over the connection that d is on, which then goes on with it. What came before and was not read is
// for TLS. After an error nothing more can be said there.
func (o *Offer) Begin(d *sys.Dialogue) (Description, error) {
	if o.Control == nil {
		return Description{}, ErrNone
	}
	c := sys.NewDialogue(o.Control, o.Control)
	c.Timeout(Patience)
	c.Within(time.Now().Add(Patience))
	if _, err := c.Write([]byte{BeginTell}); err != nil {
		return Description{}, err
	}
	t, err := ReadDescription(c)
	c.Timeout(0)
	d.Turn(o.In, o.Out)
	return t, err
}

// Without returns an environment without what the convention has in it, for what may not know of the connection.
func Without(env []string) []string { return environ.Without(env, Policy, ControlFD, ReadFD, WriteFD) }
