package network

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestFreeze stops a host: it is silent, its connections stay, and what it was about to do it does when it goes on.
func TestFreeze(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		a, b := m.Host("10.0.0.1"), m.Host("10.0.0.2")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		pa, err := a.ListenPacket(t.Context(), "10.0.0.1:1")
		must(err)
		pb, err := b.ListenPacket(t.Context(), "10.0.0.2:1")
		must(err)
		l, err := b.Listen(t.Context(), Streams, "10.0.0.2:1")
		must(err)
		near, err := a.Dial(t.Context(), Streams, "10.0.0.2:1")
		must(err)
		far, err := l.Accept()
		must(err)
		took := make(chan string, 10)
		begin := time.Now()
		note := func(what string) { took <- what + " " + time.Since(begin).String() }
		go func() { // waits for a packet already when the host is frozen
			buf := make([]byte, 10)
			n, _, err := pb.ReadFrom(buf)
			if err == nil {
				note(string(buf[:n]))
			}
		}()
		go func() {
			buf := make([]byte, 10)
			n, err := io.ReadFull(far, buf[:6])
			if err == nil {
				note(string(buf[:n]))
			}
		}()
		synctest.Wait()
		m.Freeze("10.0.0.2")
		_, err = pa.WriteTo([]byte("packet"), pb.LocalAddr())
		must(err)
		_, err = near.Write([]byte("stream")) // to others it is only silent
		must(err)
		go func() {
			if _, err := pb.WriteTo([]byte("late"), pa.LocalAddr()); err == nil {
				note("sent")
			}
		}()
		go func() {
			if _, err := far.Write([]byte("late")); err == nil {
				note("wrote")
			}
		}()
		must(pa.SetReadDeadline(time.Now().Add(5 * time.Second)))
		if _, _, err := pa.ReadFrom(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a frozen host sent: %v", err)
		}
		select {
		case what := <-took:
			t.Errorf("a frozen host did something: %s", what)
		default:
		}
		m.Thaw("10.0.0.2")
		got := map[string]bool{}
		for range 4 {
			got[<-took] = true
		}
		for _, want := range []string{"packet 5s", "stream 5s", "sent 5s", "wrote 5s"} {
			if !got[want] {
				t.Errorf("no %q in %v", want, got)
			}
		}

		m.Freeze("10.0.0.2")
		ended := make(chan error, 1)
		go func() {
			_, err := far.Write([]byte("never"))
			ended <- err
		}()
		synctest.Wait()
		m.Kill("10.0.0.2")
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("killed while frozen: %v", err)
		}
	})
}
