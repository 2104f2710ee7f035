package worker

import (
	"encoding/binary"
	"errors"
	"os"

	"qmail/internal/exit"
)

const (
	// MaxJob is the most bytes of a job's packet.
	MaxJob = 32 << 10
	// MaxAnswer is the most bytes of an answer's packet.
	MaxAnswer = 1 << 10
)

var errPacket = errors.New("worker: malformed packet")

// A Job is one run of a program: what a process would have been started with.
type Job struct {
	Args  []string   // without the program's name
	Env   []string   // empty where the worker's own environment is the job's
	Files []*os.File // travel beside the packet
}

func (j Job) close() {
	for _, f := range j.Files {
		f.Close()
	}
}

// Encode returns the job's packet; ok is false when it is over MaxJob.
func (j Job) Encode() (b []byte, ok bool) {
	b = appendStrings(make([]byte, 0, 512), j.Args)
	b = appendStrings(b, j.Env)
	return b, len(b) <= MaxJob
}

func parseJob(b []byte) (Job, error) {
	args, b, err := cutStrings(b)
	if err != nil {
		return Job{}, err
	}
	env, b, err := cutStrings(b)
	if err != nil || len(b) > 0 {
		return Job{}, errPacket
	}
	return Job{Args: args, Env: env}, nil
}

// appendStrings appends the number of strings, and each with its length before it.
func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func cutStrings(b []byte) (list []string, rest []byte, err error) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)) {
		return nil, nil, errPacket
	}
	b = b[k:]
	list = make([]string, 0, n)
	for range n {
		size, k := binary.Uvarint(b)
		if k <= 0 || size > uint64(len(b)-k) {
			return nil, nil, errPacket
		}
		list = append(list, string(b[k:k+int(size)]))
		b = b[k+int(size):]
	}
	return list, b, nil
}

// An Answer says how a job ended.
type Answer struct {
	Code exit.Code // what the exit code of a process of its own would be
	Last bool      // the worker ends now
	Text []byte    // a note to the parent, at most MaxAnswer-2 bytes
}

func (a Answer) append(b []byte) []byte {
	b = append(b, byte(a.Code), 0)
	if a.Last {
		b[1] = 1
	}
	return append(b, a.Text[:min(len(a.Text), MaxAnswer-2)]...)
}

// ParseAnswer reads the packet of an answer.
func ParseAnswer(b []byte) (Answer, error) {
	if len(b) < 2 || len(b) > MaxAnswer || b[1] > 1 {
		return Answer{}, errPacket
	}
	return Answer{Code: exit.Code(b[0]), Last: b[1] == 1, Text: append([]byte(nil), b[2:]...)}, nil
}
