// Package authd answers the sessions that have somebody log in: Dovecot's authentication protocol in front,
// users/auth.cdb and the programs of package check behind it, and between them what slows guessing down. See
// qmail-authd(8).
package authd

import (
	"os"
	"sync/atomic"
	"time"

	"qmail/internal/auth/authproto"
	"qmail/internal/auth/check"
	"qmail/internal/auth/guess"
	"qmail/internal/auth/sasl"
	"qmail/internal/auth/scram"
	"qmail/internal/sys"
)

const (
	// maxConnections bounds the sessions that are connected, which are as many as there are workers that let users log in.
	maxConnections = 1024
	// maxExchanges bounds those of a connection that have not ended. A session has one, and those that it gave up.
	maxExchanges = 8
	// maxRequests bounds what a connection may ask.
	maxRequests = 1 << 20
	// exchangeTime is how long an exchange may take, with the time that a person takes to type a password.
	exchangeTime = 10 * time.Minute
	// failAfter is when a failure is told: later than any check ends that finds no name, or finds one.
	failAfter = 2 * time.Second
)

// A Server is what the connections share.
type Server struct {
	Keys func(name string) (user string, k scram.Key, known bool, err error)
	// Have reports whether there is a database for Keys. It may come and go.
	Have    func() bool
	Check   *check.Client // nil: no programs
	Checked bool          // there is a program for passwords
	Tokens  bool          // there is a program for tokens
	Peers   []int         // the uids that may ask, where the system tells who does
	Pid     int
	Say     func(address string, pid int, text, user string) // a line of the log

	book    guess.Book
	open    atomic.Int32
	counted atomic.Uint32
}

// mechanisms are what a client may use now. SCRAM is for those who are in the database: where a program knows others, a
// client that chose it for one of those would never get in.
func (s *Server) mechanisms() []authproto.Mechanism {
	list := []authproto.Mechanism{{Name: sasl.Plain, Plaintext: true}, {Name: sasl.Login, Plaintext: true}}
	if s.scram() {
		list = append(list, authproto.Mechanism{Name: scram.Plain}, authproto.Mechanism{Name: scram.Plus})
	}
	if s.Tokens {
		list = append(list, authproto.Mechanism{Name: sasl.OAuthBearer, Plaintext: true},
			authproto.Mechanism{Name: sasl.XOAuth2, Plaintext: true})
	}
	return list
}

func (s *Server) scram() bool { return !s.Checked && s.Have() }

// Serve accepts connections until there are no more to come.
func (s *Server) Serve(l *sys.Listener) error {
	for {
		f, _, err := l.Accept()
		if err != nil {
			if sys.Passing(err) {
				continue
			}
			return err
		}
		if s.open.Add(1) > maxConnections || !s.admits(f) {
			s.open.Add(-1)
			f.Close()
			continue
		}
		go func() {
			defer s.open.Add(-1)
			if conn, err := sys.Polled(f); err == nil {
				s.converse(conn)
				conn.Close()
			}
		}()
	}
}

// admits reports whether who connected may ask. The mode of the socket says so, too, and alone where the system does
// not tell who it is.
func (s *Server) admits(f *os.File) bool {
	uid, err := sys.PeerUID(f)
	if err != nil {
		return uid == 0 && len(s.Peers) > 0 && isUnsupported(err)
	}
	for _, p := range s.Peers {
		if uid == p {
			return true
		}
	}
	return false
}
