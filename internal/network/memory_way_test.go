package network

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestWays checks how long things take on their way, and that nothing overtakes on a connection.
func TestWays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		m.Ways(1, func(from, to string) Way {
			if from == "10.0.0.1" {
				return Way{Delay: 100 * time.Millisecond, Jitter: 90 * time.Millisecond}
			}
			return Way{Delay: 10 * time.Millisecond}
		})
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		a, b := m.Host("10.0.0.1"), m.Host("10.0.0.2")
		l, err := b.Listen(t.Context(), Streams, "10.0.0.2:1")
		must(err)
		begin := time.Now()
		near, err := a.Dial(t.Context(), Streams, "10.0.0.2:1")
		must(err)
		if took := time.Since(begin); took < 20*time.Millisecond || took > 200*time.Millisecond {
			t.Errorf("a connection was there after %s", took)
		}
		far, err := l.Accept()
		must(err)
		for i := range byte(100) { // each with a delay of its own
			_, err := near.Write([]byte{i})
			must(err)
		}
		must(near.Close())
		begin = time.Now()
		got, err := io.ReadAll(far)
		must(err)
		for i, b := range got {
			if int(b) != i {
				t.Fatalf("not in order: %v", got)
			}
		}
		if took := time.Since(begin); len(got) != 100 || took < 150*time.Millisecond || took > 190*time.Millisecond {
			t.Errorf("%d bytes took %s, as long as the slowest of 100 within 190ms", len(got), took)
		}
		_, err = near.Read(make([]byte, 1))
		if err == nil {
			t.Error("read from a connection that was closed")
		}

		short, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		if _, err := a.Dial(short, Streams, "10.0.0.2:1"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("dialled in no time: %v", err)
		}
	})
}

// TestWaysOfPackets counts what is lost, comes twice and is overtaken, and checks that the seed decides.
func TestWaysOfPackets(t *testing.T) {
	t.Parallel()
	const n = 1000
	scene := func(seed uint64) (got []int) {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory()
			m.Ways(seed, func(string, string) Way {
				return Way{Delay: time.Millisecond, Lost: 0.1, Twice: 0.1, Overtaken: 0.1}
			})
			pa, err := m.Host("10.0.0.1").ListenPacket(t.Context(), "10.0.0.1:1")
			if err != nil {
				t.Fatal(err)
			}
			pb, err := m.Host("10.0.0.2").ListenPacket(t.Context(), "10.0.0.2:1")
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if _, err := pa.WriteTo([]byte{byte(i >> 8), byte(i)}, pb.LocalAddr()); err != nil {
					t.Fatal(err)
				}
				<-time.After(2 * time.Millisecond)
				for len(pb.(*packetConn).queue) > 0 {
					buf := make([]byte, 2)
					if _, _, err := pb.ReadFrom(buf); err != nil {
						t.Fatal(err)
					}
					got = append(got, int(buf[0])<<8|int(buf[1]))
				}
			}
			if lost := m.Dropped(); lost < n/20 || lost > n/5 {
				t.Errorf("%d of %d were lost", lost, n)
			}
			<-time.After(time.Second)
		})
		return got
	}
	one, two, other := scene(1), scene(1), scene(2)
	var late, twice int
	seen := map[int]bool{}
	newest := -1
	for _, i := range one {
		if seen[i] {
			twice++
		}
		if i < newest {
			late++
		}
		seen[i], newest = true, max(newest, i)
	}
	if late < n/20 || twice < n/20 {
		t.Errorf("%d were overtaken, %d came twice", late, twice)
	}
	for _, got := range [][]int{one, two, other} {
		slices.Sort(got) // what arrives at the same time has no order
	}
	if !slices.Equal(one, two) || slices.Equal(one, other) {
		t.Error("the seed does not decide")
	}
}
