//go:build linux

package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"qmail/internal/dev/testqmail"
)

// maildir makes a user's Maildir.
func (q *qmail) maildir(users ...string) {
	q.t.Helper()
	for _, u := range users {
		q.must(u, home("bin/maildirmake"), testqmail.HomeOf(u)+"/Maildir")
	}
}

// messages returns the paths of the messages in a user's Maildir, oldest first.
func (q *qmail) messages(user string) []string {
	var all []string
	age := map[string]time.Time{}
	for _, d := range []string{"cur", "new"} {
		some, _ := filepath.Glob(q.Path(testqmail.HomeOf(user) + "/Maildir/" + d + "/*"))
		for _, m := range some {
			if fi, err := os.Stat(m); err == nil {
				all, age[m] = append(all, m), fi.ModTime()
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return age[all[i]].Before(age[all[j]]) })
	return all
}

// waitMessages waits until a user's Maildir has n messages, and returns their texts.
func (q *qmail) waitMessages(user string, n int) []string {
	q.t.Helper()
	q.wait(fmt.Sprintf("%d messages of %s", n, user), func() bool { return len(q.messages(user)) >= n })
	var texts []string
	for _, m := range q.messages(user) {
		texts = append(texts, q.read(m))
	}
	if len(texts) != n {
		q.t.Fatalf("%s has %d messages, not %d", user, len(texts), n)
	}
	return texts
}

func (q *qmail) read(path string) string {
	q.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		q.t.Fatal(err)
	}
	return string(b)
}

// queued returns the messages that are in the queue.
func (q *qmail) queued() []string {
	var ids []string
	for _, pattern := range []string{"queue/mess/*/*", "queue/todo/*", "queue/intd/*"} {
		some, _ := filepath.Glob(q.Path(home(pattern)))
		ids = append(ids, some...)
	}
	return ids
}

// waitDone waits until no message is in the queue; what a killed qmail-queue has left may be there, for 36 hours.
func (q *qmail) waitDone() {
	q.t.Helper()
	q.wait("the end of all messages", func() bool {
		n := 0
		for _, pattern := range []string{"todo/*", "info/*/*", "local/*/*", "remote/*/*", "bounce/*"} {
			some, _ := filepath.Glob(q.Path(home("queue/" + pattern)))
			n += len(some)
		}
		return n == 0
	})
}

// waitEmpty waits until the queue is empty.
func (q *qmail) waitEmpty() {
	q.t.Helper()
	q.wait("an empty queue", func() bool { return len(q.queued()) == 0 })
}
