// Package node is what every role shares: the gRPC server with health, reflection, version and
// events, the client connections, the rules of security, and the log.
//
//	srv := node.NewServer(node.ServerConfig{Role: "peer", Name: "alice", Network: network.System(), …})
//	bootstrapv1.RegisterBootstrapServiceServer(srv, service)
//	err := srv.Start(ctx, "127.0.0.1:0") // listens, then serves; srv.Addr() is known now
//	defer srv.Close()
package node
