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
	warnAfter   int64  // queuewarn, in seconds; 0: nobody is told of delays
	stopTime    int64  // stoptime, in seconds; 0: for ever
	concurrency [2]int // by channel, before the spawner's limit is known
	shares      [2]int // of these, for one user or remote address; 0: see shares.room
}

// ReadControls reads all of them.
func ReadControls(dir control.Dir) (c Controls, err error) {
	if c.table, err = route.Read(dir); err != nil {
		return c, err
	}
	for _, v := range [...]struct {
		into *string
		file string
	}{
		{&c.names.From, "bouncefrom"}, {&c.names.Host, "bouncehost"},
		{&c.names.DoubleTo, "doublebounceto"}, {&c.names.DoubleHost, "doublebouncehost"},
	} {
		if *v.into, _, err = dir.Text(v.file); err != nil {
			return c, err
		}
	}
	format, _, err := dir.Text("bounceformat")
	if err != nil {
		return c, err
	}
	c.names.Multipart = format == "multipart"
	lifetime, stopTime, bytes, warnAfter := 0, 0, 0, 0
	for _, v := range [...]struct {
		into *int
		file string
	}{
		{&lifetime, "queuelifetime"}, {&stopTime, "stoptime"}, {&bytes, "bouncemaxbytes"},
		{&warnAfter, "queuewarn"},
		{&c.concurrency[queue.Local], "concurrencylocal"}, {&c.concurrency[queue.Remote], "concurrencyremote"},
		{&c.shares[queue.Local], "concurrencyperuser"}, {&c.shares[queue.Remote], "concurrencyperhost"},
	} {
		if *v.into, err = dir.Int(v.file); err != nil {
			return c, err
		}
	}
	c.names.MaxBytes = int64(bytes)
	c.lifetime, c.stopTime, c.warnAfter = int64(lifetime), int64(stopTime), int64(warnAfter)
	return c, nil
}
