package host

import (
	"context"
	"encoding/gob"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"peerlab.example/peerlab/internal/sim"
)

// message is what a worker says. One in which nothing is set says that its guest moves.
type message struct {
	Ready  bool   // the guest is compiled
	Output []byte // what the guest writes
	Ended  *ended
}

// Work is a worker: it runs guests of the program in file for a Pool, one after the other, until in ends. compiled is a folder that keeps
// what was compiled for the next worker; empty keeps nothing. A guest that runs when in ends is left behind, to end with the process.
func Work(ctx context.Context, in io.Reader, out io.Writer, file, compiled string) error {
	wasm, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	h, err := newHost(ctx, wasm, compiled)
	if err != nil {
		return err
	}
	w := &worker{messages: gob.NewEncoder(out)}
	w.send(message{Ready: true})
	jobs, gone := make(chan job), make(chan struct{})
	go func() { // as long as in does not end
		defer close(gone)
		for todo := gob.NewDecoder(in); ; {
			var j job
			if todo.Decode(&j) != nil {
				return
			}
			jobs <- j
		}
	}()
	for {
		select {
		case <-gone:
			return nil
		case j := <-jobs:
			done := make(chan *ended, 1)
			go func() { done <- w.run(ctx, h, j) }()
			select {
			case <-gone:
				return nil
			case e := <-done:
				w.send(message{Ended: e})
			}
		}
	}
}

// worker is the side of the pipe that runs guests.
type worker struct {
	mu       sync.Mutex
	messages *gob.Encoder // guarded by mu
}

// send does nothing when nobody reads any more: then this process is about to end.
func (w *worker) send(m message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.messages.Encode(m)
}

// Write sends what a guest writes.
func (w *worker) Write(b []byte) (int, error) {
	w.send(message{Output: b})
	return len(b), nil
}

// run runs a guest, and says now and then that it moves, if it does.
func (w *worker) run(ctx context.Context, h *host, j job) *ended {
	var beats atomic.Uint64
	done := make(chan struct{})
	var telling sync.WaitGroup
	defer telling.Wait()
	defer close(done)
	telling.Go(func() {
		looks := time.NewTicker(sim.LookEvery)
		defer looks.Stop()
		for last := uint64(0); ; {
			select {
			case <-done:
				return
			case <-looks.C:
				if now := beats.Load(); now != last {
					last = now
					w.send(message{})
				}
			}
		}
	})
	return h.run(ctx, j, w, func() { beats.Add(1) })
}
