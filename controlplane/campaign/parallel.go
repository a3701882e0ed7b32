package campaign

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel does the jobs 0 to n-1, in any order, on as many goroutines as there are processors for. Each goroutine makes its own
// worker.
func parallel(n int, worker func() func(job int)) {
	var next atomic.Int64
	work := func() {
		do := worker()
		for job := next.Add(1) - 1; job < int64(n); job = next.Add(1) - 1 {
			do(int(job))
		}
	}
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}
