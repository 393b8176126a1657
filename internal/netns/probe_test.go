package netns

import (
	"encoding/binary"
	"net"
	"testing"
	"time"
)

// probe sends n numbered datagrams over a connection to an echo, at a pace, and returns the round trips of
// each that came back, more than one if it came back more than once.
func probe(t *testing.T, conn net.Conn, n int, pace, wait time.Duration) map[uint32][]time.Duration {
	t.Helper()
	done := make(chan struct{})
	ticks := time.NewTicker(pace)
	defer ticks.Stop()
	trips := map[uint32][]time.Duration{}
	go func() {
		defer close(done)
		for i := range n {
			<-ticks.C
			b := binary.BigEndian.AppendUint32(make([]byte, 0, 64), uint32(i))  //nolint:gosec // small
			b = binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixNano())) //nolint:gosec // after 1970
			_, _ = conn.Write(append(b, make([]byte, 52)...))
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
	}()
	b := make([]byte, 2048)
	for {
		k, err := conn.Read(b)
		if err != nil {
			break
		}
		if k == 64 {
			at := time.Unix(0, int64(binary.BigEndian.Uint64(b[4:12]))) //nolint:gosec // what was written
			i := binary.BigEndian.Uint32(b)
			trips[i] = append(trips[i], time.Since(at))
		}
	}
	<-done
	return trips
}
