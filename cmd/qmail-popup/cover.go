package main

import (
	"os"

	"qmail/internal/pop3"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/tls/ucspi"
)

// A cover is the TLS that whoever started this program does for it.
type cover struct {
	on    bool // from the start
	offer *ucspi.Offer
	begun bool // by the offer
}

func coverOf(env []string) *cover {
	c := new(cover)
	if _, c.on = ucspi.Described(env); !c.on {
		c.offer = ucspi.Offered(env)
	}
	return c
}

// The words by which the one that talks is told of a cover.
const (
	covered   = "on"
	required  = "must"  // and can be had
	wanting   = "never" // is required and cannot be had
	optional  = "may"
	uncovered = "none"
)

func (c *cover) word() string {
	switch {
	case c.on:
		return covered
	case c.offer == nil:
		return uncovered
	case c.offer.Control == nil:
		return wanting
	case c.offer.Must:
		return required
	}
	return optional
}

// coverFor is the cover of the one that talks.
func coverFor(word string) *cover {
	c := &cover{on: word == covered}
	if word == uncovered || c.on {
		return c
	}
	c.offer = &ucspi.Offer{Must: word != optional}
	if word != wanting {
		c.offer.Control, c.offer.In, c.offer.Out = proc.FD(4, "control"), proc.FD(5, "client"), proc.FD(6, "client")
	}
	return c
}

// files are the descriptors of the one that talks.
func (c *cover) files() []*os.File {
	if c.offer == nil || c.offer.Control == nil {
		return nil
	}
	return []*os.File{c.offer.Control, c.offer.In, c.offer.Out}
}

// tls is what a session can have.
func (c *cover) tls() pop3.TLS {
	t := pop3.TLS{On: c.on}
	if c.offer == nil {
		return t
	}
	t.Must = c.offer.Must
	if c.offer.Control != nil {
		t.Begin = func(d *sys.Dialogue) error {
			_, err := c.offer.Begin(d)
			c.begun = err == nil
			return err
		}
	}
	return t
}
