package bolt_test

import (
	"fmt"
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// serverEnv makes this binary a bootstrap service over the file that it names.
const serverEnv = "PEERLAB_TEST_BOLT_SERVER"

func TestMain(m *testing.M) {
	if path := os.Getenv(serverEnv); path != "" {
		err := runServer(path)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// runServer prints its address and serves until it is killed.
func runServer(path string) error {
	s, err := bolt.Open(path, 0)
	if err != nil {
		return err
	}
	svc := bootstrap.NewService(s, bootstrap.Options{})
	svc.Start()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	srv := grpc.NewServer()
	bootstrapv1.RegisterBootstrapServiceServer(srv, svc)
	return srv.Serve(l)
}
