package node

import (
	"container/list"
	"context"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/peer"
)

// maxClients is how many client addresses have a rate of their own; with about 300 bytes each, 3 MB. The
// one that was silent for longest is forgotten first, and begins anew with a full measure: a sender
// with so many addresses is held by the rate of all clients together.
const maxClients = 10_000

// clients are the rates of clients. It is safe for concurrent use.
type clients struct {
	rate int

	mu    sync.Mutex
	byKey map[string]*list.Element // guarded by mu
	order *list.List               // guarded by mu; of *client, the last seen first
}

type client struct {
	key  string
	rate *rate.Limiter
}

func newClients(perSecond int) *clients {
	return &clients{rate: perSecond, byKey: map[string]*list.Element{}, order: list.New()}
}

// of is the rate of a client.
func (c *clients) of(key string) *rate.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[key]; e != nil {
		c.order.MoveToFront(e)
		return e.Value.(*client).rate
	}
	if len(c.byKey) >= maxClients {
		oldest := c.order.Back()
		delete(c.byKey, oldest.Value.(*client).key)
		c.order.Remove(oldest)
	}
	r := rate.NewLimiter(rate.Limit(c.rate), c.rate)
	c.byKey[key] = c.order.PushFront(&client{key: key, rate: r})
	return r
}

// clientOf names the client of a call by its address. What a call says of itself, as in x-forwarded-for, is hearsay.
func clientOf(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "unknown"
	}
	return clientKey(p.Addr.String())
}

// clientKey is the address without its port. An IPv6 address stands for its network of 64 bits, all of
// which belongs to one subscriber.
func clientKey(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap()
	if ip.Is4() || ip.IsLoopback() {
		return ip.WithZone("").String()
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}
