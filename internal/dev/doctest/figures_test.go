package doctest

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/conf"
)

// A figure is a constant of the code, and the documents that say its value in words of theirs.
type figure struct {
	name  string        // package folder, a dot, the constant
	value time.Duration // or a number
	says  string        // "DOCUMENT: words", a line each
}

func figures() []figure {
	return []figure{
		{"internal/worker.MaxJobs", 300, `docs/INTERNALS.md: when it has done 300`},
		{"internal/worker.MaxIdle", 9 * time.Second, `docs/INTERNALS.md: none has come for 9 seconds
docs/PROGRAMS.md: nine idle seconds
docs/SECURITY.md: nine idle seconds`},
		{"internal/worker.limitsAge", time.Second, `docs/INTERNALS.md: at these at most once a second`},
		{"internal/worker.MaxJob", 64 << 10, `docs/INTERNALS.md: list of contents | 64 kB`},
		{"internal/worker.MaxContents", 60 << 10, `docs/INTERNALS.md: up to 60 kB
docs/DEVIATIONS.md: A message of up to 60 kB`},
		{"internal/worker.MaxAnswer", 4 << 10, `docs/INTERNALS.md: number of the job, output | 4 kB`},
		{"internal/worker.maxNote", 1 << 10, `docs/INTERNALS.md: note (1 kB)`},
		{"internal/worker/pool.MaxIdle", 5 * time.Second, `docs/INTERNALS.md: (the parent closes after 5)`},
		{"internal/worker/pool.moment", 25 * time.Millisecond, `docs/INTERNALS.md: has waited for 25 ms`},
		{"internal/worker/pool.patience", time.Second, `docs/INTERNALS.md: has waited for a second gets a process`},
		{"internal/worker/pool.lookAge", 250 * time.Millisecond, `docs/INTERNALS.md: at most every 250 ms`},
		{"internal/worker/pool.dieWithin", 2 * time.Second, `docs/INTERNALS.md: within 2 seconds after its socket`},
		{"internal/worker/pool.greetWithin", 5 * time.Second, `docs/INTERNALS.md: or takes five seconds`},
		{"internal/sys/priv.Grace", 5 * time.Second, `docs/SECURITY.md: SIGKILL after 5 seconds
docs/man/qmail-lspawn.8: 5 seconds later SIGKILL`},
		{"internal/sys.UsualSlack", 50 * time.Microsecond, `docs/INTERNALS.md: the usual 50 microseconds`},
		{"internal/sys.DaemonSlack", 2 * time.Millisecond, `docs/INTERNALS.md: the other daemons 2 ms`},
		{"internal/sys.WorkerSlack", 100 * time.Millisecond, `docs/INTERNALS.md: qmail-clean 100 ms`},
		{"internal/queue.ossified", 36 * time.Hour, `docs/INTERNALS.md: after 36 hours
docs/man/qmail-clean.8: for 36 hours
docs/man/queue-fix.8: 36 hours old`},
		{"internal/queue/queuefix.orphan", 36 * time.Hour, `docs/man/queue-fix.8: 36 hours old`},
		{"internal/queue/queuefix.future", 30 * 24 * time.Hour, `docs/man/queue-fix.8: over 30 days`},
		{"cmd/qmail-queue.limit", 24 * time.Hour, `docs/INTERNALS.md: (qmail-queue gives up after 24,
docs/man/qmail-queue.8: longer than 24 hours
docs/man/qmail-limits.7: 24 hours`},
		{"cmd/qmail-clean.tidyEvery", 31, `docs/INTERNALS.md: with every 31st request`},
		{"internal/submit/envelope.MaxAddress", 1002 + 1, `docs/SECURITY.md: 1002 in the queue
docs/man/addresses.5: up to 1002 bytes
docs/man/qmail-limits.7: 1002 bytes in the queue`},
		{"internal/smtp/smtpd.maxAddress", 899, `docs/SECURITY.md: at most 899 bytes from SMTP
docs/man/qmail-limits.7: takes 899.`},
		{"internal/smtp/smtpd.maxCommand", 64 << 10, `docs/DEVIATIONS.md: A command line over 64 kB`},
		{"internal/smtp/smtpd.maxHelo", 255, `docs/DEVIATIONS.md: HELO or EHLO over 255 bytes
docs/SECURITY.md: A name in HELO | 255 bytes
docs/man/qmail-smtpd.8: of more than 255 bytes`},
		{"internal/smtp/smtpd.maxErrors", 100, `docs/DEVIATIONS.md: after 100 errors
docs/SECURITY.md: Errors (5xx) without a message | 100
docs/man/qmail-smtpd.8: 100 replies of 5xx
docs/man/qmail-limits.7: and 100`},
		{"internal/smtp/smtpd.maxIdle", 1000, `docs/DEVIATIONS.md: 1000 commands or an hour
docs/SECURITY.md: Commands but RCPT without a message | 1000
docs/man/qmail-smtpd.8: 1000 commands besides RCPT
docs/man/qmail-limits.7: has an hour, 1000 commands`},
		{"internal/smtp/smtpd.maxCommands", 100000, `docs/SECURITY.md: Commands with RCPT without a message | 100000
docs/man/qmail-smtpd.8: 100000 with`},
		{"internal/smtp/smtpd.maxTalk", time.Hour, `docs/SECURITY.md: A session without a message | 1 hour
docs/man/qmail-smtpd.8: them or an hour`},
		{"internal/site/control.perRecipient", 256, `docs/SECURITY.md: 256 each, at least 64 kB
docs/man/qmail-smtpd.8: 256 bytes each on average, 64 kilobytes`},
		{"internal/submit/room.Reserve", 32 << 20, `docs/SECURITY.md: 32 MB and 2000 inodes, or a 64th
docs/man/qmail-queue.8: than 32 megabytes or 2000 inodes, or a 64th
docs/man/qmail-limits.7: less than 64 megabytes or 4000 inodes`},
		{"internal/smtp/smtpd.maxHops", 100, `docs/man/qmail-limits.7: A message with 100`},
		{"internal/smtp/tcpto.quiet", 2 * time.Minute, `docs/man/qmail-tcpto.8: at least two minutes later`},
		{"internal/pop3.maxCommand", 4096, `docs/DEVIATIONS.md: command lines of 4096 bytes`},
		{"internal/net/listener.DefaultLimit", 400, `docs/man/tcp-env.1: normally 400
docs/SERVICES.md: 400 clients at a time
docs/SCALING.md: the number of sessions, 400`},
		{"internal/net/listener.share", 8, `docs/man/tcp-env.1: normally an eighth of all
docs/FAQ.md: an eighth of all
docs/SECURITY.md: an eighth, 50
docs/SERVICES.md: 50 of one address`},
		{"internal/net/listener.defaultGrace", 10 * time.Second, `docs/man/tcp-env.1: idle for ten seconds
docs/SECURITY.md: idle, or under 100 bytes a second | 10 s;`},
		{"internal/net/listener.leastRate", 100, `docs/man/tcp-env.1: less than 100 bytes a second`},
		{"internal/submit/inject.maxHeader", 256 << 20, `docs/man/qmail-limits.7: may have 256 megabytes`},
		{"internal/submit/inject.maxAddresses", 16 << 20, `docs/man/qmail-limits.7: one field of addresses 16.`},
		{"internal/local/mbox.lockWait", 30 * time.Second, `docs/man/mbox.5: at most 30 seconds`},
		{"internal/local/maildir.stale", 36 * time.Hour, `docs/man/maildir.5: for 36 hours
docs/man/maildirwatch.1: for 36 hours
docs/man/qmail-pop3d.8: for 36 hours`},
		{"internal/spawn/lspawn.answerAge", time.Second, `docs/DEVIATIONS.md: for one second`},
		{"internal/send/sendproto.MaxReply", 10000, `docs/man/qmail-limits.7: keeps 10000 bytes`},
		{"cmd/qmail-getpw.maxName", 32, `docs/man/qmail-getpw.8: more than 32 bytes
docs/man/qmail-limits.7: longer than 32 bytes`},
		{"cmd/maildirwatch.pause", 30 * time.Second, `docs/man/maildirwatch.1: every 30 seconds`},
		{"cmd/splogger.longest", 799, `docs/man/splogger.8: Lines of 800 bytes and more`},
	}
}

func TestTheFiguresOfTheDocumentsAreThoseOfTheCode(t *testing.T) {
	for _, f := range figures() {
		folder, name, _ := strings.Cut(f.name, ".")
		if got := constantOf(t, folder, name); got != int64(f.value) {
			t.Errorf("%s is %d now, not %d: change it here and where it is said:\n%s", f.name, got, f.value, f.says)
		}
		for _, say := range strings.Split(f.says, "\n") {
			says(t, say)
		}
	}
	says(t, fmt.Sprintf("docs/INTERNALS.md: `conf/conf-split`, %d", conf.Split()))
	says(t, fmt.Sprintf("docs/man/qmail-limits.7: normally %d", conf.Spawn()))
	says(t, fmt.Sprintf("docs/SCALING.md: Over %d needs `conf/conf-spawn`", conf.Spawn()))
	says(t, fmt.Sprintf("docs/DEVIATIONS.md: %d recorded cases", recordedCases(t)))
	says(t, fmt.Sprintf("docs/HACKING.md: %d of them", recordedCases(t)))
}

// says looks for "DOCUMENT: words", wherever the lines of the document end.
func says(t *testing.T, say string) {
	t.Helper()
	path, words, _ := strings.Cut(say, ": ")
	text := strings.Join(strings.Fields(read(t, filepath.Join(top, path))), " ")
	if !strings.Contains(text, words) {
		t.Errorf("%s does not say %q", path, words)
	}
}

func recordedCases(t *testing.T) (n int) {
	files, _ := filepath.Glob(filepath.Join(top, "testdata/cases/*.json"))
	for _, f := range files {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(read(t, f)), &list); err != nil {
			t.Fatal(f, err)
		}
		n += len(list)
	}
	return n
}

// constantOf evaluates a constant of a package: numbers, durations, and what is made of them.
func constantOf(t *testing.T, folder, name string) int64 {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(top, folder, "*.go"))
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for i, id := range v.Names {
					if id.Name == name && i < len(v.Values) {
						n, _ := constant.Int64Val(evaluate(t, v.Values[i]))
						return n
					}
				}
			}
		}
	}
	t.Errorf("%s has no constant %s", folder, name)
	return -1
}

func evaluate(t *testing.T, e ast.Expr) constant.Value {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.ParenExpr:
		return evaluate(t, e.X)
	case *ast.SelectorExpr:
		unit := map[string]time.Duration{"Microsecond": time.Microsecond, "Millisecond": time.Millisecond,
			"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}
		return constant.MakeInt64(int64(unit[e.Sel.Name]))
	case *ast.BinaryExpr:
		x, y := evaluate(t, e.X), evaluate(t, e.Y)
		if n, _ := constant.Uint64Val(y); e.Op == token.SHL || e.Op == token.SHR {
			return constant.Shift(x, e.Op, uint(n))
		}
		return constant.BinaryOp(x, e.Op, y)
	}
	t.Errorf("the value of a constant is a %T: this test cannot tell it", e)
	return constant.MakeInt64(-1)
}
