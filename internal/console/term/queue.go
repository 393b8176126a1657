package term

import (
	"fmt"
	"sync"
	"time"
)

const (
	// maxQueue is how many lines may wait for the terminal.
	maxQueue = 4096
	// redrawEvery is the least time between two redraws of the prompt; lines that come faster are
	// drawn together. 20 ms is 50 a second: more cannot be read, and costs over slow links.
	redrawEvery = 20 * time.Millisecond
)

// queue collects lines, and has them drawn by one goroutine, so that a slow terminal stops
// nobody but those who want to wait for it.
type queue struct {
	draw func(take func() []string)
	wake chan struct{} // has room for one
	done chan struct{} // closed by close
	over chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	room    sync.Cond // signalled when lines were taken; on mu
	lines   []string  // guarded by mu, like all below
	dropped int       // how many lines did not fit since the last draw
	closed  bool
}

// newQueue starts the goroutine. draw may take the lines that wait, or leave them for the next kick.
func newQueue(draw func(take func() []string)) *queue {
	q := &queue{draw: draw, wake: make(chan struct{}, 1), done: make(chan struct{}), over: make(chan struct{})}
	q.room.L = &q.mu
	go q.run()
	return q
}

func (q *queue) run() {
	defer close(q.over)
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-q.wake:
		case <-q.done:
			return
		}
		q.draw(q.take)
		rest.Reset(redrawEvery)
		select {
		case <-rest.C:
		case <-q.done:
			return
		}
	}
}

// put adds a line. When the queue is full it waits if wait is set, and else drops the line.
func (q *queue) put(line string, wait bool) {
	q.mu.Lock()
	for len(q.lines) >= maxQueue && !q.closed {
		if !wait {
			q.dropped++
			q.mu.Unlock()
			return
		}
		q.room.Wait()
	}
	q.lines = append(q.lines, line)
	closed := q.closed
	q.mu.Unlock()
	if closed {
		q.draw(q.take)
		return
	}
	q.kick()
}

// kick asks for a draw.
func (q *queue) kick() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (q *queue) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := q.lines
	q.lines = nil
	if q.dropped > 0 {
		lines = append(lines, fmt.Sprintf("… %d lines are not shown: the terminal is too slow", q.dropped))
		q.dropped = 0
	}
	q.room.Broadcast()
	return lines
}

// flush draws all lines that wait now.
func (q *queue) flush() { q.draw(q.take) }

// close ends the goroutine and draws what is left. Lines that come later are drawn by those who put them.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.room.Broadcast()
	q.mu.Unlock()
	close(q.done)
	<-q.over
	q.flush()
}
