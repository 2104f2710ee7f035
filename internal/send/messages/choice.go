package messages

import (
	"errors"
	"slices"
	"strconv"

	"qmail/internal/queue"
	"qmail/internal/text/ascii"
)

// A Choice says which messages are meant: those that fit one value of each list that is not empty.
type Choice struct {
	IDs                 []queue.ID
	Senders, Recipients []string // a star in them stands for any bytes
}

var errNumber = errors.New("no message number")

// Set adds the value of an option: -i for a number, -s for a sender, -r for a recipient.
func (c *Choice) Set(option byte, value string) error {
	switch option {
	case 'i':
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || n == 0 {
			return errNumber
		}
		c.IDs = append(c.IDs, queue.ID(n))
	case 's':
		c.Senders = append(c.Senders, value)
	case 'r':
		c.Recipients = append(c.Recipients, value)
	}
	return nil
}

// Any reports whether every message is meant.
func (c Choice) Any() bool { return len(c.IDs) == 0 && c.ByNumber() }

// ByNumber reports whether nothing but its number tells whether a message is meant.
func (c Choice) ByNumber() bool { return len(c.Senders) == 0 && len(c.Recipients) == 0 }

// Has reports whether a message is meant.
func (c Choice) Has(m *Message) bool {
	return (len(c.IDs) == 0 || slices.Contains(c.IDs, m.ID)) && fits(c.Senders, m.Sender) &&
		(len(c.Recipients) == 0 || slices.ContainsFunc(m.Recipients, func(r Recipient) bool {
			return fits(c.Recipients, r.Address)
		}))
}

func fits(patterns []string, s string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return ascii.Match(p, s) })
}
