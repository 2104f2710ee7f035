// Qmail-doctor finds out what is wrong with this qmail; see qmail-doctor(8).
//
//	uid   root sees most; anybody may ask
//	fd 1  for each finding a sentence, and a command that mends it or shows more
//	args  [-jns]; -j for a JSON object a line; -n to ask no name server; -s for what keeps qmail-send from starting
//	exec  nothing
//	exit  0 when nothing is wrong; 1 after warnings; 2 after a fault; 100 usage
package main

import (
	"bufio"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"time"

	"qmail/conf"
	"qmail/internal/doctor"
	"qmail/internal/net/dns"
	"qmail/internal/sys"
	"qmail/internal/sys/inet"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
	"qmail/internal/text/getopt"
)

func main() {
	proc.Begin()
	s := doctor.Site{
		Home: conf.Home(), Now: time.Now(), Space: sys.SpaceOf, Greeting: greeting, Running: running,
		DNS: dns.Open(dns.SystemConf),
	}
	var start, asJSON bool
	g := getopt.New("qmail-doctor", os.Args[1:], "jns")
	for g.Next() {
		switch g.Letter {
		case 'j':
			asJSON = true
		case 'n':
			s.DNS = nil
		case 's':
			start = true
		}
	}
	if g.Mistake != "" || len(g.Rest()) > 0 {
		proc.Die(exit.Perm, "qmail-doctor: usage: qmail-doctor [-jns]")
	}
	out := bufio.NewWriter(os.Stdout)
	code := s.Report(start, asJSON, out)
	out.Flush()
	proc.Exit(code)
}

// greeting returns the first line of what answers on port 25 of this machine.
func greeting() (string, error) {
	const patience = 5 * time.Second
	f, err := inet.Connect(netip.Addr{}, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 25), patience)
	if err != nil {
		return "", err
	}
	defer f.Close()
	f.SetDeadline(time.Now().Add(patience))
	line, err := bufio.NewReaderSize(f, 1024).ReadString('\n')
	return line, err
}

// running reports whether somebody reads the trigger. The lock would tell as well, but looking at it is taking it.
func running(queue string) (bool, error) {
	f, err := sys.OpenNow(queue+"/lock/trigger", os.O_WRONLY)
	if errors.Is(err, syscall.ENXIO) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}
