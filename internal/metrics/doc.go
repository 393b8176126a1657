// Package metrics keeps the numbers of a bootstrap service for Prometheus.
//
//	m := metrics.New()
//	server := node.NewServer(node.ServerConfig{Observer: m, …})
//	service := bootstrap.NewService(store, bootstrap.Options{Meter: m, …})
//	mux.Handle("/metrics", m.Handler())
//
// The numbers of series are bounded, whatever callers do: methods are those that the server knows, limits and
// operations of the store are fixed, and of the groups, whose names are anybody's to choose, at most 100
// have a series of their own.
package metrics
