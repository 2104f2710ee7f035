package keys

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/tls/keyproto"
)

// maxKnown is how many certificates are remembered.
const maxKnown = 100

// A certificate is what was the answer to a question, good for as long as the files look as they did.
type certificate struct {
	*tls.Certificate
	files []string
	looks string
}

// Folders and files below control; keyring has the same ones.
const (
	chains     = "tlscerts"       // the chain of a server name, a file each
	serverFile = "servercert.pem" // key and chain in one file, as netqmail has it
	clientFile = "clientcert.pem" // the same, for a client
)

// Certificate returns the certificate of a server name; that of the empty name is the default. ErrNone says that there
// is none. One that was renewed is returned from then on; otherwise qmail-key is not asked.
func (c *Client) Certificate(name string, kind keyproto.Kind) (*tls.Certificate, error) {
	q := question{name, kind}
	files := c.files(q)
	if name != "" && !c.Has(name) {
		return nil, fmt.Errorf("%w: %s", ErrNone, name)
	}
	c.mu.Lock()
	known := c.known[q]
	c.mu.Unlock()
	if known != nil && look(known.files) == known.looks {
		return known.Certificate, nil
	}
	for {
		looks := look(files)
		parts, err := c.ask(keyproto.Request{Op: keyproto.Chain, Kind: kind, Name: name})
		if err != nil {
			return nil, err
		}
		if len(parts) < 2 {
			return nil, fmt.Errorf("%w: no chain", ErrTrouble)
		}
		if from := filepath.Join(conf.Home(), string(parts[0])); !slices.Contains(files, from) && len(files) < 5 {
			files = append(files, from) // which may have changed before it was looked at
			continue
		}
		cert, err := c.newCertificate(q, parts[1:])
		if err != nil {
			return nil, err
		}
		c.remember(q, &certificate{cert, files, looks})
		return cert, nil
	}
}

func (c *Client) remember(q question, cert *certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxKnown {
		clear(c.known)
	}
	c.known[q] = cert
}

// Has reports whether a server name has a certificate of its own.
func (c *Client) Has(name string) bool {
	if !keyproto.ValidName(name) {
		return false
	}
	_, err := os.Stat(filepath.Join(string(c.dir), chains, name))
	return err == nil
}

// Configured reports whether there is any certificate for a kind. It asks nobody.
func Configured(dir control.Dir, kind keyproto.Kind) bool {
	if kind == keyproto.Client {
		_, err := os.Stat(filepath.Join(string(dir), clientFile))
		return err == nil
	}
	if _, err := os.Stat(filepath.Join(string(dir), serverFile)); err == nil {
		return true
	}
	names, _ := os.ReadDir(filepath.Join(string(dir), chains))
	return slices.ContainsFunc(names, func(e os.DirEntry) bool { return keyproto.ValidName(e.Name()) })
}

// files returns what says which certificate is the answer. The file that it is in comes besides.
func (c *Client) files(q question) []string {
	names := []string{chains + "/" + q.name}
	switch {
	case q.name != "":
	case q.kind == keyproto.Client:
		names = []string{clientFile}
	default:
		names = []string{chains, serverFile, "me"}
	}
	for i, n := range names {
		names[i] = filepath.Join(string(c.dir), n)
	}
	return names
}

// look returns what files look like: it differs when one was replaced or written to.
func look(files []string) string {
	var b strings.Builder
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil {
			_, ino := sys.Inode(fi)
			fmt.Fprintln(&b, fi.ModTime().UnixNano(), fi.Size(), fi.Mode(), ino)
		} else {
			fmt.Fprintln(&b, "none")
		}
	}
	return b.String()
}
