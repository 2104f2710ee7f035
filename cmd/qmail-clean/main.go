// Qmail-clean removes files of finished messages for qmail-send, which may not.
//
//	uid   qmailq
//	fd 0  requests: foop/N NUL, todo/N NUL
//	fd 1  one byte for each: + done, ! trouble, x nonsense
//	exec  nothing
//	exit  0 when qmail-send closes fd 0; 100 when it does not take an answer; 111 if the queue cannot be entered
package main

import (
	"bufio"
	"io"
	"time"

	"qmail/conf"
	"qmail/internal/queue"
	"qmail/internal/send/sendproto"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

func main() {
	proc.Begin()
	proc.Help("qmail-clean: usage: qmail-clean, started by qmail-start")
	sys.Umask(0o033)
	if proc.Chdir(conf.Home(), "queue") != nil {
		proc.Exit(exit.Temp)
	}
	requests := proc.FD(0, "requests")
	lock, ok := queue.LockClean(".", requests)
	if !ok {
		proc.Exit(exit.OK)
	}
	defer lock.Close()
	proc.Exit(clean(queue.Open(".", nil), requests, proc.FD(1, "answers"), time.Now))
}

// tidyEvery is how many requests are served between two looks at pid.
const tidyEvery = 31

func clean(q *queue.Queue, requests io.Reader, answers io.Writer, now func() time.Time) exit.Code {
	r := bufio.NewReader(requests)
	out := make([]byte, 0, 512)
	q.CleanIntd()
	for n := 0; ; n++ {
		if n%tidyEvery == 0 {
			q.CleanPid(now())
		}
		req, ok, err := sendproto.ReadRequest(r)
		if err != nil {
			break
		}
		for range req.Junk {
			out = append(out, sendproto.Malformed)
		}
		out = append(out, answer(q, req, ok))
		// Requests that came together are answered together.
		if r.Buffered() > 0 && len(out) < cap(out) {
			continue
		}
		if _, err := answers.Write(out); err != nil {
			return exit.Perm
		}
		out = out[:0]
	}
	if len(out) > 0 {
		if _, err := answers.Write(out); err != nil {
			return exit.Perm
		}
	}
	return exit.OK
}

func answer(q *queue.Queue, req sendproto.Request, ok bool) byte {
	if !ok {
		return sendproto.Malformed
	}
	var err error
	if id := queue.ID(req.ID); req.Kind == sendproto.Foop {
		err = q.CleanFoop(id)
	} else {
		err = q.CleanTodo(id)
	}
	if err != nil {
		return sendproto.Trouble
	}
	return sendproto.Cleaned
}
