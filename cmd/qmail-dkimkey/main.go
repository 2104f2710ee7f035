// Qmail-dkimkey makes a key for signatures of mail, and prints the DNS record that it needs; see qmail-dkimkey(8).
//
//	uid    root
//	usage  qmail-dkimkey [ -e ] [ -b BITS ] DOMAIN SELECTOR
//	       a key of RSA, with -e of Ed25519; a key that is there stays, and its record is printed again
//	fd 1   the record, as in the file of a zone; comments say what to do next
//	exit   0; 100 for a wrong usage, or a key of another type; 111 where it could not be put there
package main

import (
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"os"
	"strconv"

	"qmail/conf"
	"qmail/internal/site/hier"
	"qmail/internal/sys/passwd"
	"qmail/internal/sys/proc"
	"qmail/internal/text/ascii"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
	"qmail/internal/tls/keyproto"
)

// Sizes of RSA keys: RFC 8301, section 3.2.
const (
	usualBits = 2048
	minBits   = 1024
	maxBits   = 4096
)

func main() {
	proc.Begin()
	k := kind{bits: usualBits}
	o := getopt.New("qmail-dkimkey", os.Args[1:], "eb:")
	for o.Next() {
		switch o.Letter {
		case 'e':
			k.ed25519 = true
		case 'b':
			k.bits, _ = strconv.Atoi(o.Value)
		}
	}
	args := o.Rest()
	if o.Mistake != "" || len(args) != 2 || k.bits < minBits || k.bits > maxBits || k.bits%8 != 0 {
		proc.Die(exit.Perm, "qmail-dkimkey: usage: qmail-dkimkey [ -e ] [ -b bits ] domain selector")
	}
	domain, selector := ascii.LowerString(args[0]), ascii.LowerString(args[1])
	if !keyproto.ValidName(domain) || !keyproto.ValidName(selector) {
		proc.Die(exit.Perm, "qmail-dkimkey: fatal: names have letters, digits, hyphens and dots")
	}
	owner, err := passwd.Lookup(conf.UserNames().Key)
	if errors.Is(err, passwd.ErrUnknown) {
		proc.Die(exit.Temp, "qmail-dkimkey: fatal: "+hier.KeysOff())
	}
	if err != nil {
		proc.Die(exit.Temp, "qmail-dkimkey: fatal: "+err.Error())
	}
	key, made, err := install(domain, selector, k, owner)
	if err != nil {
		proc.Die(exit.Temp, "qmail-dkimkey: fatal: "+err.Error())
	}
	if _, is := key.(ed25519.PrivateKey); is != k.ed25519 && k.ed25519 {
		proc.Die(exit.Perm, "qmail-dkimkey: fatal: there is a key of RSA already by this selector")
	}
	if bits, is := key.(*rsa.PrivateKey); is && bits.N.BitLen() < minBits {
		proc.Die(exit.Perm, "qmail-dkimkey: fatal: the key that is there is too short to count")
	}
	text, err := record(domain, selector, key, made)
	if err != nil {
		proc.Die(exit.Perm, "qmail-dkimkey: fatal: "+err.Error())
	}
	os.Stdout.WriteString(text)
	proc.Exit(exit.OK)
}
