// Package front is TLS in front of a server that knows none: what the client says in TLS goes to the server in the
// clear, over descriptors that nobody else has, and the answers go back.
package front

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"time"

	"qmail/conf"
	"qmail/internal/sys"
	"qmail/internal/sys/inet"
	"qmail/internal/sys/sandbox"
	"qmail/internal/tls/keyproto"
	"qmail/internal/tls/keys"
	"qmail/internal/tls/server"
	"qmail/internal/tls/ucspi"
)

const (
	// maxHandshake is after how long no read of a handshake begins, and how long one of them or a write may take.
	maxHandshake = 30 * time.Second
	// forever is how long a read or a write may wait where Relay sees to the time.
	forever = 30 * 24 * time.Hour
)

// A Client is the connection of one client. It may be one socket twice.
type Client struct {
	In, Out *os.File
	conn    *server.Conn
}

// Shake does the handshake, with a qmail-key that is started now and ends with this process, which gives up all files
// but the certificates before it reads anything. This process is the client's alone.
func (c *Client) Shake() (d ucspi.Description, err error) {
	k, err := keys.Open(false)
	if err != nil {
		return d, err
	}
	if _, err = k.Certificate("", keyproto.Server); err != nil {
		return d, err
	}
	if err = sandbox.Enter(sandbox.Rights{Read: []string{filepath.Join(conf.Home(), "control")}}); err != nil {
		return d, err
	}
	return c.shake(server.Config(k), maxHandshake)
}

func (c *Client) shake(config *tls.Config, within time.Duration) (d ucspi.Description, err error) {
	inet.NoDelay(c.Out)
	below := sys.NewDialogue(c.In, c.Out)
	below.Timeout(within)
	if c.conn, err = server.Handshake(below, config, within); err != nil {
		return d, err
	}
	below.Timeout(forever)
	state := c.conn.ConnectionState()
	d.Protocol, d.Cipher = "TLSv1.3", tls.CipherSuiteName(state.CipherSuite)
	if state.Version == tls.VersionTLS12 {
		d.Protocol = "TLSv1.2"
	}
	return d, nil
}

// HangUp ends the connection without a goodbye, for everybody who has it open.
func (c *Client) HangUp() {
	inet.Shutdown(c.In)
	inet.Shutdown(c.Out)
}
