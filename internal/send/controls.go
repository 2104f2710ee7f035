package send

import (
	"qmail/internal/queue"
	"qmail/internal/send/bounce"
	"qmail/internal/send/route"
	"qmail/internal/site/control"
)

// Controls are what the control files say to qmail-send; see qmail-send(8).
type Controls struct {
	table       *route.Table
	names       bounce.Names
	lifetime    int64  // queuelifetime, in seconds
	concurrency [2]int // by channel, before the spawner's limit is known
	perHost     int    // concurrencyperhost; 0: no limit
}

// ReadControls reads all of them.
func ReadControls(dir control.Dir) (c Controls, err error) {
	if c.table, err = route.Read(dir); err != nil {
		return c, err
	}
	for _, v := range [...]struct {
		into            *string
		file, otherwise string
		me              bool
	}{
		{&c.names.From, "bouncefrom", "MAILER-DAEMON", false},
		{&c.names.Host, "bouncehost", "bouncehost", true},
		{&c.names.DoubleTo, "doublebounceto", "postmaster", false},
		{&c.names.DoubleHost, "doublebouncehost", "doublebouncehost", true},
	} {
		read := dir.Line
		if v.me {
			read = dir.LineOrMe
		}
		s, ok, err := read(v.file)
		if err != nil {
			return c, err
		}
		if !ok {
			s = v.otherwise
		}
		*v.into = s
	}
	lifetime := 0
	for _, v := range [...]struct {
		into      *int
		file      string
		otherwise int
	}{
		{&lifetime, "queuelifetime", 604800},
		{&c.concurrency[queue.Local], "concurrencylocal", 10},
		{&c.concurrency[queue.Remote], "concurrencyremote", 20},
		{&c.perHost, "concurrencyperhost", 0},
	} {
		if *v.into, err = dir.Int(v.file, v.otherwise); err != nil {
			return c, err
		}
	}
	c.lifetime = int64(lifetime)
	return c, nil
}
