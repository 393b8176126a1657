package node

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	nodev1 "peerlab.example/peerlab/proto/peerlab/node/v1"
)

// TestCloseLetsCallsFinish has a call under way, one whose message has not come yet, and a stream that follows for ever.
func TestCloseLetsCallsFinish(t *testing.T) {
	t.Parallel()
	srv, _ := startServer(t, nil)
	conn := dial(t, srv, nil)
	call, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, nodev1.NodeService_Version_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	// What comes back of this one tells that the server knows the call before it, on the same connection.
	health := grpc_health_v1.NewHealthClient(conn)
	if _, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	stream, err := eventv1.NewEventServiceClient(conn).WatchEvents(t.Context(), &eventv1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	srv.cfg.Events.Emit(&eventv1.Event{What: &eventv1.Event_Fault{Fault: &eventv1.Fault{}}})
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- srv.Shutdown(context.Background()) }()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "ends") {
		t.Errorf("the stream ends with %v, want UNAVAILABLE and why", err)
	}
	for state := connectivity.Ready; state == connectivity.Ready; { // until the client is told to go elsewhere
		if !conn.WaitForStateChange(t.Context(), state) {
			t.Fatal("the client is not told")
		}
		state = conn.GetState()
	}
	select {
	case err := <-closed:
		t.Fatalf("the server closed with a call under way: %v", err)
	default:
	}
	if err := call.SendMsg(&nodev1.VersionRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var answer nodev1.VersionResponse
	if err := call.RecvMsg(&answer); err != nil || answer.GetRole() != "peer" {
		t.Errorf("the call under way: %v, %v", &answer, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestCloseIsBounded has a call under way that never ends.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	srv, _ := startServer(t, nil)
	conn := dial(t, srv, nil)
	call, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, nodev1.NodeService_Version_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := call.RecvMsg(&nodev1.VersionResponse{}); status.Code(err) != codes.Unavailable {
		t.Errorf("the call that never ends: %v", err)
	}
}
