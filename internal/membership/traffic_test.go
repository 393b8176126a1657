package membership

import (
	"testing"
	"time"
)

// TestTraffic checks that what is sent and what is received is counted, and that on a network that loses nothing, both of two
// members count the same, but for what is on its way.
func TestTraffic(t *testing.T) {
	t.Parallel()
	inLab(t, "fast", func(t *testing.T, l *lab) {
		peers := l.group("alice", "bob")
		<-time.After(time.Minute)
		a, b := peers[0].Traffic(), peers[1].Traffic()
		for _, one := range []struct {
			what           string
			sent, received int64
		}{
			{"packets from alice", a.PacketsSent, b.PacketsReceived},
			{"packets from bob", b.PacketsSent, a.PacketsReceived},
			{"bytes of packets from alice", a.PacketBytesSent, b.PacketBytesReceived},
			{"bytes of packets from bob", b.PacketBytesSent, a.PacketBytesReceived},
			{"bytes of streams from alice", a.StreamBytesSent, b.StreamBytesReceived},
			{"bytes of streams from bob", b.StreamBytesSent, a.StreamBytesReceived},
		} {
			if one.sent < one.received || one.received == 0 || one.sent-one.received > one.sent/10 {
				t.Errorf("%s: %d sent, %d received", one.what, one.sent, one.received)
			}
		}
	})
}
