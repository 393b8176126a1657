package storetest

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// Proxy passes TCP connections on to a backend on loopback. It can cut them, refuse new ones,
// and hold back what they carry. It keeps its port all the time.
type Proxy struct {
	listener net.Listener
	backend  string
	tasks    sync.WaitGroup

	mu    sync.Mutex
	state proxyState            // guarded by mu
	mend  chan struct{}         // guarded by mu; closed and replaced when the state changes
	conns map[net.Conn]struct{} // guarded by mu; both sides of each connection
}

type proxyState int

const (
	proxyUp proxyState = iota
	proxyDown
	proxySlow
	proxyMute
	proxyClosed
)

// NewProxy starts a proxy on a free port of 127.0.0.1 in front of a host:port. It ends with the test.
func NewProxy(t testing.TB, backend string) *Proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, backend: backend, mend: make(chan struct{}), conns: make(map[net.Conn]struct{})}
	p.tasks.Go(p.accept)
	t.Cleanup(func() {
		p.set(proxyClosed)
		_ = l.Close()
		p.tasks.Wait()
	})
	return p
}

// Addr is the host:port to dial.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Faults are the hooks of the proxy, for WithFaults.
func (p *Proxy) Faults() Faults { return Faults{Down: p.Down, Slow: p.Slow, Up: p.Up} }

// Down cuts all connections, and each new one at once.
func (p *Proxy) Down() { p.set(proxyDown) }

// Slow holds back all bytes, in both directions and also on new connections, until Up or Down.
func (p *Proxy) Slow() { p.set(proxySlow) }

// Mute holds back what the backend answers, and lets requests pass, until Up or Down.
func (p *Proxy) Mute() { p.set(proxyMute) }

// Up lets everything pass, and what was held back first.
func (p *Proxy) Up() { p.set(proxyUp) }

func (p *Proxy) set(state proxyState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = state
	close(p.mend)
	p.mend = make(chan struct{})
	if state == proxyDown || state == proxyClosed {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

// accept serves connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.tasks.Go(func() { p.serve(in) })
	}
}

// serve passes one connection on until either side ends it.
func (p *Proxy) serve(in net.Conn) {
	defer in.Close()
	if !p.add(in) {
		return
	}
	defer p.remove(in)
	out, err := net.Dial("tcp", p.backend)
	if err != nil {
		return
	}
	defer out.Close()
	if !p.add(out) {
		return
	}
	defer p.remove(out)
	var wg sync.WaitGroup
	pass := func(to, from net.Conn, held ...proxyState) {
		wg.Go(func() {
			_, _ = io.Copy(heldWriter{p, to, held}, from)
			_ = in.Close()
			_ = out.Close()
		})
	}
	pass(out, in, proxySlow)
	pass(in, out, proxySlow, proxyMute)
	wg.Wait()
}

// add has Down cut a connection; it returns false when there can be none now.
func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == proxyDown || p.state == proxyClosed {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// heldWriter writes when the proxy is in none of the states that hold it back.
type heldWriter struct {
	proxy *Proxy
	to    net.Conn
	held  []proxyState
}

func (w heldWriter) Write(b []byte) (int, error) {
	for {
		w.proxy.mu.Lock()
		state, mend := w.proxy.state, w.proxy.mend
		w.proxy.mu.Unlock()
		if !slices.Contains(w.held, state) {
			return w.to.Write(b)
		}
		<-mend
	}
}
