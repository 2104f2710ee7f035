package metrics

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"time"

	"qmail/internal/sys"
	"qmail/internal/text/ascii"
	"qmail/internal/text/crlf"
)

const (
	// maxLine, maxFields and maxRequest bound what a client says and how long that takes.
	maxLine, maxFields = 4096, 100
	maxRequest         = 10 * time.Second
	contentType        = "text/plain; version=0.0.4; charset=utf-8"
)

// A request is what counts of one.
type request struct {
	status string // of the reply; empty: that is found out later
	head   bool   // only the header of the reply is wanted
}

// readRequest reads the header of a request; ok is false where there is nobody to reply to.
func readRequest(r *crlf.Reader) (q request, ok bool) {
	line, err := r.Line(maxLine)
	if err == crlf.ErrTooLong {
		return request{status: "414 URI Too Long"}, true
	}
	if err != nil {
		return q, false
	}
	q = parseLine(line)
	host := 0
	for range maxFields {
		line, err := r.Line(maxLine)
		switch {
		case err == crlf.ErrTooLong:
			return request{status: "431 Request Header Fields Too Large"}, true
		case err != nil:
			return q, false
		case len(line) == 0:
			if host != 1 && q.status == "" {
				q.status = "400 Bad Request"
			}
			return q, true
		}
		name, _, found := bytes.Cut(line, []byte(":"))
		if !found || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			q.status = "400 Bad Request"
		}
		if ascii.Equal(string(name), "host") {
			host++
		}
	}
	return request{status: "431 Request Header Fields Too Large"}, true
}

// parseLine reads the first line.
func parseLine(line []byte) request {
	f := bytes.Split(line, []byte(" "))
	if len(f) != 3 || len(f[2]) != len("HTTP/1.1") || !bytes.HasPrefix(f[2], []byte("HTTP/1.")) {
		return request{status: "400 Bad Request"}
	}
	q := request{head: string(f[0]) == "HEAD"}
	path, _, _ := bytes.Cut(f[1], []byte("?"))
	switch {
	case !q.head && string(f[0]) != "GET":
		q.status = "405 Method Not Allowed"
	case string(path) != "/metrics" && string(path) != "/":
		q.status = "404 Not Found"
	}
	return q
}

// serve answers one request by HTTP/1.1. page is asked for only where the request is in order.
func serve(in, out *os.File, page func() ([]byte, error)) error {
	conn := sys.NewDialogue(in, out)
	conn.Timeout(maxRequest)
	conn.Within(time.Now().Add(maxRequest))
	q, ok := readRequest(crlf.NewReader(conn))
	if !ok {
		return io.ErrUnexpectedEOF
	}
	var body []byte
	if q.status == "" {
		var err error
		if body, err = page(); err != nil {
			q.status = "500 Internal Server Error"
		} else {
			q.status = "200 OK"
		}
	}
	if body == nil {
		body = []byte(q.status + "\n")
	}
	reply := []byte("HTTP/1.1 " + q.status + "\r\nContent-Type: " + contentType + "\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n")
	if !q.head {
		reply = append(reply, body...)
	}
	_, err := conn.Write(reply)
	return err
}
