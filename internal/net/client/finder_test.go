package client

import (
	"net"
	"os"
	"testing"
	"time"
)

func TestAHostThatRefusesIsAskedAgainOnlyLater(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, conn := connect(t, l)
	var f Finder
	find := func() {
		t.Helper()
		if got, err := f.Of(conn, Options{Ident: true, Timeout: time.Minute}, os.DevNull); err != nil ||
			got.RemoteInfo != "" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	find()
	if f.at.IsZero() {
		t.Skip("this machine has an ident server")
	}
	first := time.Now()
	f.at = first
	find()
	if f.at != first {
		t.Error("it was asked again at once")
	}
	f.at = first.Add(-refusal)
	find()
	if !f.at.After(first) {
		t.Error("it was not asked again")
	}
	f.at = time.Now()
	f.refused = f.refused.Next()
	find()
	if f.refused.String() != "127.0.0.1" {
		t.Error("another host's refusal counted")
	}
}
