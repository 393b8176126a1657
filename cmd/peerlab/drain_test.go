package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// TestDrain sends SIGTERM to a service with a watch, a call whose message is still to come, and an HTTP request whose body
// is: health says so first, the watch ends with UNAVAILABLE, calls that are under way are answered, and the exit code is 0.
func TestDrain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.Command("peerlab", "bootstrap", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--store", "memory:", "--drain", "1m")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	found := address.FindStringSubmatch(line)
	if err != nil || found == nil {
		t.Fatalf("%q, %v", line, err)
	}
	go func() { ended <- cmd.Wait() }()

	// Two connections: the one with the call under way is told to go elsewhere, and takes no new calls.
	conn, watcher := connect(t, strings.TrimSuffix(found[1], ",")), connect(t, strings.TrimSuffix(found[1], ","))
	health := follow(ctx, t, watcher)
	watch, err := bootstrapv1.NewBootstrapServiceClient(watcher).Watch(ctx, &bootstrapv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	call, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, bootstrapv1.BootstrapService_List_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bootstrapv1.NewBootstrapServiceClient(conn).Ping(ctx, &bootstrapv1.PingRequest{}); err != nil {
		t.Fatal(err) // when this is answered, the server knows the call before it
	}
	request := begin(ctx, t, url.FindString(line))

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r, err := health.Recv(); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health is %v, %v", r, err)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the watch ends with %v, want UNAVAILABLE", err)
	}
	if got := request.finish(t); got != http.StatusOK {
		t.Errorf("the HTTP request under way: %d", got)
	}
	select {
	case err := <-ended:
		t.Fatalf("the service ended with a call under way: %v", err)
	default:
	}
	if err := call.SendMsg(&bootstrapv1.ListRequest{Group: "g"}); err != nil {
		t.Fatal(err)
	}
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var answer bootstrapv1.ListResponse
	if err := call.RecvMsg(&answer); err != nil || answer.GetRoster().GetGroup() != "g" {
		t.Errorf("the call under way: %v, %v", &answer, err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the service ended with %v, want 0", err)
		}
	case <-ctx.Done():
		t.Error("the service does not end")
	}
}

func connect(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := node.Dial(network.System(), nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// follow watches health until it is good.
func follow(ctx context.Context, t *testing.T, conn *grpc.ClientConn) grpc_health_v1.Health_WatchClient {
	t.Helper()
	stream, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{
		Service: bootstrapv1.BootstrapService_ServiceDesc.ServiceName,
	})
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING {
			return stream
		}
	}
}

// underWay is an HTTP request whose body is not sent to its end.
type underWay struct {
	rest   *io.PipeWriter
	answer chan int // the status
	err    chan error
}

// begin sends a request up to its body, and waits until the server has asked for that.
func begin(ctx context.Context, t *testing.T, base string) *underWay {
	t.Helper()
	body, rest := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/reset", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Expect", "100-continue") // the server answers this when its handler reads
	transport := &http.Transport{ExpectContinueTimeout: time.Minute, DisableKeepAlives: true}
	u := &underWay{rest: rest, answer: make(chan int, 1), err: make(chan error, 1)}
	go func() {
		resp, err := transport.RoundTrip(req)
		if err != nil {
			u.err <- err
			return
		}
		_ = resp.Body.Close()
		u.answer <- resp.StatusCode
	}()
	if _, err := rest.Write([]byte(`{"group":`)); err != nil { // is read only after the server has asked
		t.Fatal(err)
	}
	return u
}

// finish sends the rest and returns the status of the answer.
func (u *underWay) finish(t *testing.T) int {
	t.Helper()
	if _, err := u.rest.Write([]byte(`"g"}`)); err != nil {
		t.Error(err)
	}
	_ = u.rest.Close()
	select {
	case got := <-u.answer:
		return got
	case err := <-u.err:
		t.Error(err)
		return 0
	}
}
