package cases

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/site/hier"
	"qmail/internal/sys"
)

// execute runs a case and returns what was observed.
func (e *bed) execute(c *Case) (map[string]any, error) {
	if err := e.replaceQueue(c.Capture); err != nil {
		return nil, err
	}
	if err := emptyQueue(); err != nil {
		return nil, err
	}
	e.ports = map[string]int{}
	servers := map[string]*server{}
	for _, spec := range c.Servers {
		s, err := startServer(spec)
		if err != nil {
			return nil, err
		}
		defer s.listener.Close()
		servers[spec.Name] = s
		e.ports[spec.Name] = s.port()
	}
	if err := e.prepare(c); err != nil {
		return nil, err
	}
	seen, err := e.observe(c, servers)
	if err != nil {
		return nil, err
	}
	if len(servers) > 0 {
		for _, s := range servers {
			s.talking.Wait()
		}
		wire := map[string]any{}
		for n, s := range servers {
			list := []any{}
			for _, w := range s.sent() {
				list = append(list, e.normal(w, c))
			}
			wire[n] = list
		}
		seen["wire"] = wire
	}
	for _, k := range c.Compare.Ignore {
		delete(seen, k)
	}
	for _, k := range c.Compare.Sort {
		if s, ok := seen[k].(string); ok {
			lines := strings.Split(s, "\n")
			slices.Sort(lines)
			seen[k] = strings.Join(lines, "\n")
		}
	}
	if files, ok := seen["files"].(map[string]any); ok && len(files) == 0 {
		delete(seen, "files")
	}
	return seen, nil
}

func (e *bed) observe(c *Case, servers map[string]*server) (map[string]any, error) {
	switch c.Kind {
	case "system":
		return e.system(c, servers)
	case "syslog":
		return e.syslog(c)
	}
	seen, err := e.command(c, c.Command, c.Timeout)
	if err != nil {
		return nil, err
	}
	if c.Capture != nil {
		if seen["queued"], err = e.queued(c); err != nil {
			return nil, err
		}
	}
	seen["files"], err = e.collect(c)
	return seen, err
}

// queued returns what the program in qmail-queue's place was given, oldest first.
func (e *bed) queued(c *Case) ([]any, error) {
	time.Sleep(time.Duration(c.Settle * float64(time.Second)))
	rest()
	poll.Within(poll.Limit, func() bool {
		busy, _ := filepath.Glob(e.capture + "/run.*")
		return len(busy) == 0
	})
	bodies, err := filepath.Glob(e.capture + "/body.*")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(bodies, func(a, b string) int { return changed(a).Compare(changed(b)) })
	list := []any{}
	for _, f := range bodies {
		body, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		envelope, _ := os.ReadFile(strings.Replace(f, "/body.", "/env.", 1))
		if strings.HasSuffix(string(envelope), "\x00\x00") {
			list = append(list, map[string]any{"body": e.normal(string(body), c), "envelope": e.normal(string(envelope), c)})
		} else {
			list = append(list, map[string]any{"aborted": true})
		}
	}
	return list, nil
}

func changed(path string) time.Time {
	fi, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return fi.ModTime()
}

func mode(fi fs.FileInfo) string {
	return fmt.Sprintf("%04o", hier.Entry{Mode: fi.Mode()}.Bits())
}

// collect describes the files that a case names.
func (e *bed) collect(c *Case) (map[string]any, error) {
	out := map[string]any{}
	for _, r := range c.Collect {
		var want struct {
			Path   string `json:"path"`
			Base64 int    `json:"b64"`
			NoMode int    `json:"nomode"`
		}
		if json.Unmarshal(r, &want.Path) != nil {
			if err := json.Unmarshal(r, &want); err != nil {
				return nil, err
			}
		}
		path := e.fill(raw(want.Path))
		found := []string{path}
		if strings.ContainsAny(path, "*?[") {
			var err error
			if found, err = glob(path); err != nil {
				return nil, err
			}
		}
		for _, f := range found {
			key := e.normal(f, c)
			for n, first := 2, key; out[key] != nil; n++ {
				key = fmt.Sprintf("%s#%d", first, n)
			}
			out[key] = e.describe(c, f, want.Base64 != 0, want.NoMode != 0)
		}
	}
	return out, nil
}

// glob is filepath.Glob where * finds no name that begins with a dot, and /**/ stands for up to one folder.
func glob(pattern string) ([]string, error) {
	if before, behind, ok := strings.Cut(pattern, "/**/"); ok {
		here, err := glob(before + "/" + behind)
		below, err2 := glob(before + "/*/" + behind)
		return append(here, below...), errors.Join(err, err2)
	}
	all, err := filepath.Glob(pattern)
	want := strings.Split(pattern, "/")
	return slices.DeleteFunc(all, func(path string) bool {
		for i, n := range strings.Split(path, "/") {
			if strings.HasPrefix(n, ".") && !strings.HasPrefix(want[i], ".") {
				return true
			}
		}
		return false
	}), err
}

func (e *bed) describe(c *Case, path string, inBase64, noMode bool) any {
	fi, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	v := map[string]any{}
	switch {
	case fi.IsDir():
		v["dir"] = true
	case fi.Mode()&fs.ModeSymlink != 0:
		to, _ := os.Readlink(path)
		v["symlink"] = e.normal(to, c)
	case fi.Mode()&fs.ModeNamedPipe != 0:
		v["fifo"] = true
	default:
		b, _ := os.ReadFile(path)
		if inBase64 {
			v["base64"] = base64.StdEncoding.EncodeToString(b)
		} else {
			v["content"] = e.normal(string(b), c)
		}
	}
	if !noMode {
		uid, _ := sys.Owner(fi)
		v["mode"], v["owner"] = mode(fi), e.who.owner(uid)
	}
	return v
}

// listenLog opens a datagram socket that anybody may write to.
func listenLog(path string) (*net.UnixConn, error) {
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		err = os.Chmod(path, 0o666)
	}
	return l, err
}

// differences lists where two results differ, in the parts that want has and got has.
func differences(want, got map[string]any) string {
	var out strings.Builder
	keys := map[string]bool{}
	for k := range want {
		keys[k] = true
	}
	for k := range got {
		keys[k] = true
	}
	for _, k := range slices.Sorted(func(yield func(string) bool) {
		for k := range keys {
			if !yield(k) {
				return
			}
		}
	}) {
		if !reflect.DeepEqual(want[k], got[k]) {
			fmt.Fprintf(&out, "  %s\n    want %q\n    got  %q\n", k, want[k], got[k])
		}
	}
	return out.String()
}
