// Qmail-dksign makes the DKIM signatures of a message that leaves, by control/dkimdomains.
//
//	uid   qmailr          exec  qmail-key
//	fd 0  the message     fd 1  fields to go on top of it, or nothing; with exit 111, the reason
//	fd 3  in worker form, jobs from qmail-rspawn
//	fd 4  in worker form, a socket to qmail-key
//	exit  0, whether the message is one to sign or not; 111 if it is, and cannot be signed now
//
// It reads a file from its beginning, and leaves its offset alone.
package main

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"qmail/conf"
	"qmail/internal/mailauth/dkim"
	"qmail/internal/mailauth/dksign"
	"qmail/internal/site/control"
	"qmail/internal/sys/proc"
	"qmail/internal/sys/sandbox"
	"qmail/internal/text/ascii"
	"qmail/internal/text/exit"
	"qmail/internal/tls/keyproto"
	"qmail/internal/tls/keys"
	"qmail/internal/worker"
)

func main() {
	proc.BeginAlone()
	proc.Help("qmail-dksign: usage: qmail-dksign, started by qmail-rspawn")
	l, isWorker := worker.Offered("qmail-dksign")
	held, err := keys.Open(isWorker)
	s := &dksign.Signer{Control: control.Default(), Keys: holder{held, err}, Now: time.Now}
	if isWorker {
		if err == nil {
			sandbox.Enter(sandbox.Rights{Read: []string{filepath.Join(conf.Home(), "control")}}) // it signs all the same
		}
		proc.Exit(l.Serve(1, func(j worker.Job, out *worker.Output) worker.Answer {
			a := worker.Answer{Code: sign(s, j.Files[0], out)}
			a.Last = err != nil || held.Broken()
			return a
		}))
	}
	proc.Exit(sign(s, proc.FD(0, "message"), proc.FD(1, "fields")))
}

// sign signs one message.
func sign(s *dksign.Signer, message *os.File, out io.Writer) exit.Code {
	var r io.Reader = message
	if fi, err := message.Stat(); err == nil && fi.Mode().IsRegular() {
		r = io.NewSectionReader(message, 0, math.MaxInt64)
	}
	b, err := s.Sign(r)
	code := exit.OK
	if err != nil {
		b, code = []byte(ascii.OneLine(err.Error())+"\n"), exit.Temp
	}
	if _, err := out.Write(b); err != nil {
		return exit.Temp
	}
	return code
}

// A holder has the keys that qmail-key has.
type holder struct {
	client *keys.Client
	err    error // nil: there is a client
}

var errType = errors.New("a key for mail is of RSA or Ed25519")

// Algorithm implements dksign.Keys.
func (h holder) Algorithm(domain, selector string) (dkim.Algorithm, error) {
	if h.err != nil {
		return "", h.err
	}
	b, err := h.client.PublicKey(keyproto.DKIMName(domain, selector))
	if err != nil {
		return "", err
	}
	key, err := x509.ParsePKIXPublicKey(b)
	if err != nil {
		return "", err
	}
	switch key.(type) {
	case *rsa.PublicKey:
		return dkim.RSA, nil
	case ed25519.PublicKey:
		return dkim.Ed25519, nil
	}
	return "", errType
}

// Sign implements dksign.Keys.
func (h holder) Sign(domain, selector string, block []byte) ([]byte, error) {
	return h.client.Sign(keyproto.DKIMName(domain, selector), keyproto.DKIM, block)
}
