package etcd_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	addr := startServer(t)
	var stores atomic.Int64
	config := func(maxGroups int) etcd.Config {
		return etcd.Config{
			Endpoints: []string{addr},
			Prefix:    fmt.Sprintf("test/%d", stores.Add(1)),
			MaxGroups: maxGroups,
			// Many changes at once take long on a busy machine. What is tested of the timeout has a shorter one.
			CallTimeout: time.Minute,
		}
	}
	storetest.Run(t,
		func(t *testing.T, maxGroups int) storetest.Closer { return open(t, config(maxGroups)) },
		storetest.Replicas(func(t *testing.T) (first, second storetest.Closer) {
			cfg := config(0)
			return open(t, cfg), open(t, cfg)
		}),
		storetest.WithFaults(func(t *testing.T) (storetest.Closer, storetest.Faults) {
			direct := config(0)
			proxy := storetest.NewProxy(t, addr)
			broken := direct
			broken.Endpoints = []string{proxy.Addr()}
			broken.CallTimeout = 1200 * time.Millisecond
			f := proxy.Faults()
			f.Other = open(t, direct)
			return open(t, broken), f
		}),
	)
}

func TestPatience(t *testing.T) {
	t.Parallel()
	proxy := storetest.NewProxy(t, startServer(t))
	storetest.Patience(t, open(t, etcd.Config{Endpoints: []string{proxy.Addr()}, CallTimeout: time.Hour}), proxy.Faults())
}
