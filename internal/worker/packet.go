package worker

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"

	"qmail/internal/text/exit"
)

const (
	// MaxJob is the most bytes of a job's packet.
	MaxJob = 64 << 10
	// MaxContents is how many bytes of contents fit into one beside a few short arguments.
	MaxContents = 60 << 10
	// MaxAnswer is the most bytes of a packet from the worker.
	MaxAnswer = 4 << 10
	// maxNote is the most bytes of a note.
	maxNote = 1 << 10
	// maxHead is how many bytes of a packet from the worker are neither output nor note.
	maxHead = 1 + 2 + 2*binary.MaxVarintLen64
)

// The first byte of a packet from the worker says what it is.
const (
	tagOutput = 'o'
	tagAnswer = 'a'
)

var errPacket = errors.New("worker: malformed packet")

// A Job is one run of a program: what a process would have been started with.
type Job struct {
	Args []string // without the program's name
	Env  []string // empty where the worker's own environment is the job's
	// Contents are what its files hold, in the place of Files, where all of them are small. For the worker they are
	// there until the job is done.
	Contents [][]byte
	Files    []*os.File // travel beside the packet
}

func (j Job) close() {
	for _, f := range j.Files {
		f.Close()
	}
}

// Append appends the job's packet to b; ok is false when it is over MaxJob. The number comes back in all that
// the worker says of this job.
func (j Job) Append(b []byte, number uint64) (packet []byte, ok bool) {
	size, before := 512, len(b)
	for _, c := range j.Contents {
		size += len(c)
	}
	b = binary.AppendUvarint(slices.Grow(b, size), number)
	b = binary.AppendUvarint(b, uint64(len(j.Files)))
	b = appendStrings(b, j.Args)
	b = appendStrings(b, j.Env)
	b = appendStrings(b, j.Contents)
	return b, len(b)-before <= MaxJob
}

// parseJob reads a job's packet; files is how many are said to be beside it. The Contents are parts of b.
func parseJob(b []byte) (j Job, number uint64, files int, err error) {
	number, b, err = cutNumber(b)
	if err != nil {
		return Job{}, 0, 0, err
	}
	n, b, err := cutNumber(b)
	if err != nil || n > MaxJob {
		return Job{}, 0, 0, errPacket
	}
	var lists [3][][]byte
	for i := range lists {
		if lists[i], b, err = cutStrings(b); err != nil {
			return Job{}, 0, 0, err
		}
	}
	if len(b) > 0 {
		return Job{}, 0, 0, errPacket
	}
	return Job{Args: toStrings(lists[0]), Env: toStrings(lists[1]), Contents: lists[2]}, number, int(n), nil
}

func cutNumber(b []byte) (n uint64, rest []byte, err error) {
	n, k := binary.Uvarint(b)
	if k <= 0 {
		return 0, nil, errPacket
	}
	return n, b[k:], nil
}

// appendStrings appends the number of strings, and each with its length before it.
func appendStrings[S string | []byte](b []byte, list []S) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func cutStrings(b []byte) (list [][]byte, rest []byte, err error) {
	n, b, err := cutNumber(b)
	if err != nil || n > uint64(len(b)) {
		return nil, nil, errPacket
	}
	list = make([][]byte, 0, n)
	for range n {
		var size uint64
		if size, b, err = cutNumber(b); err != nil || size > uint64(len(b)) {
			return nil, nil, errPacket
		}
		list = append(list, b[:size:size])
		b = b[size:]
	}
	return list, b, nil
}

func toStrings(list [][]byte) []string {
	s := make([]string, len(list))
	for i, b := range list {
		s[i] = string(b)
	}
	return s
}

// An Answer says how a job ended.
type Answer struct {
	Code exit.Code // what the exit code of a process of its own would be
	Last bool      // the worker ends now
	Note []byte    // to the parent, at most 1 kB
}

// A Part is one packet of what a worker says of a job: some output, and in the last one the answer.
type Part struct {
	Number uint64 // of the job
	Output []byte
	Ended  bool // the answer is here
	Answer
}

// append appends the packet.
func (p Part) append(b []byte) []byte {
	if !p.Ended {
		return append(binary.AppendUvarint(append(b, tagOutput), p.Number), p.Output...)
	}
	b = binary.AppendUvarint(append(b, tagAnswer), p.Number)
	last := byte(0)
	if p.Last {
		last = 1
	}
	b = append(b, byte(p.Code), last)
	note := p.Note[:min(len(p.Note), maxNote)]
	b = append(binary.AppendUvarint(b, uint64(len(note))), note...)
	return append(b, p.Output...)
}

// ParsePart reads a packet from the worker that does the job of this number. What is said of another job is an
// error: it came late, or early, and the worker is not to be believed. Output and Note are parts of b.
func ParsePart(b []byte, number uint64) (Part, error) {
	if len(b) == 0 || len(b) > MaxAnswer {
		return Part{}, errPacket
	}
	tag := b[0]
	n, b, err := cutNumber(b[1:])
	if err != nil || n != number {
		return Part{}, errPacket
	}
	p := Part{Number: n}
	switch tag {
	case tagOutput:
		p.Output = b
		return p, nil
	case tagAnswer:
		if len(b) < 2 || b[1] > 1 {
			return Part{}, errPacket
		}
		p.Ended, p.Code, p.Last = true, exit.Code(b[0]), b[1] == 1
		size, b, err := cutNumber(b[2:])
		if err != nil || size > uint64(len(b)) || size > maxNote {
			return Part{}, errPacket
		}
		p.Note, p.Output = b[:size:size], b[size:]
		return p, nil
	}
	return Part{}, errPacket
}
