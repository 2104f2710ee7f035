package send

import (
	"io"
	"testing"
	"time"
)

func TestTheQueueIsNotLookedAtBeforeQmailCleanAnswers(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	over := make(chan struct{})
	go func() {
		Pipe{inW, outR}.Await()
		close(over)
	}()
	b := make([]byte, 10)
	if n, err := inR.Read(b); n != 1 || b[0] != 0 || err != nil {
		t.Fatalf("asked %q, %v", b[:n], err)
	}
	select {
	case <-over:
		t.Error("did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	outW.Write([]byte("x"))
	<-over
}

func TestALostQmailCleanIsNotWaitedFor(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	go io.Copy(io.Discard, inR)
	outW.Close()
	Pipe{inW, outR}.Await()
	inR.Close()
	Pipe{inW, outR}.Await()
}
