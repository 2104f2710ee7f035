// Package lower has a tool that root starts go on as the user whose files it works on. That user may have put links and
// worse there: they lead a tool nowhere that the user could not go.
package lower

import (
	"os"

	"qmail/internal/sys/passwd"
	"qmail/internal/sys/priv"
)

// ToSend makes root qmails, for good.
func ToSend() error { return to(func(ids passwd.IDs) int { return ids.Send }) }

// ToRemote makes root qmailr, for good.
func ToRemote() error { return to(func(ids passwd.IDs) int { return ids.Remote }) }

// ToDaemon makes root qmaild, for good.
func ToDaemon() error { return to(func(ids passwd.IDs) int { return ids.Daemon }) }

func to(uid func(passwd.IDs) int) error {
	if os.Geteuid() != 0 {
		return nil
	}
	ids, err := passwd.QmailIDs()
	if err != nil {
		return err
	}
	return priv.Become(priv.ID{UID: uid(ids), GID: ids.Qmail})
}
