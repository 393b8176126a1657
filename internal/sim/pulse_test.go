package sim

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// slow is a reader of a run, who takes what is written when the test says so.
type slow struct{ writing, goOn chan struct{} }

func (s slow) Write(b []byte) (int, error) {
	s.writing <- struct{}{}
	<-s.goOn
	return len(b), nil
}

func TestPulse(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var p Pulse
	ticks, ended, result := make(chan time.Time), make(chan struct{}), make(chan error, 1)
	look := func(n int) {
		for range n {
			ticks <- time.Time{}
		}
	}
	watch := func() { result <- p.Watch(ctx, ticks, ended) }

	go watch()
	look(patience - 1)
	p.Beat()
	look(patience - 1)
	reader := slow{make(chan struct{}), make(chan struct{})}
	written := make(chan error, 1)
	go func() {
		_, err := p.Text(reader).Write([]byte("x"))
		written <- err
	}()
	<-reader.writing
	look(3 * patience) // it is the reader who stands still
	close(reader.goOn)
	if err := <-written; err != nil {
		t.Error(err)
	}
	close(ended)
	if err := <-result; err != nil || p.givenUp() {
		t.Error("a run that moves was given up", err)
	}

	ended = make(chan struct{})
	go watch()
	look(patience)
	if err := <-result; !errors.Is(err, errStill) || !p.givenUp() {
		t.Error(err)
	}
	if _, err := p.Text(io.Discard).Write([]byte("x")); err == nil {
		t.Error("a run that was given up writes")
	}

	enough := errors.New("enough")
	cancel(enough)
	go watch()
	look(impatience)
	if err := <-result; !errors.Is(err, enough) {
		t.Error(err)
	}
}
