package spawn

import (
	"os"

	"qmail/internal/send/sendproto"
	"qmail/internal/text/report"
)

// beginReserved answers the question whether there are groups, or starts one. Every member of a group that cannot be
// right as a whole is refused; and whatever else comes under this number.
func (e *engine) beginReserved(o sendproto.Order) {
	switch {
	case o.IsQuestion(e.width):
		e.buf = sendproto.Answer(e.Combine, e.width).Append(e.buf, e.width)
	case o.IsHurry(e.width):
		if e.Hurry != nil {
			e.Hurry()
		}
	case o.IsGroup(e.width):
		g, ok := o.Group()
		var f *os.File
		r := checkMess(g.Mess)
		switch {
		case !ok || len(g.Members) > e.Combine:
			r = report.Defer("4.3.5", "Internal error: group malformed.")
		case e.slots >= e.Limit:
			r = report.Defer("4.3.5", "Internal error: too many groups.")
		case r == nil:
			f, r = e.open(g.Mess)
		}
		if r != nil {
			e.refuse(g.Members, r)
			return
		}
		e.beginGroup(g, f)
	default:
		r := report.Defer("4.3.5", "Internal error: delnum too big.")
		e.buf = sendproto.Reply{Delnum: o.Delnum, Kind: r.Kind, Text: Text(r)}.Append(e.buf, e.width)
	}
}

// beginGroup starts those deliveries of a group that can be right.
func (e *engine) beginGroup(g sendproto.Group, f *os.File) {
	var list []*Delivery
	s, sh := &slot{}, &shared{}
	for _, m := range g.Members {
		var d *Delivery
		r := report.Defer("4.3.5", "Internal error: delnum in use.")
		if e.busy[m.Delnum] == nil {
			d, r = newDelivery(sendproto.Order{Delnum: m.Delnum, Mess: g.Mess, Sender: g.Sender, Recipient: m.Recipient})
		}
		if r != nil {
			e.refuse([]sendproto.Member{m}, r)
			continue
		}
		d.Message, d.shared, d.Asked = f, sh, g.Asked
		e.take(d, s)
		list = append(list, d)
	}
	if len(list) == 0 {
		f.Close()
		return
	}
	sh.left.Store(int32(len(list)))
	e.Start(list)
}

// refuse replies to members of a group.
func (e *engine) refuse(members []sendproto.Member, r *report.Report) {
	for _, m := range members {
		e.buf = sendproto.Reply{
			Delnum: m.Delnum, Kind: r.Kind, Text: Text(r), Grouped: true,
		}.Append(e.buf, e.width)
	}
}
