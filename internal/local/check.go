package local

import (
	"bufio"
	"io"
	"io/fs"
	"os"

	"qmail/conf"
	"qmail/internal/text/report"
)

// at returns the path of a file that is named relative to the recipient's home.
func (d *delivery) at(name string) string {
	if name != "" && name[0] == '/' {
		return name
	}
	return d.home + "/" + name
}

// checkHome refuses a home that others may write to, whose .qmail files could be anybody's; and waits while it is
// sticky, as its owner makes it while editing them.
func (d *delivery) checkHome() error {
	fi, err := os.Stat(d.home + "/.")
	if err != nil {
		return report.Defer("4.3.0", "Unable to switch to "+d.home+": "+reason(err)+".")
	}
	if fi.Mode().Perm()&conf.Patrn() != 0 {
		return report.Defer("4.7.0", "Uh-oh: home directory is writable.")
	}
	if fi.Mode()&fs.ModeSticky == 0 {
		return nil
	}
	if d.doit {
		return report.Defer("4.2.1", "Home directory is sticky: user is editing his .qmail file.")
	}
	io.WriteString(d.Err, "Warning: home directory is sticky.\n")
	return nil
}

// checkLoop fails when the message has been delivered to this recipient before: its header has our very
// Delivered-To line, byte for byte.
func (d *delivery) checkLoop() error {
	if err := d.rewind(); err != nil {
		return err
	}
	r := bufio.NewReaderSize(d.Message, max(4096, len(d.trace)+1)) // a longer line is no match
	for {
		line, err := r.ReadSlice('\n')
		if err == nil && string(line) == d.trace {
			return report.Fail("5.4.6", "This message is looping: it already has my Delivered-To line.")
		}
		if err == nil && len(line) == 1 || err == io.EOF {
			return nil
		}
		for err == bufio.ErrBufferFull {
			_, err = r.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return unreadable(err)
		}
	}
}

func (d *delivery) rewind() error {
	if _, err := d.Message.Seek(0, io.SeekStart); err != nil {
		return report.Defer("4.3.0", "Unable to rewind message.")
	}
	return nil
}

func unreadable(err error) error {
	return report.Defer("4.3.0", "Unable to read message: "+reason(err)+".")
}
