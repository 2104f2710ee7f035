package cases

import (
	"os"
	"regexp"
	"strconv"
	"strings"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
)

// A substitution replaces what a regular expression finds.
type substitution struct {
	find    *regexp.Regexp
	replace string
}

func (c *Case) compile() error {
	for _, s := range c.Compare.Subst {
		re, err := regexp.Compile(raw(s[0]))
		if err != nil {
			return err
		}
		c.substitute = append(c.substitute, substitution{re, raw(s[1])})
	}
	return nil
}

// accounts maps the names and numbers of the world's passwd.
type accounts struct {
	uid, gid map[string]int
	home     map[string]string
	name     map[int]string
}

func readAccounts() (*accounts, error) {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return nil, err
	}
	a := &accounts{map[string]int{}, map[string]int{}, map[string]string{}, map[int]string{}}
	for _, l := range strings.Split(string(text), "\n") {
		f := strings.Split(l, ":")
		if len(f) < 6 {
			continue
		}
		a.uid[f[0]], _ = strconv.Atoi(f[2])
		a.gid[f[0]], _ = strconv.Atoi(f[3])
		a.home[f[0]] = f[5]
		if _, twice := a.name[a.uid[f[0]]]; !twice {
			a.name[a.uid[f[0]]] = f[0]
		}
	}
	return a, nil
}

func (a *accounts) owner(uid int) string {
	if n, ok := a.name[uid]; ok {
		return n
	}
	return strconv.Itoa(uid)
}

// words are the regular expressions of fill and normal.
type words struct {
	home, uid, gid, port, rep *regexp.Regexp
	normal                    []substitution
	byUID                     *regexp.Regexp
	msg, bytes, logUID        *regexp.Regexp
}

const months = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"

func newWords() *words {
	re := regexp.MustCompile
	return &words{
		home: re(`@HOME:([\w-]+)@`), uid: re(`@UID:([\w-]+)@`), gid: re(`@GID:([\w-]+)@`),
		port: re(`@PORT:(\w+)@`), rep: re(`@REP:(\d+):([^@]*)@`),
		normal: []substitution{
			{re(`\b\d{1,2} (?:` + months + `) \d{4} \d\d:\d\d:\d\d( [-+]\d{4})`), "@DATE822@${1}"},
			{re(`\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:` + months + `) [ \d]\d \d\d:\d\d:\d\d \d{4}`), "@DATEFROM@"},
			{re(`<\d{14}\.\d+\.qmail@`), "<@MSGID@.qmail@"},
			{re(`\(qmail \d+ invoked`), "(qmail @PID@ invoked"},
		},
		byUID:  re(`\(by uid \d+\)|invoked by uid \d+\b`),
		msg:    re(`(\bmsg |\bbounce/)(\d+)`),
		bytes:  re(`bytes \d+`),
		logUID: re(`\buid \d+`),
	}
}

// later are the substitutions that come after numbers of users have become names.
func later() []substitution {
	re := regexp.MustCompile
	return []substitution{
		{re(`\b(qp[ _])\d+`), "${1}@PID@"},
		{re(`-\d{9,10}\.\d+-@`), "-@TIME@.@PID@-@"},
		{re(`(^|[^\d.])\d{9,10}\.(?:\d+\.){1,2}` + regexp.QuoteMeta(testqmail.Host) + `\b`), "${1}@MAILDIRNAME@"},
	}
}

// fill puts the world's values in the place of placeholders.
func (e *bed) fill(s string) string {
	s = strings.NewReplacer("@QMAIL@", conf.Home(), "@ALIASHOME@", e.who.home[conf.UserNames().Alias], "@TMP@", e.scratch,
		"@CAP@", e.capture, "@HOSTNAME@", testqmail.Host).Replace(s)
	for _, p := range []struct {
		re *regexp.Regexp
		of func(string) string
	}{
		{e.words.home, func(n string) string { return e.who.home[n] }},
		{e.words.uid, func(n string) string { return strconv.Itoa(e.who.uid[n]) }},
		{e.words.gid, func(n string) string { return strconv.Itoa(e.who.gid[n]) }},
		{e.words.port, func(n string) string { return strconv.Itoa(e.ports[n]) }},
	} {
		s = p.re.ReplaceAllStringFunc(s, func(m string) string { return p.of(p.re.FindStringSubmatch(m)[1]) })
	}
	return e.words.rep.ReplaceAllStringFunc(s, func(m string) string {
		f := e.words.rep.FindStringSubmatch(m)
		n, _ := strconv.Atoi(f[1])
		return strings.Repeat(f[2], n)
	})
}

// normal puts placeholders in the place of what differs from run to run.
func (e *bed) normal(s string, c *Case) string {
	s = strings.NewReplacer(e.scratch, "@TMP@", e.capture, "@CAP@").Replace(s)
	s = strings.ReplaceAll(s, e.who.home[conf.UserNames().Alias], "@ALIASHOME@")
	s = strings.ReplaceAll(s, conf.Home(), "@QMAIL@")
	for _, u := range testqmail.Users() {
		s = replaceWhole(s, u.Home, "@HOME:"+u.Name+"@", func(byte) bool { return false }, nameByte)
	}
	for n, p := range e.ports {
		s = replaceWhole(s, strconv.Itoa(p), "@PORT:"+n+"@", digit, digit)
	}
	s = replaceAll(s, e.words.normal)
	s = e.words.byUID.ReplaceAllStringFunc(s, e.nameUID)
	s = replaceAll(s, e.later)
	return replaceAll(s, c.substitute)
}

func replaceAll(s string, subs []substitution) string {
	for _, x := range subs {
		s = x.find.ReplaceAllString(s, x.replace)
	}
	return s
}

// nameUID puts @UID:name@ in the place of the number in m.
func (e *bed) nameUID(m string) string {
	i := strings.IndexAny(m, "0123456789")
	j := i
	for j < len(m) && digit(m[j]) {
		j++
	}
	n, _ := strconv.Atoi(m[i:j])
	if name, ok := e.who.name[n]; ok {
		return m[:i] + "@UID:" + name + "@" + m[j:]
	}
	return m
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func nameByte(c byte) bool {
	return digit(c) || c == '-' || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// replaceWhole replaces each old in s that no byte of notBefore precedes and no byte of notAfter follows.
func replaceWhole(s, old, with string, notBefore, notAfter func(byte) bool) string {
	var out strings.Builder
	for from := 0; ; {
		i := strings.Index(s[from:], old)
		if i < 0 {
			out.WriteString(s[from:])
			return out.String()
		}
		i += from
		end := i + len(old)
		out.WriteString(s[from:i])
		if i > 0 && notBefore(s[i-1]) || end < len(s) && notAfter(s[end]) {
			out.WriteString(old)
		} else {
			out.WriteString(with)
		}
		from = end
	}
}

// normalLog gives messages names in the order in which they appear; numbers are used again, and "new msg" starts a
// new name.
func (e *bed) normalLog(c *Case, text string) []any {
	ids := map[string]string{}
	seen := 0
	var out []any
	text = strings.TrimSuffix(e.normal(text, c), "\n")
	for _, line := range strings.Split(text, "\n") {
		line := e.words.msg.ReplaceAllStringFunc(line, func(m string) string {
			f := e.words.msg.FindStringSubmatch(m)
			if _, ok := ids[f[2]]; !ok || strings.HasPrefix(line, "new msg ") {
				seen++
				ids[f[2]] = "@MSG" + strconv.Itoa(seen) + "@"
			}
			return f[1] + ids[f[2]]
		})
		line = e.words.bytes.ReplaceAllString(line, "bytes @N@")
		line = e.words.logUID.ReplaceAllStringFunc(line, e.nameUID)
		if !c.NoStatus || !strings.HasPrefix(line, "status:") {
			out = append(out, line)
		}
	}
	if c.SortLog {
		sortStrings(out)
	}
	return out
}
