package listener

import (
	"bufio"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const grace = 500 * time.Millisecond

// crowded serves few connections, and returns what it logs.
func crowded(t *testing.T, limit int) (address string, log *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	address, _, _ = serve(t, Service{
		Limit: limit, PerAddress: limit, Grace: grace, Busy: "busy\n", Log: w, Verbose: true,
	})
	return address, bufio.NewReader(r)
}

// awaitLine reads the log up to a line that matches.
func awaitLine(t *testing.T, log *bufio.Reader, pattern string) {
	t.Helper()
	re := regexp.MustCompile("^tcp-env: " + pattern + "\n$")
	for range 100 {
		l, err := log.ReadString('\n')
		if err != nil {
			break
		}
		if re.MatchString(l) {
			return
		}
	}
	t.Errorf("no line of the log is %s", pattern)
}

func TestWhoHasManyConnectionsMakesRoomForWhoHasNone(t *testing.T) {
	address, log := crowded(t, 4)
	var silent []caller
	for range 4 {
		c := dial(t, address, "127.0.0.1")
		c.line()
		silent = append(silent, c)
	}
	for range 2 {
		if got := dial(t, address, "127.0.0.2").line(); got != "-R a b 0,1\n" {
			t.Errorf("the other address got %q", got)
		}
	}
	open := 0
	for _, c := range silent {
		if c.waits(50 * time.Millisecond) {
			open++
		}
	}
	if open > 2 {
		t.Errorf("%d silent connections are open", open)
	}
	awaitLine(t, log, `127\.0\.0\.1 pid \d+: connection 1 of 4`)
	awaitLine(t, log, `127\.0\.0\.1 pid \d+: ended a connection after \d+ seconds: all 4 are open`)
}

func TestTheSlowMakeRoomAndTheBusyStay(t *testing.T) {
	address, _ := crowded(t, 3)
	stop := make(chan struct{})
	defer close(stop)
	open := func(from, text string, every time.Duration) caller {
		c := dial(t, address, from)
		if got := c.line(); got != "-R a b 0,1\n" {
			t.Errorf("%s got %q", from, got)
		}
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(every):
					io.WriteString(c.Conn, text)
				}
			}
		}()
		return c
	}
	busy := open("127.0.0.1", strings.Repeat("x", 1000)+"\n", 20*time.Millisecond)
	silent := open("127.0.0.2", "", time.Minute)
	drips := open("127.0.0.3", "\n", 100*time.Millisecond)
	time.Sleep(2 * grace)
	open("127.0.0.4", strings.Repeat("x", 1000)+"\n", 20*time.Millisecond)
	open("127.0.0.5", strings.Repeat("x", 1000)+"\n", 20*time.Millisecond)
	for _, c := range []caller{silent, drips} {
		if b, err := io.ReadAll(c.r); len(b) > 1000 || os.IsTimeout(err) {
			t.Errorf("a slow client is still there: %d bytes, %v", len(b), err)
		}
	}
	for range 200 { // what it has sent until now, and something of later
		if busy.line() == "" {
			t.Fatal("the busy client had to go")
		}
	}
}

func TestWhoHasManyConnectionsIsToldThatThereIsNoRoom(t *testing.T) {
	address, log := crowded(t, 4)
	for range 4 {
		dial(t, address, "127.0.0.1").line()
	}
	if got := dial(t, address, "127.0.0.1").line(); got != "busy\n" {
		t.Errorf("%q", got)
	}
	awaitLine(t, log, `127\.0\.0\.1 pid \d+: refused 1 connections: 4 of its address are open`)
}

func TestConnectionsOfFourAddressesDoNotKeepAFifthOut(t *testing.T) {
	const limit = 40
	address, _, _ := serve(t, Service{
		Limit: limit, PerAddress: DefaultPerAddress(limit), Grace: grace, Log: os.Stderr,
	})
	for _, from := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"} {
		for range limit / 4 {
			dial(t, address, from).line()
		}
	}
	for range 20 {
		c := dial(t, address, "127.0.0.5")
		if c.line() == "" {
			t.Fatal("it was not served")
		}
		c.Close()
	}
}

// Each address of the network has one connection, and does something.
func TestWhoHasAWholeNetworkKeepsNobodyOutByBusyConnections(t *testing.T) {
	const limit = 8
	address, log := crowded(t, limit)
	stop := make(chan struct{})
	defer close(stop)
	open := func(from string) caller {
		c := dial(t, address, from)
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(grace / 20):
					io.WriteString(c.Conn, strings.Repeat("x", 1000)+"\n")
				}
			}
		}()
		return c
	}
	for i := range limit {
		if got := open("127.0.1." + strconv.Itoa(i+1)).line(); got != "-R a b 0,1\n" {
			t.Fatalf("%q", got)
		}
	}
	for range 3 {
		if got := open("127.0.2.1").line(); got != "-R a b 0,1\n" {
			t.Errorf("another network got %q", got)
		}
	}
	if got := open("127.0.1.200").line(); got != "busy\n" {
		t.Errorf("one more address of the network got %q", got)
	}
	awaitLine(t, log, `127\.0\.1\.200 pid \d+: refused 1 connections: all 8 are open, 0 of them its address's`)
}
