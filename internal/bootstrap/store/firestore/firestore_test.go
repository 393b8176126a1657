package firestore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap/store/firestore"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// shortTimeout is for stores whose backend fails.
const shortTimeout = 600 * time.Millisecond

var collections atomic.Int64

// config is for a store on new data.
func config(endpoint string, maxGroups int) firestore.Config {
	return firestore.Config{
		Project:    "test-project",
		Collection: fmt.Sprintf("rosters%d", collections.Add(1)),
		MaxGroups:  maxGroups,
		Endpoint:   endpoint,
		// Many changes at once take long on a busy machine. What is tested of the timeout has a shorter one.
		CallTimeout: time.Minute,
	}
}

func open(t testing.TB, c firestore.Config) *firestore.Store {
	t.Helper()
	s, err := firestore.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// conform runs the checks of all stores against a server of the protocol.
func conform(t *testing.T, addr string) {
	storetest.Run(t,
		func(t *testing.T, maxGroups int) storetest.Closer { return open(t, config(addr, maxGroups)) },
		storetest.Replicas(func(t *testing.T) (first, second storetest.Closer) {
			c := config(addr, 0)
			return open(t, c), open(t, c)
		}),
		storetest.WithFaults(func(t *testing.T) (storetest.Closer, storetest.Faults) {
			direct := config(addr, 0)
			proxy := storetest.NewProxy(t, addr)
			broken := direct
			broken.Endpoint = proxy.Addr()
			broken.CallTimeout = shortTimeout
			f := proxy.Faults()
			f.Other = open(t, direct)
			return open(t, broken), f
		}),
	)
}

func TestStore(t *testing.T) {
	t.Parallel()
	conform(t, fakefirestore.Start(t).Addr())
}

func TestPatience(t *testing.T) {
	t.Parallel()
	proxy := storetest.NewProxy(t, fakefirestore.Start(t).Addr())
	c := config(proxy.Addr(), 0)
	c.CallTimeout = time.Hour
	s := open(t, c)
	mustUpdate(t, s, "a", joinPeer(1))
	storetest.Patience(t, s, proxy.Faults())
}
