// Package plugins has an SMTP session ask the plugins that were made for qmail-spp: programs that say, in lines on
// their output, what is to be done with a client and its commands. See qmail-smtpd(8).
package plugins

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/text/ascii"
	"qmail/internal/text/environ"
	"qmail/internal/text/peerlog"
)

const (
	// Within is how long a plugin may take.
	Within = 30 * time.Second
	// maxKept bounds what the plugins of a session have it remember: refusals for later and fields, and the environment.
	maxKept = 128 << 10
)

var errKept = errors.New("there is too much to remember for it")

// Plugins are those of one session.
type Plugins struct {
	lines  [smtpd.AtLogin + 1][]string
	home   string
	log    *peerlog.Log
	within time.Duration

	off    bool // for the rest of the session
	later  []later
	fields []field
}

// A later is a refusal that one stage has said and another is to tell.
type later struct {
	said, told smtpd.Stage
	reply, by  string
}

// A field is one for the header, and the stage that said it.
type field struct {
	said smtpd.Stage
	line string
}

// Open returns the plugins of control/smtpplugins, or of the file that SPPCONFFILE names, below home if it has no slash
// in front; nil where there is none, and where NOSPP is set. What plugins write to descriptor 2 goes to log.
func Open(dir control.Dir, env []string, home string, log *peerlog.Log) (*Plugins, error) {
	if _, set := environ.Get(env, "NOSPP"); set {
		return nil, nil
	}
	name := "smtpplugins"
	other, set := environ.Get(env, "SPPCONFFILE")
	if set {
		path := below(home, other)
		dir, name = control.Dir(filepath.Dir(path)), filepath.Base(path)
	}
	lines, ok, err := dir.List(name)
	if set && !ok && err == nil {
		err = &fs.PathError{Op: "open", Path: other, Err: fs.ErrNotExist}
	}
	p := &Plugins{home: home, log: log, within: Within}
	if err != nil || !p.configure(lines) {
		return nil, err
	}
	return p, nil
}

// configure reads the lines of the file, and reports whether there is a plugin. Sections without a name that is known
// are for others.
func (p *Plugins) configure(lines []string) (any bool) {
	var list *[]string
	for _, l := range lines {
		if l[0] != '[' {
			if list != nil {
				*list = append(*list, l)
				any = true
			}
			continue
		}
		list = nil
		switch l {
		case "[connection]":
			list = &p.lines[smtpd.AtConnect]
		case "[helo]":
			list = &p.lines[smtpd.AtHelo]
		case "[auth]":
			list = &p.lines[smtpd.AtLogin]
		case "[mail]":
			list = &p.lines[smtpd.AtMail]
		case "[rcpt]":
			list = &p.lines[smtpd.AtRcpt]
		case "[data]":
			list = &p.lines[smtpd.AtData]
		}
	}
	return any
}

func below(home, path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return home + "/" + path
}

// Ask implements smtpd.Plugins.
func (p *Plugins) Ask(stage smtpd.Stage, v *smtpd.Visit, env []string) smtpd.Advice {
	if stage == smtpd.AtHelo || stage == smtpd.AtMail { // what came of an earlier one is over
		p.later = slices.DeleteFunc(p.later, func(l later) bool { return since(l.said, stage) })
		p.fields = slices.DeleteFunc(p.fields, func(f field) bool { return since(f.said, stage) })
	}
	a := smtpd.Advice{Address: v.Recipient}
	if stage == smtpd.AtMail {
		a.Address = v.Sender
	}
	if !p.off {
		env = slices.Clone(env)
		p.ask(stage, v, &env, &a)
	}
	for _, l := range p.later {
		if l.told == stage && a.Reply == "" && !a.End {
			a.Reply, a.By = l.reply, l.by
		}
	}
	if stage == smtpd.AtData {
		for _, f := range p.fields {
			a.Header = append(append(a.Header, f.line...), '\n')
		}
	}
	return a
}

// since reports whether a stage is another one or comes after it. A login has no such place: what it says stays.
func since(stage, other smtpd.Stage) bool { return stage >= other && stage != smtpd.AtLogin }

// ask runs the plugins of a stage, one after the other, and does what each says.
func (p *Plugins) ask(stage smtpd.Stage, v *smtpd.Visit, env *[]string, a *smtpd.Advice) {
	for _, l := range p.lines[stage] {
		output, err := p.run(l, environ.With(*env, variables(stage, v, a.Address)...))
		var orders []order
		if err == nil {
			orders, err = read(output)
		}
		next := err == nil
		for i := 0; next && i < len(orders); i++ {
			next, err = p.obey(orders[i], stage, l, env, a)
			next = next && err == nil
		}
		if err != nil {
			*a = smtpd.Advice{Reply: smtpd.PluginTrouble, By: l, Because: err.Error()}
		}
		if !next {
			return
		}
	}
}

// variables are what a plugin finds in its environment. The client's words have no control characters there.
func variables(stage smtpd.Stage, v *smtpd.Visit, address string) []string {
	list := []string{"SMTPHELOHOST=" + ascii.OneLine(v.Helo)}
	if v.User != "" {
		list = append(list, "SMTPAUTHUSER="+ascii.OneLine(v.User), "SMTPAUTHMETHOD="+v.Mechanism)
	}
	switch stage {
	case smtpd.AtMail:
		list = append(list, "SMTPMAILFROM="+address)
	case smtpd.AtRcpt, smtpd.AtData:
		hosted := "0"
		if v.Hosted {
			hosted = "1"
		}
		list = append(list, "SMTPMAILFROM="+v.Sender, "SMTPRCPTTO="+address, "SMTPRCPTCOUNT="+strconv.Itoa(v.Count),
			"SMTPRCPTCOUNTALL="+strconv.Itoa(v.Named), "SMTPRCPTHOSTSOK="+hosted)
	}
	return list
}

// obey does what one line says, and reports whether the next one counts.
func (p *Plugins) obey(o order, stage smtpd.Stage, by string, env *[]string, a *smtpd.Advice) (next bool, err error) {
	switch o.verb {
	case "A":
		p.off, p.later = true, nil
		return false, nil
	case "N":
		return false, nil
	case "O":
		a.Vouched = true
		return false, nil
	case "E":
		a.Reply, a.By = reply(o.text), by
		return false, nil
	case "R":
		a.Reply, a.By, a.End = reply(o.text), by, true
		return false, nil
	case "D":
		a.By, a.End = by, true
		return false, nil
	case "P":
		a.Lines = append(a.Lines, line(o.text))
		return true, nil
	case "C":
		a.Address = o.text
		return true, nil
	}
	switch o.verb {
	case "S":
		*env = environ.With(*env, o.text)
		a.Env = *env
	case "U":
		*env = environ.Without(*env, o.text)
		a.Env = *env
	case "H":
		p.fields = append(p.fields, field{stage, o.text})
	case "LM":
		p.later = append(p.later, later{stage, smtpd.AtMail, reply(o.text), by})
	case "LR":
		p.later = append(p.later, later{stage, smtpd.AtRcpt, reply(o.text), by})
	case "LD":
		p.later = append(p.later, later{stage, smtpd.AtData, reply(o.text), by})
	}
	if p.kept(*env) > maxKept {
		return false, errKept
	}
	return true, nil
}

// kept returns how many bytes are remembered.
func (p *Plugins) kept(env []string) (n int) {
	for _, l := range p.later {
		n += len(l.reply)
	}
	for _, f := range p.fields {
		n += len(f.line)
	}
	for _, e := range env {
		n += len(e)
	}
	return n
}
