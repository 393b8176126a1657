package membership

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"peerlab.example/peerlab/internal/network"
)

const (
	// packetBuffer is larger than any datagram.
	packetBuffer = 64 << 10
	// packetBacklog is how many packets wait for memberlist; the socket holds what comes on top.
	packetBacklog = 64
	// bindAttempts is how often a pair of free ports is looked for: the port that is
	// free for packets may be taken for streams.
	bindAttempts = 10
)

// transport is memberlist's transport on a network.Network. memberlist sees no write error for
// a packet that was lost, as it should be.
type transport struct {
	net         network.Network
	dialTimeout atomic.Int64 // a time.Duration
	observer    *observer    // reads each packet
	traffic     traffic

	ctx    context.Context // ends with Shutdown
	stop   context.CancelFunc
	pc     net.PacketConn
	l      net.Listener
	packet chan *memberlist.Packet
	stream chan net.Conn
	wg     sync.WaitGroup // the readers, and one for each open connection

	mu     sync.Mutex
	conns  map[*trackedConn]struct{} // guarded by mu
	closed bool                      // guarded by mu
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

func newTransport(n network.Network, dialTimeout time.Duration, o *observer) *transport {
	t := &transport{
		net: n, observer: o,
		packet: make(chan *memberlist.Packet, packetBacklog),
		stream: make(chan net.Conn),
		conns:  make(map[*trackedConn]struct{}),
	}
	t.dialTimeout.Store(int64(dialTimeout))
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

// listen takes one port for packets and streams.
func (t *transport) listen(ctx context.Context, addr string) error {
	want, err := netip.ParseAddrPort(addr)
	attempts := 1
	if err == nil && want.Port() == 0 {
		attempts = bindAttempts
	}
	for range attempts {
		if err = t.listenOnce(ctx, addr); err == nil {
			return nil
		}
	}
	return err
}

func (t *transport) listenOnce(ctx context.Context, addr string) error {
	pc, err := t.net.ListenPacket(ctx, addr)
	if err != nil {
		return err
	}
	l, err := t.net.Listen(ctx, network.Streams, pc.LocalAddr().String())
	if err != nil {
		return errors.Join(err, pc.Close())
	}
	t.pc, t.l = pc, l
	return nil
}

// start begins to read.
func (t *transport) start() {
	t.wg.Go(t.readPackets)
	t.wg.Go(t.accept)
}

func (t *transport) readPackets() {
	buf := make([]byte, packetBuffer)
	for {
		n, from, err := t.pc.ReadFrom(buf)
		now := time.Now()
		if err != nil {
			if !t.pause(err) {
				return
			}
			continue
		}
		t.observer.came(buf[:n])
		t.traffic.packetReceived(n)
		// memberlist keeps parts of the packet until it has handled them.
		p := &memberlist.Packet{Buf: append([]byte(nil), buf[:n]...), From: from, Timestamp: now}
		select {
		case t.packet <- p:
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *transport) accept() {
	for {
		c, err := t.l.Accept()
		if err != nil {
			if !t.pause(err) {
				return
			}
			continue
		}
		if c = t.track(c); c == nil {
			return
		}
		select {
		case t.stream <- c:
		case <-t.ctx.Done():
			_ = c.Close()
			return
		}
	}
}

// pause waits a little after an error of a socket, and reports whether to go on.
func (t *transport) pause(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	select {
	case <-t.ctx.Done():
		return false
	case <-time.After(10 * time.Millisecond):
		return true
	}
}

// FinalAdvertiseAddr implements memberlist.Transport; Node gives the address that is to be told.
func (t *transport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, 0, fmt.Errorf("advertised address: %w", err)
	}
	return a.Unmap().AsSlice(), port, nil
}

// WriteTo implements memberlist.Transport.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	t.observer.sent(b)
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	if t.ctx.Err() != nil {
		return now, nil // a packet that is lost
	}
	t.traffic.packetSent(len(b))
	_, err = t.pc.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return now, err
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (t *transport) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, addr.Addr)
}

// PacketCh implements memberlist.Transport.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packet }

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.stream }

// DialTimeout implements memberlist.Transport. memberlist asks with its timeout for reading
// and writing, which is too long for connecting.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	return t.dial(ctx, addr)
}

// dial ends with ctx, with Shutdown and with the dial timeout.
func (t *transport) dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(t.dialTimeout.Load()))
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	c, err := t.net.Dial(ctx, network.Streams, addr)
	if err != nil {
		return nil, err
	}
	if c = t.track(c); c == nil {
		return nil, net.ErrClosed
	}
	return c, nil
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *transport) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(addr.Addr, timeout)
}

// Shutdown closes all and waits until nothing is read any more. It may be called more than once.
func (t *transport) Shutdown() error {
	t.mu.Lock()
	t.closed = true
	open := make([]*trackedConn, 0, len(t.conns))
	for c := range t.conns {
		open = append(open, c)
	}
	t.mu.Unlock()
	t.stop()
	var errs []error
	if t.pc != nil {
		errs = append(errs, t.pc.Close(), t.l.Close())
	}
	for _, c := range open {
		_ = c.Close()
	}
	t.wg.Wait()
	return ignoreClosed(errs)
}

func ignoreClosed(errs []error) error {
	var left []error
	for _, err := range errs {
		if !errors.Is(err, net.ErrClosed) {
			left = append(left, err)
		}
	}
	return errors.Join(left...)
}

// trackedConn is a connection that Shutdown closes: memberlist's own goroutines end with it.
type trackedConn struct {
	net.Conn
	t    *transport
	once sync.Once
}

// track returns nil, and closes c, when the transport is closed.
func (t *transport) track(c net.Conn) net.Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		_ = c.Close()
		return nil
	}
	tc := &trackedConn{Conn: c, t: t}
	t.conns[tc] = struct{}{}
	return tc
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		c.t.mu.Lock()
		delete(c.t.conns, c)
		c.t.mu.Unlock()
		err = c.Conn.Close()
	})
	return err
}
