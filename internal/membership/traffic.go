package membership

import "sync/atomic"

// Traffic is what a node has sent and received since it was made, without the headers of the network. What was sent may be lost.
type Traffic struct {
	// Packets and their bytes.
	PacketsSent, PacketsReceived         int64
	PacketBytesSent, PacketBytesReceived int64
	// Bytes of connections, those that others opened included.
	StreamBytesSent, StreamBytesReceived int64
}

// traffic counts; it is safe for concurrent use.
type traffic struct {
	packetsOut, packetsIn         atomic.Int64
	packetBytesOut, packetBytesIn atomic.Int64
	streamBytesOut, streamBytesIn atomic.Int64
}

func (t *traffic) packetSent(size int) {
	t.packetsOut.Add(1)
	t.packetBytesOut.Add(int64(size))
}

func (t *traffic) packetReceived(size int) {
	t.packetsIn.Add(1)
	t.packetBytesIn.Add(int64(size))
}

// now is what was counted so far.
func (t *traffic) now() Traffic {
	return Traffic{
		PacketsSent: t.packetsOut.Load(), PacketsReceived: t.packetsIn.Load(),
		PacketBytesSent: t.packetBytesOut.Load(), PacketBytesReceived: t.packetBytesIn.Load(),
		StreamBytesSent: t.streamBytesOut.Load(), StreamBytesReceived: t.streamBytesIn.Load(),
	}
}

// Read implements net.Conn.
func (c *trackedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.t.traffic.streamBytesIn.Add(int64(n))
	return n, err
}

// Write implements net.Conn.
func (c *trackedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.t.traffic.streamBytesOut.Add(int64(n))
	return n, err
}

// Traffic is what the node has sent and received.
func (n *Node) Traffic() Traffic { return n.transport.traffic.now() }
