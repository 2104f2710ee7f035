// Package grey is the door of an SMTP session at which strangers are asked to come again later, as programs that only
// send rubbish do not. See qmail-smtpd(8).
package grey

import (
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/text/ascii"
)

// Name is the file's, below the home folder.
const Name = "grey/list"

// maxDelay is in seconds; well below the time that clients go on for.
const maxDelay = 86400

// A Door is that of one session. Relay clients, users who have logged in and addresses of private networks pass it.
type Door struct {
	store Store
	delay time.Duration
	now   func() time.Time
}

// Open returns the door; nil where control/greylist does not ask for one. home is the folder that the file is below.
func Open(dir control.Dir, home string) (*Door, error) {
	n, err := dir.Int("greylist")
	if err != nil || n <= 0 {
		return nil, err
	}
	delay := time.Duration(min(n, maxDelay)) * time.Second
	return &Door{Store(filepath.Join(home, Name)), delay, time.Now}, nil
}

// Admit implements smtpd.Door. In any trouble with the file everybody passes: without it there would be mail too.
func (d *Door) Admit(stage smtpd.Stage, v *smtpd.Visit) string {
	if stage != smtpd.AtRcpt || v.Relays {
		return ""
	}
	ip, ok := v.Public()
	if !ok {
		return ""
	}
	passes, err := d.store.Passes(networkOf(ip), plain(v.Sender), ascii.LowerString(v.Recipient), d.delay, d.now())
	if err != nil || passes {
		return ""
	}
	return "451 greylisted, please come again in " + strconv.Itoa(int(d.delay/time.Second)) + " seconds (#4.7.1)"
}

// networkOf returns the network that a client's retries come from: large senders have many hosts side by side.
func networkOf(ip netip.Addr) string {
	size := 48
	if ip.Is4() {
		size = 24
	}
	p, _ := ip.Prefix(size) // both sizes are within an address's
	return p.String()
}

// plain returns a sender in lower case with each run of digits as one: lists number their senders.
func plain(sender string) string {
	b := make([]byte, 0, len(sender))
	for i := range len(sender) {
		c := sender[i]
		if '0' <= c && c <= '9' {
			c = '0'
			if len(b) > 0 && b[len(b)-1] == c {
				continue
			}
		}
		b = append(b, c)
	}
	return ascii.LowerString(string(b))
}
