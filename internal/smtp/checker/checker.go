// Package checker has a program check who logs in to a server of SMTP, where there is no password server: the one that
// the server's arguments name, as those of qmail's successors do, by PLAIN and LOGIN.
package checker

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"qmail/internal/auth/check"
	"qmail/internal/auth/password"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/sys/proc"
)

// penalty is how long a client waits for the answer to a wrong password, so that guessing takes its time.
const penalty = 2 * time.Second

var errTemporary = errors.New("the program that checks passwords cannot tell")

// Command returns the program in the arguments of a server, with its own: args is [HOST] PROGRAM ARGUMENT ... A program
// has one argument at least, another program. HOST, which only mechanisms want that are not offered, is what has no
// slash in front of two more: a program with further arguments must be named by its path.
func Command(args []string) []string {
	if len(args) > 2 && !strings.Contains(args[0], "/") {
		args = args[1:]
	}
	if len(args) < 2 {
		return nil
	}
	return args
}

// Equip has the program that args name, if they do, say who logs in to s, the one session of this process. log is its
// descriptor 2 where that is a file.
func Equip(args []string, s *smtpd.Server, log io.Writer) {
	command := Command(args)
	if command == nil {
		return
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return
	}
	errors, ok := log.(*os.File)
	if !ok {
		errors = null
	}
	proc.CatchPipe() // which the program is to know as usual
	s.Login = &login{
		program: check.Program{Args: command, Env: s.Env, Log: errors, Null: null}, now: s.Now, penalty: penalty,
	}
}

// A login is that of one session.
type login struct {
	program check.Program
	now     func() time.Time
	penalty time.Duration
	next    func(response []byte) (smtpd.Step, error)
}

// Mechanisms implements smtpd.Login.
func (l *login) Mechanisms([]byte) []string { return []string{password.Login, password.Plain} }

// Begin implements smtpd.Login.
func (l *login) Begin(mechanism string, initial, _ []byte) (smtpd.Step, error) {
	prompt := ""
	l.next = func(message []byte) (smtpd.Step, error) { return l.check(password.ReadPlain(message)) }
	if mechanism == password.Login {
		prompt, l.next = "Username:", l.name
	}
	if initial == nil {
		return ask(prompt)
	}
	return l.next(initial)
}

func ask(prompt string) (smtpd.Step, error) {
	return smtpd.Step{More: true, Challenge: []byte(prompt)}, nil
}

// name reads the first message of LOGIN.
func (l *login) name(name []byte) (smtpd.Step, error) {
	l.next = func(word []byte) (smtpd.Step, error) { return l.check(password.ReadLogin(name, word)) }
	return ask("Password:")
}

// Continue implements smtpd.Login.
func (l *login) Continue(response []byte) (smtpd.Step, error) { return l.next(response) }

// Cancel implements smtpd.Login.
func (l *login) Cancel() { l.next = nil }

// check has the program check a name and a password.
func (l *login) check(user string, word []byte, err error) (smtpd.Step, error) {
	verdict := check.No
	if err == nil {
		message := check.Login(user, word, l.now())
		verdict = l.program.Check(message)
		clear(message)
		clear(word)
	}
	switch verdict {
	case check.Yes:
		return smtpd.Step{User: user}, nil
	case check.No:
		time.Sleep(l.penalty)
		return smtpd.Step{Name: user}, nil
	}
	return smtpd.Step{}, errTemporary
}
