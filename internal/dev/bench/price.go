package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/smtp"
	"strconv"
	"sync"
	"time"

	"qmail/conf"
)

const (
	milterAddr = "127.0.0.1:8894"
	// strangerAddr is where strangers come from: much is not asked about addresses of the loopback network.
	strangerAddr = "203.0.113.7"
)

// switches are the control files that turn on what a workload is about; without these files it is off.
var switches = map[way]map[string]string{
	signing:   {"dkimdomains": author + ":" + selector},
	checking:  {"filters": "qmail-verify"},
	filtering: {"filters": "qmail-milter", "milters": "inet:" + milterAddr},
	listing:   {"badhelo": "no.test", "badrcptto": "no@" + domain, "badmailfrompatterns": "*@*.no.test"},
	naming:    {"dnsbllist": "lists.test", "rhsbllist": "lists.test", "mfdnscheck": "1"},
	deferring: {"greylist": "1"},
	asking:    {"rcptchecks": "/bin/true"},
	plugging:  {"smtpplugins": "[rcpt]\n/bin/true"},
}

// stranger sends mail of a stranger that is to be accepted.
func stranger(w way) func(system, int, *meter) error {
	return func(_ system, n int, _ *meter) error {
		if err := strangers(); err != nil {
			return err
		}
		if w == filtering {
			l, err := net.Listen("tcp", milterAddr)
			if err != nil {
				return err
			}
			defer l.Close()
			go serveMilters(l)
		}
		s := source{way: w, sessions: 20, messages: n, per: 10, rcpts: 1, to: "user%d@" + domain, users: mailUsers,
			size: 4096}
		if err := s.run(); err != nil {
			return err
		}
		return until("deliveries", patience, func() bool { return delivered() >= n })
	}
}

// strangers gives the world their address.
var strangers = sync.OnceValue(func() error { return command("ip", "addr", "add", strangerAddr+"/32", "dev", "lo") })

// dial connects as the clients of a workload do.
func (w way) dial(address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 30 * time.Second}
	if w.strange() && w != checking { // whose SPF record has another address
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(strangerAddr)}
	}
	return d.Dial("tcp", address)
}

// pass comes to all users until none is told to come again; the first time each must be.
func pass() error {
	if err := strangers(); err != nil {
		return err
	}
	if err := command(conf.Home()+"/bin/qmail-grey", "clear"); err != nil {
		return err
	}
	for i := range mailUsers {
		to, refused := "user"+strconv.Itoa(i)+"@"+domain, 0
		err := until("a place on the list", patience, func() bool {
			err := ask(to)
			if err != nil {
				refused++
				time.Sleep(500 * time.Millisecond)
			}
			return err == nil
		})
		if err != nil {
			return err
		}
		if refused == 0 {
			return errors.New("nobody is told to come again")
		}
	}
	return nil
}

// ask asks for a recipient.
func ask(to string) error {
	conn, err := deferring.dial(smtpAddr)
	if err != nil {
		return err
	}
	defer conn.Close()
	c, err := smtp.NewClient(conn, smtpAddr)
	if err != nil {
		return err
	}
	if err := c.Mail("sender@" + author); err != nil {
		return err
	}
	return c.Rcpt(to)
}

// serveMilters plays a milter that wants to see all, and accepts it.
func serveMilters(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for {
				var head [5]byte
				if _, err := io.ReadFull(c, head[:]); err != nil {
					return
				}
				length := int64(binary.BigEndian.Uint32(head[:4])) - 1
				data, err := io.ReadAll(io.LimitReader(c, length))
				if err != nil || int64(len(data)) < length {
					return
				}
				var answer []byte
				switch head[4] {
				case 'O':
					answer = []byte("\x00\x00\x00\x0dO\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00")
				case 'D', 'A', 'K':
				case 'Q':
					return
				default:
					answer = []byte("\x00\x00\x00\x01c")
				}
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}
