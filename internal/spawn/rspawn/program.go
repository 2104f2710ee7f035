package rspawn

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"qmail/internal/site/control"
)

// A choice says which program sends.
type choice struct {
	control control.Dir // empty: always qmail-remote
	mu      sync.Mutex
	name    string
	signs   bool
	looked  time.Time
}

const (
	clientCertificate = "clientcert.pem"

	plain  = "qmail-remote"
	secret = "qmail-tlsremote"
	// lookAge is how long a look at the control folder is good for.
	lookAge = time.Second
)

// program returns qmail-tlsremote where one of the files exists that only it knows how to obey, and whether messages
// are signed.
func (c *choice) program(now time.Time) (name string, signs bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.looked); c.name != "" && age >= 0 && age < lookAge {
		return c.name, c.signs
	}
	c.name, c.signs, c.looked = plain, false, now
	if c.control == "" {
		return c.name, false
	}
	c.signs = c.control.Signs()
	for _, f := range [...]string{"tlsroutes", "authsenders", clientCertificate} {
		// What cannot be looked at may be there.
		if _, err := os.Lstat(filepath.Join(string(c.control), f)); !os.IsNotExist(err) {
			c.name = secret
			break
		}
	}
	return c.name, c.signs
}

// certificate reports whether there is one to be shown to hosts that ask for it.
func (c *choice) certificate() bool {
	_, err := os.Lstat(filepath.Join(string(c.control), clientCertificate))
	return c.control != "" && err == nil
}
