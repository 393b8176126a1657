package network

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

func TestAPartitionedStreamIsSilent(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		near, far := l.conns(f)
		set(l.t, f, "partition alice | bob")

		// Writes are taken until the buffer is full, and then wait for the deadline.
		start := time.Now()
		_ = near.SetDeadline(start.Add(3 * time.Second))
		data := noise(lineBytes + 1000)
		n, err := near.Write(data)
		if n != lineBytes || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			l.t.Errorf("wrote %d after %s, %v", n, time.Since(start), err)
		}
		if _, err := far.Write([]byte("answer")); err != nil {
			l.t.Error(err)
		}
		_ = near.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := near.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			l.t.Errorf("read %d, %v", n, err)
		}
		_ = far.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := far.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			l.t.Errorf("the other end read %d, %v", n, err)
		}
		// A deadline that changes wakes who waits.
		_ = near.SetDeadline(time.Time{})
		go func() {
			<-time.After(time.Second)
			_ = near.SetReadDeadline(time.Now().Add(time.Second))
		}()
		start = time.Now()
		if _, err := near.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 2*time.Second {
			l.t.Errorf("%v after %s", err, time.Since(start))
		}
		_ = near.SetReadDeadline(time.Time{})

		f.HealAll()
		_ = far.SetReadDeadline(time.Time{})
		got := make([]byte, lineBytes)
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, data[:lineBytes]) {
			l.t.Errorf("after healing: %v", err)
		}
		if n, err := near.Read(got); string(got[:n]) != "answer" || err != nil {
			l.t.Errorf("after healing: %q, %v", got[:n], err)
		}
	})
}
