// Package mailboxes is users/recipients.cdb: what decides, on this machine, whether an address has a mailbox.
// Qmail-newrcpt writes it as root; who reads it says no only to an address of which everything is certain.
package mailboxes

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"qmail/conf"
	"qmail/internal/site/users"
	"qmail/internal/sys"
	"qmail/internal/text/ascii"
	"qmail/internal/text/cdb"
	"qmail/internal/text/dotqmail"
)

// The keys of the records, and what their values say.
const (
	keyMark    = "qmail-newrcpt" // that it is such a file
	keySources = "sources"       // path, stamp, path, stamp and so on, each with a NUL behind it
	keyElse    = "else"          // there may be accounts that /etc/passwd does not have
	keyAlias   = "alias"         // the home of the alias account
	keyLocal   = "l"             // with a domain: it is one of control/locals
	keyPercent = "p"             // with a domain: it is one of control/percenthack
	keyVirtual = "v"             // with the key of a line of control/virtualdomains: what is prepended
	keyAccount = "a"             // with a name: uid, a blank, the home
	keyHome    = "h"             // with a home: whose it is, a blank, its stamp; not there where that is not certain
	keyFile    = "f"             // with a home, a NUL and the name of a .qmail file: that is there
)

// maxName is the longest name of an account that qmail-getpw looks up.
const maxName = 32

// firstPerson is the lowest uid that is a person's, whose home may only be away for a while.
const firstPerson = 1000

// File returns the path of users/recipients.cdb below a qmail home.
func File(home string) string { return filepath.Join(home, users.Folder, "recipients.cdb") }

// A Stamp says whether a file or a folder is still what it was: when it was changed, and its size. The empty one is
// none.
type Stamp string

// absent is the stamp of what is not there.
const absent Stamp = "-"

// settled is after how long another change has another time, and coarse that where the time has no part of a second.
const settled, coarse = 100 * time.Millisecond, 3 * time.Second

// StampOf returns the stamp of path. settled is false where that was changed so lately that one more change might leave
// the stamp as it is.
func StampOf(path string, now time.Time) (s Stamp, isSettled bool) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, true
	}
	if err != nil {
		return "", false
	}
	size := fi.Size()
	if fi.IsDir() {
		size = 0
	}
	wait := settled
	if fi.ModTime().Nanosecond() == 0 {
		wait = coarse
	}
	stamp := strconv.FormatInt(fi.ModTime().UnixNano(), 36) + "." + strconv.FormatInt(size, 36)
	return Stamp(stamp), now.Sub(fi.ModTime()) > wait
}

// A Book is such a file, open. It is for one session.
type Book struct {
	db    *cdb.Reader
	f     *os.File
	home  string // of qmail
	fresh int8   // the sources: 0 not looked at, 1 as they were, -1 not
}

// Open opens the file below a qmail home at path; ok is false where it is another kind of cdb.
func Open(home, path string) (b *Book, ok bool, err error) {
	db, f, err := cdb.Open(path)
	if err != nil {
		return nil, false, err
	}
	b = &Book{db: db, f: f, home: home}
	if _, ok, err = db.Find([]byte(keyMark)); err != nil {
		f.Close()
		return nil, false, err
	}
	return b, ok, nil
}

// Close closes the file.
func (b *Book) Close() { b.f.Close() }

// Find looks a key up, in whatever cdb it is.
func (b *Book) Find(key string) (value string, ok bool, err error) {
	v, ok, err := b.db.Find([]byte(key))
	return string(v), ok, err
}

// Lists looks an address up in a cdb whose keys are those of fastforward: a colon, and an address or @domain. One with
// an extension is there where the one without is. The domain is in lower case.
func (b *Book) Lists(local, domain string) (bool, error) {
	local = ascii.LowerString(local)
	for end := len(local); end > 0; end = strings.LastIndexByte(local[:end], conf.Break()) {
		if _, ok, err := b.Find(":" + local[:end] + "@" + domain); ok || err != nil {
			return ok, err
		}
	}
	_, ok, err := b.Find(":@" + domain)
	return ok, err
}

// Lacks reports whether there is certainly no mailbox for an address: whether a message to it would bounce. An error is
// the file's.
func (b *Book) Lacks(address string) (bool, error) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 {
		return false, nil
	}
	local, ours, err := b.route(address, ascii.LowerString(address[at+1:]))
	if !ours || err != nil {
		return false, err
	}
	u, known, err := b.find(local)
	if !known || err != nil || u.UID == 0 || u.Dash == "" {
		return false, err
	}
	for name := range dotqmail.Names(u.Dash, u.Ext) {
		name, _, _ = strings.Cut(name, "/") // which leads into a folder
		if _, ok, err := b.Find(keyFile + u.Home + "\x00" + name); ok || err != nil {
			return false, err
		}
	}
	record, _, err := b.Find(keyHome + u.Home)
	_, stamp, _ := strings.Cut(record, " ")
	if err != nil || stamp == "" {
		return false, err
	}
	if now, _ := StampOf(u.Home, time.Time{}); now != Stamp(stamp) || now == absent {
		return false, nil
	}
	return b.current()
}

// route returns the local address for one, as qmail-send does; ours is false where that is another host's, or not
// certain.
func (b *Book) route(address, domain string) (local string, ours bool, err error) {
	if _, ok, err := b.Find(keyPercent + domain); ok || err != nil {
		return "", false, err
	}
	whole := address[:len(address)-len(domain)-1]
	if _, ok, err := b.Find(keyLocal + domain); ok || err != nil {
		return whole, true, err
	}
	user, ok, err := b.Find(keyVirtual + ascii.LowerString(address))
	for i := 0; !ok && err == nil && i <= len(domain); i++ {
		if i == 0 || i == len(domain) || domain[i] == '.' {
			user, ok, err = b.Find(keyVirtual + domain[i:])
		}
	}
	return user + "-" + whole, ok && user != "", err
}

// find returns who gets a local address, as qmail-lspawn and qmail-getpw do; known is false where that is not certain.
func (b *Book) find(local string) (u users.User, known bool, err error) {
	u, ok, err := users.Lookup(users.File(b.home), local)
	if ok || err != nil {
		return u, ok, nil
	}
	_, more, err := b.Find(keyElse)
	if err != nil {
		return u, false, err
	}
	for end := len(local); end > 0; end = strings.LastIndexByte(local[:end], conf.Break()) {
		if end > maxName {
			continue
		}
		value, ok, err := b.Find(keyAccount + ascii.LowerString(local[:end]))
		if err != nil || !ok && more {
			return u, false, err
		}
		number, home, both := strings.Cut(value, " ")
		uid, e := strconv.Atoi(number)
		if !ok || !both || e != nil || uid == 0 {
			continue
		}
		record, _, err := b.Find(keyHome + home)
		was, _, _ := strings.Cut(record, " ")
		if err != nil || was == "" || was != ownerOf(home) { // root and we must see the same
			return u, false, err
		}
		if was == nobody && uid >= firstPerson && strings.LastIndexByte(home, '/') > 0 {
			return u, false, nil
		}
		if was != number {
			continue
		}
		u = users.User{UID: uid, Home: home}
		if end < len(local) {
			u.Dash, u.Ext = "-", local[end+1:]
		}
		return u, true, nil
	}
	home, ok, err := b.Find(keyAlias)
	return users.User{UID: -1, Home: home, Dash: "-", Ext: local}, ok, err
}

// nobody owns a home that is not there.
const nobody = "-"

// ownerOf returns whose a home is, as in the record; empty where that cannot be seen.
func ownerOf(home string) string {
	fi, err := os.Stat(home)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nobody
		}
		return ""
	}
	uid, _ := sys.Owner(fi)
	return strconv.Itoa(uid)
}

// current reports whether what the file was made of is as it was.
func (b *Book) current() (bool, error) {
	if b.fresh != 0 {
		return b.fresh > 0, nil
	}
	list, ok, err := b.Find(keySources)
	if err != nil {
		return false, err
	}
	words := strings.Split(list, "\x00")
	same := ok && len(words)%2 == 1
	for i := 0; same && i+1 < len(words); i += 2 {
		now, _ := StampOf(words[i], time.Time{})
		same = now == Stamp(words[i+1]) && now != ""
	}
	b.fresh = -1
	if same {
		b.fresh = 1
	}
	return same, nil
}
