package queue

import (
	"io"
	"strconv"
)

// Whole reports whether r holds what a file of the folder todo, info, local or remote holds: nil, ErrDamaged, or
// what went wrong when it was read. Of every other folder nothing is known.
func Whole(folder string, r io.Reader) error {
	recs := newRecords(r, 0)
	letters := "TD"
	switch folder {
	case "todo":
		if err := envelopeHead(recs); err != nil {
			return err
		}
		letters = "T"
	case "info":
		letters = "F"
	case Local.String(), Remote.String():
	default:
		return nil
	}
	for n := 0; ; n++ {
		rec, _, err := recs.next()
		switch {
		case err == io.EOF && letters == "F" && n != 1:
			return ErrDamaged
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case rec[0] != letters[0] && rec[0] != letters[len(letters)-1]:
			return ErrDamaged
		}
	}
}

// envelopeHead reads a todo file as far as its sender.
func envelopeHead(recs *records) error {
	for {
		rec, _, err := recs.next()
		switch {
		case err == io.EOF:
			return ErrDamaged
		case err != nil:
			return err
		case rec[0] == 'F':
			return nil
		case rec[0] != 'u' && rec[0] != 'p':
			return ErrDamaged
		}
		if _, err := strconv.ParseUint(string(rec[1:]), 10, 64); err != nil {
			return ErrDamaged
		}
	}
}
