package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// play does the steps of INSTALL.md that need one machine only.
func (s *stage) play() error {
	if err := s.syslog(); err != nil {
		return err
	}
	for _, step := range []struct {
		title string
		do    func() error
	}{
		{"Steps 4 to 10: check the tree, say who we are, make the system aliases, choose how to start", s.setup},
		{"Steps 11 to 13: start; four idle daemons and the logger", s.start},
		{"Step 14, local-local test: send yourself an empty message", s.localLocal},
		{"Step 15, local-error test: send a message to a nonexistent local address", s.localError},
		{"Step 17, local-postmaster test: send mail to postmaster, any capitalization", s.postmaster},
		{"Step 18, double-bounce test: send a message with a completely bad envelope", s.doubleBounce},
		{"Step 19, group membership test", s.groups},
		{"The end: qmail-send finishes what it does and goes", s.stop},
	} {
		fmt.Printf("\n=== %s\n", step.title)
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	return nil
}

func (s *stage) setup() error {
	return s.must(
		s.source+"/build/bin/instcheck "+s.source,
		s.source+"/config-fast qmail.test",
		"su -s /bin/sh alias -c 'cd; touch .qmail-postmaster .qmail-mailer-daemon .qmail-root'",
		"su -s /bin/sh alias -c 'cd; chmod 644 .qmail*'",
		"cp "+s.home+"/boot/home "+s.home+"/rc",
	)
}

func (s *stage) localLocal() error {
	return errors.Join(
		s.do("me", "echo to: me | "+s.home+"/bin/qmail-inject"),
		s.waitLog(`success: did_1\+0\+0/\n(.*\n)+.*end msg`),
		s.mailbox("me", s.me.Home+"/Mailbox", "To: me@qmail.test"),
	)
}

func (s *stage) localError() error {
	return errors.Join(
		s.do("me", "echo to: nonexistent | "+s.home+"/bin/qmail-inject"),
		s.waitLog(`failure: No_such_address\.__#5\.1\.1_/\n(.*\n)+.*bounce msg .*\n(.*\n)*.*end msg .*\n(.*\n)+.*end msg`),
		s.mailbox("me", s.me.Home+"/Mailbox", "No such address. (#5.1.1)"),
	)
}

func (s *stage) postmaster() error {
	return errors.Join(
		s.do("me", "echo to: POSTmaster | "+s.home+"/bin/qmail-inject"),
		s.waitLog(`success: did_1\+0\+0/\n(.*\n)+.*end msg`),
		s.mailbox("alias", s.home+"/alias/Mailbox", "To: POSTmaster@qmail.test"),
	)
}

func (s *stage) doubleBounce() error {
	return errors.Join(
		s.do("me", s.home+"/bin/qmail-inject -f nonexistent <<EOF\nTo: unknownuser\nSubject: testing\n\n"+
			"This is a test. This is only a test.\nEOF"),
		s.waitLog(`from <#@\[\]> (.*\n)+.*success: did_1\+0\+0/\n(.*\n)*.*end msg`),
		s.mailbox("alias", s.home+"/alias/Mailbox", "This is a test. This is only a test."),
	)
}

func (s *stage) groups() error {
	return errors.Join(
		s.do("me", "echo '|groups >> MYGROUPS; exit 0' > ~/.qmail-groups"),
		s.do("me", s.home+"/bin/qmail-inject me-groups < /dev/null"),
		s.waitLog(`success: did_0\+0\+1/\n(.*\n)+.*end msg`),
		s.do("me", "cat ~/MYGROUPS; test \"$(cat ~/MYGROUPS)\" = me"),
	)
}

// mailbox prints the last message of an mbox, which must have text in it, and where the mbox is.
func (s *stage) mailbox(whose, path, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	mail := string(b)
	if i := strings.LastIndex(mail, "\nFrom "); i >= 0 {
		mail = mail[i+1:]
	}
	fmt.Printf("   --- the last message in the mailbox of %s, %s\n", whose, path)
	for _, l := range strings.Split(strings.TrimRight(mail, "\n"), "\n") {
		fmt.Println("   |", l)
	}
	if !strings.Contains(mail, text) {
		return fmt.Errorf("it lacks %q", text)
	}
	return nil
}

func (s *stage) stop() error {
	fmt.Println("# kill", s.send.Process.Pid)
	if err := s.send.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- s.send.Wait() }()
	select {
	case err := <-done:
		return errors.Join(err, s.waitLog("status: exiting"))
	case <-time.After(time.Minute):
		return errors.New("qmail-send does not end")
	}
}
