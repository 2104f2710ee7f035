package main

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"qmail/internal/sys"
	"qmail/internal/tls/keyproto"
	"qmail/internal/tls/keyring"
)

// maxClients is how many clients there may be at a time; one more is hung up on.
const maxClients = 4096

// A server answers its clients, each by a goroutine of its own.
type server struct {
	ring    *keyring.Ring
	kinds   string // that the caller may have
	clients sync.WaitGroup
	present atomic.Int32
}

// serve answers what comes by one socket until that is closed, or somebody sends there what is no request. The socket
// of a parent may bring clients.
func (s *server) serve(conn *os.File, parent bool) {
	defer conn.Close()
	most := 0
	if parent {
		most = 1
	}
	request := make([]byte, keyproto.MaxRequest+1)
	for {
		n, files, err := sys.ReceivePacket(conn, request, most)
		if err != nil {
			return
		}
		if len(files) == 1 {
			if n != 1 || request[0] != byte(keyproto.Admit) {
				files[0].Close()
				return
			}
			s.admit(files[0])
			continue
		}
		q, err := keyproto.ParseRequest(request[:n])
		if err != nil {
			return
		}
		b, ok := s.answer(q).Append(nil)
		clear(request[:n])
		if !ok || sys.SendPacket(conn, b) != nil {
			return
		}
	}
}

// answer answers a request that the caller may make.
func (s *server) answer(q keyproto.Request) keyproto.Answer {
	if strings.IndexByte(s.kinds, byte(q.Kind)) < 0 {
		return keyproto.Answer{Status: keyproto.Refused, Reason: "not for this user"}
	}
	return s.ring.Answer(q)
}

// admit takes a client, whose socket must be one of packets.
func (s *server) admit(f *os.File) {
	if s.present.Load() >= maxClients || !sys.IsPacketSocket(int(f.Fd())) {
		f.Close()
		return
	}
	conn, err := sys.Polled(f)
	if err != nil {
		return
	}
	s.present.Add(1)
	s.clients.Go(func() {
		s.serve(conn, false)
		s.present.Add(-1)
	})
}
