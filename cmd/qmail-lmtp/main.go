// Qmail-lmtp, in a .qmail file, gives a message to an LMTP server; see qmail-lmtp(8).
//
//	uid   the recipient's     exec  nothing
//	fd 0  the message         fd 1  what the server said     fd 2  what went wrong
//	args  [ -t seconds ] server [ recipient ]: a path of a socket, or host:port
//	env   USER, SENDER, RPLINE, DTLINE
//	exit  0 the server has it; 100 it refuses the recipient or the message; 111 all else
package main

import (
	"os"
	"time"

	"qmail/internal/local/lmtp"
	"qmail/internal/site/control"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
	"qmail/internal/text/report"
)

const (
	usage = "qmail-lmtp: usage: qmail-lmtp [ -t seconds ] server [ recipient ]"
	fatal = "qmail-lmtp: fatal: "
	// limit is how long a delivery may take: less than timeoutlocal, whose end would tell nothing of the server.
	limit = 30 * time.Minute
	// silence is how long a server may be silent, and connecting how long it may take to accept.
	silence    = 10 * time.Minute
	connecting = 30 * time.Second
)

func main() {
	proc.Begin()
	proc.Help(usage)
	args, within, ok := arguments(os.Args[1:])
	if !ok {
		proc.Die(exit.Temp, usage)
	}
	time.AfterFunc(within, func() { proc.Die(exit.Temp, fatal+"this takes too long (#4.4.7)") })
	variable := func(name string) string { return proc.Variable(os.LookupEnv, name, fatal, exit.Temp) }
	d := lmtp.Delivery{Head: variable("RPLINE") + variable("DTLINE"), Sender: variable("SENDER"), Message: os.Stdin}
	if d.Sender == "#@[]" { // of a double bounce; only qmail knows it
		d.Sender = ""
	}
	if len(args) > 1 {
		d.Recipient = args[1]
	} else {
		d.Recipient = variable("USER")
	}
	d.Name, _, _ = control.Default().Line("me")
	f, err := connect(args[0])
	if err != nil {
		proc.Die(exit.Temp, fatal+"unable to connect to "+args[0]+": "+err.Error()+" (#4.4.1)")
	}
	d.Early = func() bool {
		ready, err := sys.WaitReadable(f, 0)
		return ready || err != nil
	}
	conn := sys.NewDialogue(f, f)
	conn.Timeout(min(silence, within))
	said, err := lmtp.Deliver(conn, d)
	if err != nil {
		r := report.Of(err)
		proc.Die(r.Exit(), fatal+r.Error())
	}
	os.Stdout.WriteString("qmail-lmtp: " + said + "\n")
	proc.Exit(exit.OK)
}

// arguments returns the operands, and how long the delivery may take.
func arguments(argv []string) (args []string, within time.Duration, ok bool) {
	g := getopt.New("qmail-lmtp", argv, "t:")
	within = limit
	for g.Next() {
		n, ok := control.ParseInt(g.Value)
		if !ok || n == 0 {
			return nil, 0, false
		}
		within = time.Duration(n) * time.Second
	}
	args = g.Rest()
	return args, within, g.Mistake == "" && (len(args) == 1 || len(args) == 2)
}
