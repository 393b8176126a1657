package cli

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
)

// dialBootstrap makes a connection to the bootstrap service as --bootstrap names it: host:port for
// gRPC, a URL for HTTP/JSON, and several of both, with commas, for replicas of one service. The
// caller calls closeAll.
func dialBootstrap(n network.Network, s *node.Security, spec string) (conn grpc.ClientConnInterface, closeAll func() error, err error) {
	var closers []func() error
	closeAll = func() error {
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	var endpoints []bootstrap.Endpoint
	for _, name := range strings.Split(spec, ",") {
		dial := dialGRPC
		if isURL(name) {
			dial = dialHTTP
		}
		conn, closer, err := dial(n, s, name)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll())
		}
		closers = append(closers, closer)
		endpoints = append(endpoints, bootstrap.Endpoint{Name: name, Conn: conn})
	}
	return bootstrap.Failover(endpoints...), closeAll, nil
}

func dialGRPC(n network.Network, s *node.Security, addr string) (grpc.ClientConnInterface, func() error, error) {
	conn, err := node.Dial(n, s, addr)
	if err != nil {
		return nil, nil, err
	}
	return conn, conn.Close, nil
}

func dialHTTP(n network.Network, s *node.Security, url string) (grpc.ClientConnInterface, func() error, error) {
	base, err := gateway.ParseURL(url)
	if err != nil {
		return nil, nil, err
	}
	client, err := node.HTTPClient(n, s, base)
	if err != nil {
		return nil, nil, err
	}
	return gateway.NewConn(base, client, gateway.ConnOptions{}), func() error { client.CloseIdleConnections(); return nil }, nil
}

// checkEndpoints says what is wrong with a value of --bootstrap, of which empty is none.
func checkEndpoints(spec string) error {
	if spec == "" {
		return nil
	}
	all := strings.Split(spec, ",")
	for i, name := range all {
		switch {
		case name == "":
			return fmt.Errorf("%q has an empty place: endpoints stand one after the other, with one comma between", spec)
		case slices.Contains(all[:i], name):
			return fmt.Errorf("%s is named twice", name)
		case isURL(name):
			if _, err := gateway.ParseURL(name); err != nil {
				return err
			}
			continue
		}
		host, port, err := net.SplitHostPort(name)
		n, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || host == "" || portErr != nil || n == 0 {
			return fmt.Errorf("%q is neither host:port (gRPC) nor http://HOST[:PORT] nor https://HOST[:PORT]", name)
		}
	}
	return nil
}

func isURL(endpoint string) bool { return strings.Contains(endpoint, "://") }
