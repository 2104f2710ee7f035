package rspawn

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/spawn"
	"qmail/internal/sys"
	"qmail/internal/text/dsn"
	"qmail/internal/text/environ"
	"qmail/internal/text/exit"
	"qmail/internal/text/report"
	"qmail/internal/text/rfc822"
)

const (
	signerProgram = "qmail-dksign"
	// maxSignatures is the most bytes of the signatures of a message.
	maxSignatures = 16 << 10
	// signedAge is how long signatures are remembered, and maxSigned of how many messages.
	signedAge = 10 * time.Minute
	maxSigned = 500
	unsigned  = "dkimunsigned"
)

// A signer has messages signed, each once for all its deliveries.
type signer struct {
	mu    sync.Mutex
	known map[identity]*signing
	rules identity // of the control file by which they were made
}

// An identity is what a file looks like: another file differs in it, and so does one that was written to.
type identity struct {
	ino   uint64
	size  int64
	mtime int64
}

func identify(fi os.FileInfo) identity {
	_, ino := sys.Inode(fi)
	return identity{ino, fi.Size(), fi.ModTime().UnixNano()}
}

// A signing is that of one message. Its results are there when done is closed.
type signing struct {
	begun  time.Time
	done   chan struct{}
	fields []byte
	err    *report.Report
}

// signatures returns the fields that go on top of a message; an error is a deferral. Of deliveries that ask at once
// one does the work.
func (r *Deliverer) signatures(message *os.File) ([]byte, *report.Report) {
	fi, err := message.Stat()
	if err != nil {
		return nil, report.Defer("4.3.0", "Unable to look at the message.")
	}
	s, mine := r.signer.begin(identify(fi), r.choice.control, time.Now())
	if mine {
		s.fields, s.err = r.sign(message)
		if s.err != nil {
			r.signer.forget(identify(fi), s)
		}
		close(s.done)
	}
	<-s.done
	return s.fields, s.err
}

// begin returns the signing of a message, and whether the caller is to do it.
func (s *signer) begin(id identity, d control.Dir, now time.Time) (x *signing, mine bool) {
	var rules identity
	if fi, err := os.Stat(filepath.Join(string(d), control.Signing)); err == nil {
		rules = identify(fi)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || s.rules != rules {
		s.known, s.rules = make(map[identity]*signing), rules
	}
	if x = s.known[id]; x != nil && now.Sub(x.begun) < signedAge {
		return x, false
	}
	if len(s.known) >= maxSigned {
		for id, old := range s.known {
			if now.Sub(old.begun) >= signedAge {
				delete(s.known, id)
			}
		}
		for id := range s.known {
			if len(s.known) < maxSigned {
				break
			}
			delete(s.known, id)
		}
	}
	x = &signing{begun: now, done: make(chan struct{})}
	s.known[id] = x
	return x, true
}

// forget has the next delivery try again.
func (s *signer) forget(id identity, x *signing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[id] == x {
		delete(s.known, id)
	}
}

// sign runs qmail-dksign. Nothing that it does is a failure.
func (r *Deliverer) sign(message *os.File) ([]byte, *report.Report) {
	o, err := r.runner.Run(spawn.Job{
		Name: signerProgram, Arg0: signerProgram, Message: message, Keep: maxSignatures, Extra: r.holder.Admit,
	})
	why := ""
	switch {
	case err != nil:
		why = report.Of(err).Text
	case o.Crashed:
		why = signerProgram + " crashed."
	case o.Code == exit.Temp && len(o.Output) > 0:
		why = string(bytes.TrimRight(o.Output, "\n"))
	case o.Code != exit.OK:
		why = "unable to run " + signerProgram + "."
	case o.Cut || !rfc822.AreSignatures(o.Output):
		why = signerProgram + " produced no usable signature."
	default:
		return o.Output, nil
	}
	if n, err := r.choice.control.Int(unsigned); err == nil && n > 0 {
		return nil, nil
	}
	return nil, report.Defer("4.7.0", "Unable to sign the message: "+why)
}

// environment returns what hands signatures, and what the sender asks for, to the program that sends.
func environment(signatures []byte, asked string) (env []string) {
	if len(signatures) > 0 {
		env = environ.With(env, rfc822.SignatureVariable+"="+string(signatures))
	}
	if asked != "" {
		env = environ.With(env, dsn.Variable+"="+asked)
	}
	return env
}
