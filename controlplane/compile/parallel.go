package compile

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel does the jobs 0 to n-1, in any order, on as many goroutines as there are processors for.
func parallel(n int, do func(job int)) {
	var next atomic.Int64
	work := func() {
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

// batch is how many ads one job takes.
const batch = 4096

// inBatches calls do for consecutive ranges of 0 to n-1 in parallel.
func inBatches(n int, do func(job, begin, end int)) {
	parallel((n+batch-1)/batch, func(job int) { do(job, job*batch, min((job+1)*batch, n)) })
}
