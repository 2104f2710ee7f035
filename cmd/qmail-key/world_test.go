package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/sys"
	"qmail/internal/tls/keyproto"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func home(path string) string { return filepath.Join(conf.Home(), path) }

// put makes a file that belongs to somebody.
func put(t *testing.T, path, owner string, mode os.FileMode, blocks ...*pem.Block) {
	t.Helper()
	var b bytes.Buffer
	for _, p := range blocks {
		pem.Encode(&b, p)
	}
	uid, gid, ok := testqmail.Account(owner)
	if !ok {
		t.Fatal("no account", owner)
	}
	os.MkdirAll(filepath.Dir(path), 0o755)
	err := errors.Join(os.WriteFile(path, b.Bytes(), mode), os.Chown(path, uid, gid), os.Chmod(path, mode))
	if err != nil {
		t.Fatal(err)
	}
}

// pair returns a new key and its certificate.
func pair(t *testing.T) (key *ecdsa.PrivateKey, private, certificate *pem.Block) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	c, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return key, &pem.Block{Type: "PRIVATE KEY", Bytes: b}, &pem.Block{Type: "CERTIFICATE", Bytes: c}
}

// install makes a.test a server of this machine.
func install(t *testing.T) *ecdsa.PrivateKey {
	key, private, certificate := pair(t)
	put(t, home("keys/tls/a.test.pem"), conf.UserNames().Key, 0o600, private)
	put(t, home("control/tlscerts/a.test"), "root", 0o644, certificate)
	return key
}

// start starts the program, by a shell command where there is one, as a user, and returns the socket that it serves.
func start(t *testing.T, user, shell string) (*os.File, *exec.Cmd) {
	t.Helper()
	here, there, err := sys.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if shell == "" {
		shell = `exec "$KEY"`
	}
	cmd := exec.Command("/bin/sh", "-c", shell)
	cmd.Env = []string{"KEY=" + home("bin/qmail-key"), "PATH=" + os.Getenv("PATH")}
	cmd.ExtraFiles = []*os.File{there}
	uid, gid, ok := testqmail.Account(user)
	if !ok {
		t.Fatal("no account", user)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close(); cmd.Process.Kill(); cmd.Wait() })
	return here, cmd
}

func exchange(conn *os.File, packet []byte, files ...*os.File) (keyproto.Answer, error) {
	if err := sys.SendPacket(conn, packet, files...); err != nil {
		return keyproto.Answer{}, err
	}
	return answer(conn)
}

func answer(conn *os.File) (keyproto.Answer, error) {
	b := make([]byte, keyproto.MaxAnswer+1)
	conn.SetReadDeadline(time.Now().Add(poll.Limit))
	n, _, err := sys.ReceivePacket(conn, b, 0)
	if err != nil {
		return keyproto.Answer{}, err
	}
	return keyproto.ParseAnswer(b[:n])
}

func ask(conn *os.File, q keyproto.Request) (keyproto.Answer, error) {
	b, ok := q.Append(nil)
	if !ok {
		return keyproto.Answer{}, errors.New("no request")
	}
	return exchange(conn, b)
}

// message is what a server of TLS 1.3 signs.
var message = []byte(strings.Repeat(" ", 64) + "TLS 1.3, server CertificateVerify\x00" + strings.Repeat("h", 32))

func proof(t *testing.T, key *ecdsa.PrivateKey) keyproto.Request {
	b, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return keyproto.Request{
		Op: keyproto.Sign, Kind: keyproto.Server, Name: "a.test", Key: sha256.Sum256(b), Hash: crypto.SHA256,
		Message: message,
	}
}

func signed(key *ecdsa.PrivateKey, a keyproto.Answer) bool {
	sum := sha256.Sum256(message)
	return a.Status == keyproto.Done && len(a.Parts) == 1 && ecdsa.VerifyASN1(&key.PublicKey, sum[:], a.Parts[0])
}

func TestAHostileCallerGetsASignatureOrNothing(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	key := install(t)
	q := proof(t, key)
	for _, c := range []struct {
		shell string
		must  bool // there is a signature
	}{
		{`exec "$KEY"`, true},
		{`exec "$KEY" -x --help "$(printf %030000d 1)"`, true},
		{`exec "$KEY" 0<&- 1<&- 2<&-`, true},
		{`exec "$KEY" 0</ 1>/dev/full 2>/dev/full`, true},
		{`umask 777; exec "$KEY"`, true},
		{`d=$(mktemp -d); cd $d; rmdir $d; exec "$KEY"`, true},
		{`exec prlimit --fsize=0 "$KEY"`, true},
		{`exec prlimit --nofile=3 "$KEY"`, false},
		{`exec prlimit --nofile=5 "$KEY"`, false},
		{`exec prlimit --nproc=1 "$KEY"`, false},
		{`exec prlimit --as=100000000 "$KEY"`, false},
		{`exec prlimit --data=1000000 "$KEY"`, false},
		{`exec prlimit --core=unlimited "$KEY"`, true},
		{`exec prlimit --core=0 --cpu=1 "$KEY"`, true},
		{`exec env --ignore-signal "$KEY"`, true},
		{`exec env --block-signal "$KEY"`, true},
		{`exec env -i "$KEY"`, false}, // without a name of the program
		{`GODEBUG=gctrace=1,schedtrace=1,madvdontneed=1,inittrace=1,asyncpreemptoff=1 exec "$KEY"`, true},
		{`GODEBUG=fips140=only exec "$KEY"`, false},
		{`GODEBUG=fips140=debug,rsa1024min=0,tlssha1=1,x509sha1=1 exec "$KEY"`, false},
		{`GOGC=1 exec "$KEY"`, true},
		{`GOGC=off GOMEMLIMIT=1 exec "$KEY"`, false},
		{`GOMEMLIMIT=x exec "$KEY"`, false},
		{`GOTRACEBACK=crash exec "$KEY"`, true},
		{`GOCOVERDIR=/tmp TMPDIR=/nonexistent exec "$KEY"`, true},
		{`TZ=/etc/shadow ZONEINFO=/etc/shadow LD_PRELOAD=/tmp/x SSL_CERT_FILE=/etc/shadow exec "$KEY"`, true},
		{`PATH=/nonexistent HOME=/ QMAILHOME=/tmp exec "$KEY"`, true},
	} {
		conn, cmd := start(t, conf.UserNames().Daemon, c.shell)
		a, err := ask(conn, q)
		if !signed(key, a) && (c.must || err == nil) {
			t.Errorf("%s: %+v, %v", c.shell, a, err)
		}
		conn.Close()
		if err := cmd.Wait(); c.must && err != nil {
			t.Errorf("%s: %v", c.shell, err)
		}
	}
}

func TestACallerIsServedByItsRealUserAndOthersAreNot(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	key := install(t)
	_, private, certificate := pair(t)
	put(t, home("control/clientcert.pem"), conf.UserNames().Key, 0o600, private, certificate)
	put(t, home("keys/dkim/a.test/s.pem"), conf.UserNames().Key, 0o600, private)
	os.Chmod(home("keys/dkim/a.test"), 0o755)
	requests := map[string]keyproto.Request{
		"server": {Op: keyproto.Chain, Kind: keyproto.Server, Name: "a.test"}, "proof": proof(t, key),
		"client": {Op: keyproto.Chain, Kind: keyproto.Client},
		"mail":   {Op: keyproto.Chain, Kind: keyproto.DKIM, Name: "a.test/s"},
	}
	users := conf.UserNames()
	for user, may := range map[string]string{
		users.Daemon: "server proof", users.Remote: "client mail", "root": "server proof client mail",
	} {
		conn, _ := start(t, user, "")
		for what, q := range requests {
			want := keyproto.Refused
			if strings.Contains(may, what) {
				want = keyproto.Done
			}
			if a, err := ask(conn, q); err != nil || a.Status != want {
				t.Errorf("%s asks for %s: %c %s, %v; want %c", user, what, a.Status, a.Reason, err, want)
			}
		}
	}
	for _, user := range []string{users.Alias, users.Log, users.Passwd, users.Queue, users.Send, users.Key, "orcjoe"} {
		conn, cmd := start(t, user, "")
		if a, err := ask(conn, requests["server"]); err == nil {
			t.Errorf("%s is served: %+v", user, a)
		}
		if cmd.Wait(); cmd.ProcessState.ExitCode() != 100 && cmd.ProcessState.ExitCode() != 111 {
			t.Errorf("%s: %v", user, cmd.ProcessState)
		}
	}
}

// as runs a command as a user, and returns whether it succeeded.
func as(t *testing.T, user string, command ...string) bool {
	t.Helper()
	uid, gid, _ := testqmail.Account(user)
	args := append([]string{"--reuid=" + strconv.Itoa(uid), "--regid=" + strconv.Itoa(gid), "--clear-groups"}, command...)
	return exec.Command("setpriv", args...).Run() == nil
}

func TestACallerCannotTouchWhatItStarted(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	key := install(t)
	for _, user := range []string{conf.UserNames().Daemon, "root"} {
		conn, cmd := start(t, user, "")
		if a, err := ask(conn, proof(t, key)); !signed(key, a) {
			t.Fatal(a, err)
		}
		pid := strconv.Itoa(cmd.Process.Pid)
		want, _, _ := testqmail.Account(conf.UserNames().Key)
		status, err := os.ReadFile("/proc/" + pid + "/status")
		uids := fmt.Sprintf("\nUid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", want)
		if !strings.Contains(string(status), uids) || !strings.Contains(string(status), "\nCapPrm:\t0000000000000000\n") {
			t.Errorf("started by %s it has %q, %v", user, status, err)
		}
		for _, c := range [][]string{
			{"kill", "-TERM", pid}, {"kill", "-KILL", pid}, {"cat", "/proc/" + pid + "/environ"},
			{"cat", "/proc/" + pid + "/maps"}, {"ls", "/proc/" + pid + "/fd/"},
			{"dd", "if=/proc/" + pid + "/mem", "count=1"}, {"prlimit", "--pid", pid, "--cpu=1"},
		} {
			if as(t, conf.UserNames().Daemon, c...) {
				t.Errorf("started by %s: its caller can %q", user, c)
			}
		}
		if a, err := ask(conn, proof(t, key)); !signed(key, a) {
			t.Errorf("it serves no more: %+v, %v", a, err)
		}
	}
	users := conf.UserNames()
	for _, user := range []string{
		users.Daemon, users.Remote, users.Queue, users.Send, users.Passwd, users.Alias, users.Log, "orcjoe",
	} {
		for _, path := range []string{"keys/tls/a.test.pem", "keys/tls", "keys", "keys/dkim"} {
			path, in := home(path), home(path)+"/x"
			if as(t, user, "ls", path+"/.") || as(t, user, "cat", path) || as(t, user, "touch", in) {
				t.Errorf("%s reaches %s", user, path)
			}
		}
	}
}

func TestWhoeverSendsNonsenseIsHungUpOnAndNobodyElse(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	key := install(t)
	parent, cmd := start(t, conf.UserNames().Daemon, "")
	client := func() *os.File {
		here, there, err := sys.PacketPair()
		if err != nil {
			t.Fatal(err)
		}
		if err := sys.SendPacket(parent, []byte{byte(keyproto.Admit)}, there); err != nil {
			t.Fatal(err)
		}
		there.Close()
		t.Cleanup(func() { here.Close() })
		return here
	}
	honest := client()
	other, otherEnd, _ := os.Pipe()
	defer other.Close()
	defer otherEnd.Close()
	for _, packet := range []string{
		"x", "c", "cs", "ss\x00", "as\x00", "a", "cs../../../etc/passwd\x00", "csA\x00", "cz\x00",
		strings.Repeat("c", 30_000), "ssa.test\x00" + strings.Repeat("k", 34), "\x00",
	} {
		bad := client()
		if a, err := exchange(bad, []byte(packet)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%.40q: %+v, %v", packet, a, err)
		}
	}
	thief := client()
	if a, err := exchange(thief, []byte{byte(keyproto.Admit)}, other); err == nil {
		t.Errorf("a client brought another: %+v", a)
	}
	silent := client()
	for range 50 {
		b, _ := keyproto.Request{Op: keyproto.Chain, Kind: keyproto.Server, Name: "a.test"}.Append(nil)
		if sys.SendPacket(silent, b) != nil {
			break
		}
	}
	if sys.SendPacket(parent, []byte{byte(keyproto.Admit)}, other) != nil { // no socket at all
		t.Error("the parent is hung up on")
	}
	late := client()
	for _, c := range []*os.File{honest, parent, late} {
		if a, err := ask(c, proof(t, key)); !signed(key, a) {
			t.Errorf("%+v, %v", a, err)
		}
	}
	parent.Close()
	if a, err := ask(honest, proof(t, key)); !signed(key, a) {
		t.Errorf("without its parent: %+v, %v", a, err)
	}
	for _, c := range []*os.File{honest, silent, late} {
		c.Close()
	}
	poll.Until(t, "it ends with its last client", func() bool {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/status")
		return err != nil || strings.Contains(string(status), "\nState:\tZ")
	})
}

func TestManyClientsAreServedAtOnceAndEachGetsItsOwnAnswer(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	key := install(t)
	parent, _ := start(t, conf.UserNames().Daemon, "")
	const clients, questions = 100, 5
	failed := make(chan error, clients)
	for i := range clients {
		here, there, err := sys.PacketPair()
		if err != nil {
			t.Fatal(err)
		}
		if err := sys.SendPacket(parent, []byte{byte(keyproto.Admit)}, there); err != nil {
			t.Fatal(err)
		}
		there.Close()
		go func() {
			defer here.Close()
			q := proof(t, key)
			q.Message = append(bytes.Clone(message[:len(message)-32]), bytes.Repeat([]byte{byte(i)}, 32)...)
			sum := sha256.Sum256(q.Message)
			for range questions {
				a, err := ask(here, q)
				if err != nil || a.Status != keyproto.Done || !ecdsa.VerifyASN1(&key.PublicKey, sum[:], a.Parts[0]) {
					failed <- fmt.Errorf("client %d: %+v, %v", i, a, err)
					return
				}
			}
			failed <- nil
		}()
	}
	for range clients {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
