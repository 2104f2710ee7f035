package queue

import (
	"runtime"
	"sync"
)

// syncsAtOnce bounds the threads that wait for the disk. More of them share no more journal commits.
const syncsAtOnce = 32

// together runs all of fns at once and returns the first error that it sees, after all have ended.
func together(fns ...func() error) error {
	if runtime.GOMAXPROCS(0) < len(fns) {
		// With too few processors a function begins only when the runtime has noticed that another waits for the disk.
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(len(fns)))
	}
	errs := make(chan error, len(fns))
	for _, fn := range fns[1:] {
		go func() { errs <- fn() }()
	}
	err := fns[0]()
	for range fns[1:] {
		if e := <-errs; err == nil {
			err = e
		}
	}
	return err
}

// each runs fn for 0 to n-1, at most syncsAtOnce at a time, and returns after all have ended.
func each(n int, fn func(i int)) {
	if n == 1 {
		fn(0)
		return
	}
	var wg sync.WaitGroup
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range min(n, syncsAtOnce) {
		wg.Go(func() {
			for i := range next {
				fn(i)
			}
		})
	}
	wg.Wait()
}
