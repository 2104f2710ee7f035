package main

import (
	"qmail/internal/smtp/smtpd"
	"qmail/internal/sys"
	"qmail/internal/text/environ"
	"qmail/internal/tls/ucspi"
)

// equip gives a session the TLS that whoever started this program does for it; a worker's parent does none.
func equip(worker bool, s *smtpd.Server) {
	if worker {
		return
	}
	if d, on := ucspi.Described(s.Env); on {
		s.StartTLS = func() (smtpd.Handshake, error) {
			return func(plain *sys.Dialogue) (smtpd.Channel, error) { return channel{plain, d}, nil }, nil
		}
		s.Env = environ.With(s.Env, "SMTPS=")
	} else if o := ucspi.Offered(s.Env); o != nil {
		s.StartTLS = func() (smtpd.Handshake, error) {
			if o.Control == nil {
				return nil, ucspi.ErrNone
			}
			return func(plain *sys.Dialogue) (smtpd.Channel, error) {
				d, err := o.Begin(plain)
				return channel{plain, d}, err
			}, nil
		}
		if o.Must {
			s.Env = environ.With(s.Env, "FORCETLS=")
		}
	}
}

// A channel is a connection whose TLS another program does.
type channel struct {
	*sys.Dialogue
	ucspi.Description
}

func (channel) MayRelay() (bool, error) { return false, nil }

// End does nothing: the other program tells the client when this one has ended.
func (channel) End() {}
