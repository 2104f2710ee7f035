// Package chain tells which certificates an administrator has put into control, for which names they are, and when
// they end.
package chain

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/text/ascii"
	"qmail/internal/tls/keyproto"
)

// Folder is the folder of chains below control, a file for each server name; File is one with key and chain that
// older installations have, and ClientFile is such a one for a client.
const (
	Folder     = "tlscerts"
	File       = "servercert.pem"
	ClientFile = "clientcert.pem"
)

// A Chain is what is known of one file.
type Chain struct {
	Name  string // the server's; empty: File or ClientFile
	Names []string
	Ends  time.Time // of the certificate in it that ends first
	Err   error     // it could not be read
}

var errNone = errors.New("there is no certificate in it")

// Read reads the chain in a file.
func Read(path string) (c Chain) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Chain{Err: err}
	}
	first := true
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Chain{Err: err}
		}
		if first || cert.NotAfter.Before(c.Ends) {
			c.Ends = cert.NotAfter
		}
		if first {
			c.Names = cert.DNSNames
			if len(c.Names) == 0 && cert.Subject.CommonName != "" {
				c.Names = []string{cert.Subject.CommonName}
			}
		}
		first = false
	}
	if first {
		return Chain{Err: errNone}
	}
	return c
}

// All reads all chains of Folder, by their names.
func All(dir control.Dir) []Chain {
	entries, err := os.ReadDir(filepath.Join(string(dir), Folder))
	if err != nil {
		return nil
	}
	var list []Chain
	for _, e := range entries {
		if keyproto.ValidName(e.Name()) {
			c := Read(filepath.Join(string(dir), Folder, e.Name()))
			c.Name = e.Name()
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Chain) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Default returns which name's chain a client gets that names no server, or another; empty: that of File, or none.
func Default(dir control.Dir, list []Chain) string {
	me, _, _ := dir.Line("me")
	me = ascii.LowerString(me)
	if slices.ContainsFunc(list, func(c Chain) bool { return c.Name == me }) {
		return me
	}
	if _, err := os.Stat(filepath.Join(string(dir), File)); err == nil || len(list) == 0 {
		return ""
	}
	return list[0].Name
}
