package network

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

func TestCloseOfAPartitionedStream(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		for _, healed := range []bool{true, false} {
			near, far := l.conns(f)
			set(l.t, f, "partition alice | bob")
			_, _ = near.Write([]byte("last words"))
			waits := make(chan error)
			go func() {
				_, err := near.Read(make([]byte, 1))
				waits <- err
			}()
			<-time.After(time.Second)
			if err := near.Close(); err != nil {
				l.t.Error(err)
			}
			if err := <-waits; !errors.Is(err, net.ErrClosed) {
				l.t.Errorf("who read got %v", err)
			}
			if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				l.t.Errorf("write on closed: %v", err)
			}
			if err := near.Close(); !errors.Is(err, net.ErrClosed) {
				l.t.Errorf("close again: %v", err)
			}
			start := time.Now()
			want := ""
			if healed {
				want = "last words"
				go func() {
					<-time.After(time.Minute)
					f.HealAll()
				}()
			}
			got, err := io.ReadAll(far)
			if string(got) != want || err != nil || healed && time.Since(start) != time.Minute || !healed && time.Since(start) != linger {
				l.t.Errorf("healed %v: %q, %v after %s", healed, got, err, time.Since(start))
			}
		}
	})
}

func TestDialOverACutLink(t *testing.T) {
	for _, rule := range []string{"partition", "partition alice -> bob", "partition bob -> alice", "loss 100%"} {
		t.Run(rule, func(t *testing.T) {
			inFaultLab(t, func(l *faultLab) {
				f := l.at(alice)
				ln, err := l.at(bob).Listen(t.Context(), RPC, ":0")
				if err != nil {
					l.t.Fatal(err)
				}
				defer ln.Close()
				set(l.t, f, rule)
				ctx, cancel := context.WithTimeout(l.t.Context(), 3*time.Second)
				defer cancel()
				start := time.Now()
				var ne net.Error
				if _, err := f.Dial(ctx, RPC, ln.Addr().String()); !errors.As(err, &ne) || !ne.Timeout() || time.Since(start) != 3*time.Second {
					l.t.Errorf("%v after %s", err, time.Since(start))
				}
				start = time.Now()
				if _, err := f.Dial(l.t.Context(), RPC, ln.Addr().String()); err == nil || time.Since(start) != dialTimeout {
					l.t.Errorf("without an end: %v after %s", err, time.Since(start))
				}
				go func() {
					<-time.After(time.Second)
					_, _ = f.HealLink("bob", "alice")
				}()
				start = time.Now()
				c, err := f.Dial(l.t.Context(), RPC, ln.Addr().String())
				if err != nil || time.Since(start) != time.Second {
					l.t.Fatalf("healed: %v after %s", err, time.Since(start))
				}
				_ = c.Close()
				set(l.t, f, "latency 1s")
				start = time.Now()
				if _, err := f.Dial(l.t.Context(), RPC, bob+":1"); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(start) != 2*time.Second {
					l.t.Errorf("to nobody: %v after %s", err, time.Since(start))
				}
			})
		})
	}
}

func TestAResetIsSilentTooUntilHealed(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		near, _ := l.conns(f)
		set(l.t, f, "partition")
		go func() {
			<-time.After(time.Second)
			l.memory.Kill(bob)
			<-time.After(time.Second)
			f.HealAll()
		}()
		start := time.Now()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) || time.Since(start) != 2*time.Second {
			l.t.Errorf("%v after %s", err, time.Since(start))
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			l.t.Errorf("write: %v", err)
		}
	})
}

func TestCloseEndsWhatFaultsHold(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		near, far := l.conns(f)
		set(l.t, f, "partition")
		_, _ = near.Write([]byte("never sent"))
		ends := make(chan error)
		go func() {
			_, err := near.Read(make([]byte, 1))
			ends <- err
		}()
		go func() {
			_, err := f.Dial(context.Background(), RPC, far.LocalAddr().String())
			ends <- err
		}()
		<-time.After(time.Second)
		if err := f.Close(); err != nil {
			l.t.Error(err)
		}
		for range 2 {
			if err := <-ends; err == nil {
				l.t.Error("no error")
			}
		}
		if got, err := io.ReadAll(far); len(got) > 0 {
			l.t.Errorf("%q slipped through, %v", got, err)
		}
		if c, err := f.Dial(context.Background(), RPC, far.LocalAddr().String()); err != nil {
			l.t.Errorf("without faults: %v", err)
		} else {
			_ = c.Close()
		}
	})
}
