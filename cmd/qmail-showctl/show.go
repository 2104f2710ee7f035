package main

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"qmail/conf"
	"qmail/internal/site/control"
	"qmail/internal/site/smtproutes"
	"qmail/internal/site/tlsroutes"
	"qmail/internal/sys/passwd"
)

// heading says where the control files are, which numbers the accounts of conf-users and conf-groups have, and, behind
// the numbers, so that whoever looks for a paragraph of C qmail's finds it in its place, what Landlock does here and
// which version this is.
func heading(out *bufio.Writer, home string, ids passwd.IDs, landlock int) {
	out.WriteString("The qmail control files are stored in " + home + "/control.\nThe uids and gids are ")
	for _, n := range []int{ids.Alias, ids.Daemon, ids.Log, ids.Root, ids.Passwd, ids.Queue, ids.Remote, ids.Send,
		ids.Qmail} {
		out.WriteString(strconv.Itoa(n) + ", ")
	}
	confined := "This kernel has no Landlock"
	if landlock > 0 {
		confined = "Landlock " + strconv.Itoa(landlock) + " confines qmail-pop3d, splogger, kept qmail-remotes and DNS tools"
	}
	out.WriteString(strconv.Itoa(ids.NoFiles) + ". " + confined + ". This is qmail in Go " + conf.Version() + ".\n")
}

// show writes a paragraph for each control file, then one for each file that is none. It returns why it could not.
func show(out *bufio.Writer, dir control.Dir) (oops string) {
	folder, err := os.Open(string(dir))
	if err != nil {
		return "Unable to chdir to control."
	}
	defer folder.Close()
	known := control.NewSet(nil)
	for _, f := range control.Files() {
		known[f.Name] = struct{}{}
		if f.Ours && !exists(dir, f.Name) {
			continue
		}
		out.WriteString("\n" + f.Name + ": ")
		out.WriteString(paragraph(dir, f))
		if f.Kind >= control.Database {
			continue
		}
		if b, _, _ := dir.Raw(f.Name); len(b) > 0 {
			// Of white space it says nothing: that means nothing to any qmail.
			if _, cr := control.Ends(b); cr {
				out.WriteString(hasCR)
			}
		}
	}
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return "Unable to read the directory of control."
	}
	for _, n := range names {
		if _, ok := known[n]; !ok {
			out.WriteString("\n" + safe(n) + ": I have no idea what this file does.\n")
		}
	}
	return ""
}

const (
	isDefault = "(Default.) "
	trouble   = "Oops! Trouble reading this file.\n"
	hasCR     = "Oops! Lines of this file end in CR. It is passed over here; a C qmail takes it for a part of them.\n"
)

// paragraph is what there is to say of one control file.
func paragraph(dir control.Dir, f control.File) string {
	switch {
	case f.Name == "morercpthosts" && !exists(dir, "rcpthosts"):
		return isDefault + "No rcpthosts; morercpthosts is irrelevant.\n"
	case f.Kind == control.Database:
		return database(dir, f)
	case f.Kind == control.Certificates:
		return certificates(dir, f.Name, time.Now())
	case f.Kind == control.Entries:
		return entries(dir, f)
	case f.Kind == control.Folder:
		return folder(dir, f)
	case f.Kind == control.Secrets:
		return secrets(dir, f.Name)
	}
	return value(dir, f)
}

// value speaks of a file with one value.
func value(dir control.Dir, f control.File) string {
	s, ok, err := dir.Line(f.Name)
	if err != nil {
		return trouble
	}
	if ok && f.Kind == control.Number {
		var n int
		n, ok = control.ParseInt(s)
		s = strconv.Itoa(n)
	}
	if ok {
		return f.Before + safe(s) + f.After + "\n"
	}
	if s = f.Default; f.Kind == control.TextOrMe {
		if s, _, err = dir.Text(f.Name); err != nil {
			return trouble
		}
	}
	return isDefault + f.Before + safe(s) + f.After + "\n"
}

// entries speaks of a list, a line for each entry.
func entries(dir control.Dir, f control.File) string {
	lines, ok, err := dir.List(f.Name)
	if err != nil {
		return trouble
	}
	if !ok {
		return isDefault + f.Default + "\n"
	}
	text, routes := "\n", f.Name == "smtproutes" || f.Name == "authsenders"
	for _, l := range lines {
		if routes {
			l, _ = smtproutes.Masked(l)
		}
		text += f.Before + safe(l) + f.After + "\n"
		if f.Name == "tlsroutes" {
			if e := tlsroutes.Parse(l); e.Bad != nil {
				text += "Oops! That makes no sense: " + e.Bad.Error() + ". Mail for it waits.\n"
			}
		}
	}
	fi, err := os.Stat(filepath.Join(string(dir), f.Name))
	if routes && err == nil && smtproutes.Told(lines, fi) {
		text += "Oops! Everybody can read the passwords in this file. Its group should be " + conf.GroupNames().Qmail +
			", its mode 640.\n"
	}
	return text
}

// folder speaks of a folder, a line for each file in it.
func folder(dir control.Dir, f control.File) string {
	d, err := os.Open(filepath.Join(string(dir), f.Name))
	if err != nil {
		return trouble
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return trouble
	}
	slices.Sort(names)
	text := "\n"
	for _, n := range names {
		text += f.Before + safe(n) + f.After + "\n"
	}
	return text
}

// database tells whether morercpthosts.cdb follows from morercpthosts.
func database(dir control.Dir, f control.File) string {
	source, errSource := os.Stat(filepath.Join(string(dir), "morercpthosts"))
	made, errMade := os.Stat(filepath.Join(string(dir), f.Name))
	switch {
	case errSource != nil && errMade != nil:
		return isDefault + f.Default + "\n"
	case errSource != nil:
		return "Oops! morercpthosts.cdb exists but morercpthosts doesn't.\n"
	case errMade != nil:
		return "Oops! morercpthosts exists but morercpthosts.cdb doesn't.\n"
	case source.ModTime().Unix() > made.ModTime().Unix():
		return "Oops! morercpthosts.cdb is older than morercpthosts.\n"
	}
	return "Modified recently enough; hopefully up to date.\n"
}

// secrets speaks of a file whose lines are shown to nobody.
func secrets(dir control.Dir, name string) string {
	text := "It has secrets.\n"
	if fi, err := os.Stat(filepath.Join(string(dir), name)); err == nil && fi.Mode().Perm()&0o007 != 0 {
		text += "Oops! Everybody can read or change them: they are not used. Its mode should be 440.\n"
	}
	return text
}

func exists(dir control.Dir, name string) bool {
	_, err := os.Stat(filepath.Join(string(dir), name))
	return err == nil
}

// safe keeps a terminal out of reach of what is in a control file.
func safe(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < 32 || c > 126 {
			b[i] = '?'
		}
	}
	return string(b)
}
