// Package holder starts qmail-key, and keeps one for all the workers of a parent: each gets a socket of its own.
package holder

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"qmail/conf"
	"qmail/internal/sys"
	"qmail/internal/sys/priv"
	"qmail/internal/tls/keyproto"
)

// Program is where qmail-key is.
func Program() string { return filepath.Join(conf.Home(), "bin/qmail-key") }

// Start starts qmail-key, and returns the socket by which it is asked, which does not block. It ends by itself when
// that socket is closed everywhere. As is as for a priv.Child; log is its descriptor 2, nil for nothing.
func Start(as *priv.ID, log *os.File) (*os.File, *os.Process, error) {
	here, there, err := sys.PacketPair()
	if err != nil {
		return nil, nil, err
	}
	defer there.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		here.Close()
		return nil, nil, err
	}
	defer null.Close()
	if log == nil {
		log = null
	}
	p, err := priv.Start(priv.Child{
		Path: Program(), Args: []string{"qmail-key"}, Dir: "/", Files: []*os.File{null, null, log, there}, As: as,
	})
	if err != nil {
		here.Close()
		return nil, nil, err
	}
	return here, p, nil
}

// A Holder has one qmail-key for the workers of this process. It starts it for the first of them, and again when it
// has ended.
type Holder struct {
	Log *os.File // its descriptor 2

	mu   sync.Mutex
	link *os.File
}

var errNot = errors.New("qmail-key takes no client")

// Admit returns the socket of a new client, which blocks, for a worker to inherit; nil where there is no qmail-key.
func (h *Holder) Admit() (*os.File, error) {
	if _, err := os.Stat(Program()); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for range 2 {
		if h.link == nil {
			link, p, err := Start(nil, h.Log)
			if err != nil {
				return nil, err
			}
			h.link = link
			go p.Wait()
		}
		here, there, err := sys.PacketPair()
		if err != nil {
			return nil, err
		}
		err = sys.SendPacket(h.link, []byte{byte(keyproto.Admit)}, here)
		here.Close()
		if err == nil {
			return there, nil
		}
		there.Close()
		if err == sys.ErrBusy {
			return nil, err
		}
		h.link.Close()
		h.link = nil
	}
	return nil, errNot
}

// Close parts with the qmail-key, which ends with its last client.
func (h *Holder) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.link != nil {
		h.link.Close()
		h.link = nil
	}
}
