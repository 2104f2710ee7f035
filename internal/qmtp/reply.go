package qmtp

import (
	"bufio"
	"io"

	"qmail/internal/text/netstring"
	"qmail/internal/text/report"
)

// maxReply is the most bytes of a reply that a client reads.
const maxReply = 16 << 10

// AppendReply appends a reply: the letter of the report and its text, as a netstring.
func AppendReply(b []byte, r *report.Report) []byte {
	return netstring.AppendString(b, string(rune(r.Kind))+r.Error())
}

// ReadReply reads a reply. Its Report has the status code in the text, as it came.
func ReadReply(r *bufio.Reader) (*report.Report, error) {
	b, err := netstring.Read(r, maxReply)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, ErrProtocol
	}
	switch k := report.Kind(b[0]); k {
	case report.Success, report.Deferral, report.Failure:
		return &report.Report{Kind: k, Text: string(b[1:])}, nil
	}
	return nil, ErrProtocol
}
