package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"

	"qmail/internal/local/maildir"
	"qmail/internal/local/mbox"
	"qmail/internal/sys"
)

// A trouble is what could not be done, and why.
type trouble struct {
	what string
	err  error
}

// join puts a copy of the mbox, with the messages behind it, in the place of the mbox. When it returns nil the new
// mbox and its name are on disk, so that the messages may go.
func join(box, tmp string, list []maildir.Entry) *trouble {
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return &trouble{"unable to create " + tmp, err}
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 64<<10)
	if err := copyBox(w, box); err != nil {
		return &trouble{"unable to copy " + box + " to " + tmp, err}
	}
	for _, e := range list {
		if err := add(w, e); err != nil {
			return &trouble{"unable to copy " + e.Path + " to " + tmp, err}
		}
	}
	err = w.Flush()
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return &trouble{"unable to write to " + tmp, err}
	}
	if err = os.Rename(tmp, box); err == nil {
		err = sys.SyncDir(filepath.Dir(box))
	}
	if err != nil {
		return &trouble{"unable to move " + tmp + " to " + box, err}
	}
	return nil
}

func copyBox(w *bufio.Writer, box string) error {
	old, err := os.Open(box)
	if err != nil {
		return err
	}
	defer old.Close()
	_, err = io.Copy(w, old)
	return err
}

// add writes one message as it stands in an mbox. The sender is what its first line, Return-Path, says.
func add(w *bufio.Writer, e maildir.Entry) error {
	f, err := os.Open(e.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 4096)
	first, err := in.ReadSlice('\n')
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return err
	}
	sender := "XXX"
	if path, ok := strings.CutPrefix(string(first), "Return-Path: <"); ok {
		sender = strings.TrimSuffix(strings.TrimSuffix(path, "\n"), ">")
	}
	w.WriteString(mbox.FromLine(sender, e.Time))
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return mbox.Copy(w, f)
}
