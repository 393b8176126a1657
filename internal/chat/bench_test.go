package chat

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// BenchmarkFanOut sends from one of 50 chats in this process to the 49 others, over gRPC on connections in
// memory. An operation is one message, delivered to all. The sender keeps at most a window of messages under way:
// with one, the latency is that of the way; with many, the throughput is that of a busy chat.
func BenchmarkFanOut(b *testing.B) {
	for _, window := range []int{1, 64} {
		b.Run(fmt.Sprint("window=", window), func(b *testing.B) { fanOut(b, window) })
	}
}

func fanOut(b *testing.B, window int) {
	const n = 50
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("p%02d", i)
	}
	r := newRoom(b, names...)
	for _, p := range r.peers {
		p.start()
	}
	m := &meter{sent: make([]time.Time, b.N), left: make([]int, b.N), slots: make(chan struct{}, window)}
	for _, p := range r.peers[1:] {
		p.onMessage = m.delivered
	}
	b.ResetTimer()
	for i := range b.N {
		m.slots <- struct{}{}
		m.send(i, n-1)
		r.peers[0].mustSay(fmt.Sprint("message ", i))
	}
	for range window {
		m.slots <- struct{}{}
	}
	b.StopTimer()
	slices.Sort(m.latencies)
	b.ReportMetric(float64(len(m.latencies))/b.Elapsed().Seconds(), "delivered/s")
	b.ReportMetric(float64(m.latencies[len(m.latencies)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(m.latencies[len(m.latencies)*99/100].Microseconds())/1000, "p99-ms")
}

// meter takes the time from a message's sending to each of its deliveries.
type meter struct {
	slots chan struct{}

	mu        sync.Mutex
	sent      []time.Time     // guarded by mu; by number of the message
	left      []int           // guarded by mu; deliveries still to come
	latencies []time.Duration // guarded by mu
}

func (m *meter) send(i, receivers int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent[i], m.left[i] = time.Now(), receivers
}

func (m *meter) delivered(e *eventv1.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := int(e.GetSeq()) - 1
	m.latencies = append(m.latencies, time.Since(m.sent[i]))
	if m.left[i]--; m.left[i] == 0 {
		<-m.slots
	}
}
