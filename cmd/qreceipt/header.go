package main

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/ascii"
	"qmail/internal/text/exit"
	"qmail/internal/text/rfc822"
)

// maxField bounds a header field that is looked at. What is longer asks for nothing.
const maxField = 1 << 20

// readHeader reports whether the header of a message asks for a notice of its delivery to target, and
// returns its Message-ID field.
func readHeader(r io.Reader, target string) (asked bool, id string) {
	in := bufio.NewReaderSize(r, 8192)
	var field []byte
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			proc.Die(exit.Temp, fatal+"read error: "+sys.Reason(err))
		}
		folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		if !folded {
			name, body, ok := rfc822.FieldName(field)
			switch {
			case !ok:
			case ascii.Equal(string(field[:name]), "notice-requested-upon-delivery-to"):
				asked = asked || names(string(field[body:]), target)
			case ascii.Equal(string(field[:name]), "message-id"):
				id = string(field)
			}
			field = field[:0]
		}
		for {
			if len(field)+len(line) <= maxField {
				field = append(field, line...)
			}
			if err != bufio.ErrBufferFull {
				break
			}
			line, err = in.ReadSlice('\n')
		}
		if _, _, ok := rfc822.FieldName(field); err != nil || !ok {
			return asked, id
		}
	}
}

// names reports whether target is in a list of addresses.
func names(list, target string) bool {
	addresses, err := rfc822.Addresses(list)
	if err != nil {
		proc.Die(exit.Perm, fatal+"unable to parse this: "+strings.TrimSuffix(list, "\n"))
	}
	return slices.Contains(addresses, target)
}
