package send

import (
	"fmt"
	"testing"
)

func TestListsThatWaitForAHostKeepNobodyElse(t *testing.T) {
	s := newSite(t)
	s.limit = 100
	s.set("concurrencyremote", "100\n")
	s.combine = 5
	told := make(chan struct{})
	s.during = func(rcpts []string, _, _ string) {
		if hostOf(rcpts[0]) == "far.test" && len(rcpts) > 1 {
			<-told
		}
	}
	var all []string
	inject := func(name, host string, n int) {
		rcpts := list(n, host)
		for k := range rcpts {
			rcpts[k] = name + rcpts[k]
		}
		all = append(all, rcpts...)
		s.inject("a@b", rcpts...)
	}
	for i := range 3 * ahead {
		inject(fmt.Sprintf("m%d", i), "far.test", fewRecipients+10)
	}
	r := s.start()
	defer r.stop()
	s.until("new msg", 3*ahead)
	inject("other", "near.test", fewRecipients+10)
	r.pull()
	s.until("to remote otheru9@near.test", 1)
	close(told)
	s.until("end msg", 3*ahead+1)
	s.served(all...)
	s.within(100)
}
