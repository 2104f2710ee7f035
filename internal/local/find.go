package local

import (
	"errors"
	"io"
	"os"
	"syscall"

	"qmail/conf"
	"qmail/internal/sys"
	"qmail/internal/text/dotqmail"
	"qmail/internal/text/environ"
	"qmail/internal/text/report"
)

// maxText is the largest .qmail file that is followed.
const maxText = 16 << 20

func reason(err error) string { return sys.Reason(err) }

// findInstructions returns the text of the recipient's .qmail file, and whether it may only forward. Where there is
// none, or an empty one, it is the standard delivery.
func (d *delivery) findInstructions() (text []byte, forwardOnly bool, err error) {
	f, forwardOnly, err := d.open()
	if err != nil {
		return nil, false, err
	}
	if f != nil {
		text, err = io.ReadAll(io.LimitReader(f, maxText+1))
		name := f.Name()
		f.Close()
		if err != nil {
			return nil, false, unopened(name, err)
		}
		if len(text) > maxText {
			return nil, false, report.Defer("4.3.0", "Uh-oh: .qmail file is too long.")
		}
	} else if d.dash != "" {
		return nil, false, report.Fail("5.1.1", "No such address.")
	}
	if len(text) == 0 {
		return []byte(d.standard), false, nil
	}
	return text, forwardOnly, nil
}

// open opens the first .qmail file that is there, and sets $DEFAULT; nil means that there is none.
func (d *delivery) open() (f *os.File, forwardOnly bool, err error) {
	for name, rest := range dotqmail.Names(d.dash, d.ext) {
		f, forwardOnly, err = openOne(d.at(name), name)
		if err != nil {
			return nil, false, err
		}
		if f == nil {
			continue
		}
		if rest >= 0 {
			d.env = environ.With(d.env, "DEFAULT="+d.ext[rest:])
		}
		return f, forwardOnly, nil
	}
	return nil, false, nil
}

// openOne opens a .qmail file; nil means that it is not there. Its execute bit means that
// it may only forward.
func openOne(path, name string) (f *os.File, forwardOnly bool, err error) {
	f, err = sys.OpenNow(path, os.O_RDONLY)
	if err != nil {
		if missing(err) {
			return nil, false, nil
		}
		return nil, false, unopened(name, err)
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, false, unopened(name, err)
	}
	if !fi.Mode().IsRegular() {
		f.Close()
		return nil, false, nil
	}
	if fi.Mode().Perm()&conf.Patrn() != 0 {
		f.Close()
		return nil, false, report.Defer("4.7.0", "Uh-oh: .qmail file is writable.")
	}
	return f, fi.Mode().Perm()&0o100 != 0, nil
}

// findOwner finds out who gets the bounces of forwarded copies: the owner of a mailing list if this
// is one, else the sender. A bounce itself never gets another sender.
func (d *delivery) findOwner() error {
	d.newSender = d.sender
	if d.sender != "" && d.sender != "#@[]" {
		owner, each := dotqmail.Owner(d.dash, d.ext)
		there, err := d.exists(owner)
		if err != nil {
			return err
		}
		if there {
			d.newSender = d.local + "-owner@" + d.host
			if there, err = d.exists(each); err != nil {
				return err
			}
		}
		if there {
			d.newSender = d.local + "-owner-@" + d.host + "-@[]"
		}
	}
	d.env = environ.With(d.env, "NEWSENDER="+d.newSender)
	return nil
}

func (d *delivery) exists(name string) (bool, error) {
	_, err := os.Stat(d.at(name))
	if err == nil || missing(err) {
		return err == nil, nil
	}
	return false, unopened(name, err)
}

// missing reports whether err says that there can be no such file. All other errors may pass.
func missing(err error) bool {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return false
	}
	switch no {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ENXIO, syscall.ELOOP:
		return true
	}
	return false
}

func unopened(name string, err error) error {
	return report.Defer("4.3.0", "Unable to open "+name+": "+reason(err)+".")
}
