package testcoord

import (
	"context"
	"sync"
	"time"

	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// askEvery is how often a peer is asked for what its events do not tell.
const askEvery = 100 * time.Millisecond

// asker is a judge that has to ask its peer. Both methods are called with the lock held.
type asker interface {
	judge
	// question is a command whose result answers it.
	question() string
	answer(done *testcoordv1.Done)
}

// ask asks the peers of a watcher, again and again, where their judges want it. The caller calls stop before it ends the watcher.
func (c *Coordinator) ask(ctx context.Context, w *watcher) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	for i := range w.judges {
		if j, ok := w.judges[i].(asker); ok {
			asking.Go(func() { c.askOne(ctx, w, i, j) })
		}
	}
	return func() {
		cancel()
		asking.Wait()
	}
}

// askOne asks one peer until ctx ends. One that cannot answer now is asked later: what becomes of the expectation then, the watcher knows.
func (c *Coordinator) askOne(ctx context.Context, w *watcher, i int, j asker) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		k := c.startQuestion(w.peers[i].name, j.question())
		select {
		case <-k.ended:
		case <-ctx.Done():
			c.forget(k)
			return
		}
		c.mu.Lock()
		if k.err == nil && k.done != nil && !w.ended {
			j.answer(k.done)
			w.look(i)
			w.decide()
		}
		c.mu.Unlock()
		pause.Reset(askEvery)
	}
}

// startQuestion sends a command of which nobody else is told.
func (c *Coordinator) startQuestion(name, line string) *call {
	return c.send(name, &testcoordv1.Run{Line: line, Quiet: true}, true)
}

// forget gives up a call; its answer is not waited for.
func (c *Coordinator) forget(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !k.over() {
		delete(k.life.calls, k.id)
		close(k.ended)
	}
}
