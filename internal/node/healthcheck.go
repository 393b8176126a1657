package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// defaultCheck is how often a watchdog looks, and how long a look may take.
const defaultCheck = time.Second

// WatchdogConfig is what a watchdog looks at.
type WatchdogConfig struct {
	// What is looked at, such as "store"; for messages.
	What string
	// Check returns nil when all is well. It honours its context.
	Check func(ctx context.Context) error
	// Every is the time between two looks, of which up to a fifth is left to chance; 0 means a second. A look that
	// takes longer than Timeout, 0 meaning a second, finds something bad.
	Every, Timeout time.Duration
	// Changed is told of the first look, and then of each change, one after the other. It must not block.
	Changed func(ok bool)
	Log     zerolog.Logger
}

// Watchdog looks again and again whether something works that a node needs. It is not healthy before its first
// look, and no more once it drains.
type Watchdog struct {
	cfg    WatchdogConfig
	log    zerolog.Logger
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu       sync.Mutex
	err      error // guarded by mu; of the last look, in words for everybody
	draining bool  // guarded by mu
}

// Why a watchdog is not healthy, besides what it looks at.
var (
	errNotChecked = errors.New("starting")
	errDraining   = errors.New("draining: this node ends")
)

// NewWatchdog makes a watchdog and starts nothing.
func NewWatchdog(c WatchdogConfig) *Watchdog {
	if c.Every == 0 {
		c.Every = defaultCheck
	}
	if c.Timeout == 0 {
		c.Timeout = defaultCheck
	}
	w := &Watchdog{cfg: c, log: c.Log.With().Str("component", "node").Logger(), err: errNotChecked}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Start looks for the first time, waits for the outcome, and goes on looking until Close.
func (w *Watchdog) Start() {
	first := make(chan struct{})
	w.tasks.Go(func() {
		w.look()
		close(first)
		for w.pause() {
			w.look()
		}
	})
	<-first
}

// Close ends the looking, and waits for it.
func (w *Watchdog) Close() error {
	w.cancel()
	w.tasks.Wait()
	return nil
}

// Drain makes the watchdog unhealthy for good.
func (w *Watchdog) Drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining = true
}

// Healthy returns nil when the last look found that all is well. The error has no secrets in it.
func (w *Watchdog) Healthy() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining {
		return errDraining
	}
	return w.err
}

// pause waits for the next look; false at the end.
func (w *Watchdog) pause() bool {
	t := time.NewTimer(w.cfg.Every - rand.N(w.cfg.Every/5+1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.ctx.Done():
		return false
	}
}

// look checks once. What does not answer in time is bad from then on, even if the check itself goes on.
func (w *Watchdog) look() {
	ctx, cancel := context.WithTimeout(w.ctx, w.cfg.Timeout)
	defer cancel()
	answer := make(chan error, 1)
	w.tasks.Go(func() { answer <- w.cfg.Check(ctx) })
	select {
	case err := <-answer:
		w.found(err)
	case <-ctx.Done():
		w.found(ctx.Err())
		_ = <-answer // so that no two checks run at once
	}
}

// found takes over the outcome of a look.
func (w *Watchdog) found(err error) {
	if w.ctx.Err() != nil {
		return // the node ends, which says nothing about what is looked at
	}
	var now error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		now = fmt.Errorf("the %s does not answer within %v", w.cfg.What, w.cfg.Timeout)
	case err != nil:
		now = fmt.Errorf("the %s fails; the log says why", w.cfg.What) // err may name hosts, files and accounts
	}
	w.mu.Lock()
	before, quiet := w.err, w.draining
	w.err = now
	w.mu.Unlock()
	if (before == nil) == (now == nil) && !errors.Is(before, errNotChecked) {
		return
	}
	switch {
	case now != nil:
		w.log.Warn().Err(err).Msgf("not healthy: the %s fails", w.cfg.What)
	case !errors.Is(before, errNotChecked):
		w.log.Info().Msgf("healthy: the %s works again", w.cfg.What)
	}
	if !quiet {
		w.cfg.Changed(now == nil)
	}
}

// Handler answers 200 and "ok" while the node is healthy, else 503 and why it is not; for load balancers.
func (w *Watchdog) Handler() http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { answerHealth(out, w.Healthy()) })
}

// Alive answers 200 and "ok" for as long as the process can answer at all, whatever it needs and cannot reach; for
// what would start it again.
func Alive() http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { answerHealth(out, nil) })
}

func answerHealth(out http.ResponseWriter, err error) {
	h := out.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	text := "ok\n"
	if err != nil {
		out.WriteHeader(http.StatusServiceUnavailable)
		text = err.Error() + "\n"
	}
	_, _ = io.WriteString(out, text) // whoever asked may be gone
}
