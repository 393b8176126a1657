//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// settle is how long the size of the window must stay the same before the prompt is drawn for it.
	settle = 80 * time.Millisecond
	// refreshEvery is how often the prefix is looked at while nobody types.
	refreshEvery = 250 * time.Millisecond
)

// watch turns what comes from outside into keys: signals, the end of ctx, a window of another size,
// and a prefix that changed. The function it returns ends that.
func (f *front) watch(ctx context.Context) (stop func()) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGWINCH)
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		defer func() {
			if v := recover(); v != nil { // of Prefix or Alarm
				_ = f.parser.TearDown()
				panic(v)
			}
		}()
		f.watchUntil(ctx, signals, done)
	}()
	return func() {
		signal.Stop(signals)
		close(done)
		<-over
	}
}

func (f *front) watchUntil(ctx context.Context, signals <-chan os.Signal, done <-chan struct{}) {
	resized := time.NewTimer(settle)
	resized.Stop()
	defer resized.Stop()
	refresh := time.NewTicker(refreshEvery)
	defer refresh.Stop()
	ended := ctx.Done()
	for {
		select {
		case s := <-signals:
			if s == os.Interrupt {
				f.interrupt()
				continue
			}
			f.screen.pause()
			resized.Reset(settle)
		case <-resized.C:
			f.parser.wantRedo()
		case <-refresh.C:
			if f.prefix.changed(f.Prefix(), f.Alarm()) {
				f.parser.wantRefresh()
			}
		case <-ended:
			ended = nil
			f.parser.stop()
		case <-done:
			return
		}
	}
}
