package functions_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/apitest"
	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// lab starts functions as the platform does, each a process of its own under the framework, over one
// server of the Firestore protocol in this process.
type lab struct {
	program     string
	firestore   string // host:port
	collections atomic.Int64
}

func newLab(t *testing.T) *lab {
	t.Helper()
	program := filepath.Join(t.TempDir(), "local")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/local").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return &lab{program: program, firestore: fakefirestore.Start(t).Addr()}
}

// start starts one instance over a collection, and returns its URL.
func (l *lab) start(t *testing.T, env ...string) string {
	t.Helper()
	// Between finding a free port and taking it, somebody else may take it.
	for try := 1; ; try++ {
		url, err := l.tryStart(t, env)
		if err == nil {
			return url
		}
		if try == 5 {
			t.Fatal(err)
		}
	}
}

func (l *lab) tryStart(t *testing.T, env []string) (string, error) {
	addr := storetest.FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	var output strings.Builder
	cmd := exec.Command(l.program, port)
	cmd.Env = append(os.Environ(), append([]string{"FIRESTORE_EMULATOR_HOST=" + l.firestore}, env...)...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	stop := func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	}
	t.Cleanup(stop)
	if err := awaitListener(t.Context(), addr, ended); err != nil {
		stop()
		return "", fmt.Errorf("%w: %s", err, output.String())
	}
	return "http://" + addr, nil
}

// awaitListener waits until somebody listens, for at most half a minute.
func awaitListener(ctx context.Context, addr string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return errors.Join(conn.Close(), stillRuns(ended))
		}
		select {
		case <-tick.C:
		case <-ended:
			return fmt.Errorf("the function ended before it listened on %s", addr)
		case <-ctx.Done():
			return fmt.Errorf("the function does not listen on %s: %w", addr, err)
		}
	}
}

// stillRuns is an error when the function has ended, and somebody else listens at its port.
func stillRuns(ended <-chan struct{}) error {
	select {
	case <-ended:
		return errors.New("the function ended, and somebody else has its port")
	default:
		return nil
	}
}

// store is a collection that no other test has.
func (l *lab) store() string {
	return fmt.Sprintf("PEERLAB_STORE=firestore://peerlab-test/groups%d", l.collections.Add(1))
}

func dial(t *testing.T, url, token string) *gateway.Conn {
	t.Helper()
	base, err := gateway.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	security, err := node.LoadSecurity(node.SecurityConfig{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	client, err := node.HTTPClient(network.System(), security, base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return gateway.NewConn(base, client, gateway.ConnOptions{PollInterval: 10 * time.Millisecond})
}

// TestFunction makes the calls that are made to the service over gRPC and over HTTP.
func TestFunction(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	t.Run("calls", func(t *testing.T) {
		t.Parallel()
		apitest.Run(t, func(t *testing.T) grpc.ClientConnInterface { return dial(t, l.start(t, l.store()), "") })
	})
	t.Run("requests", func(t *testing.T) {
		t.Parallel()
		apitest.RunHTTP(t, func(t *testing.T) string { return l.start(t, l.store()) })
	})
}

const labToken, operatorToken = "a token of sixteen bytes", "a token of the operators"

// TestTokens has a function with tokens: who sends none, or a wrong one, is refused; only operators reset.
func TestTokens(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	url := l.start(t, l.store(), "PEERLAB_TOKEN="+labToken, "PEERLAB_OPERATOR_TOKEN="+operatorToken)
	for _, tt := range []struct {
		name, token string
		list, reset codes.Code
	}{
		{"nobody", "", codes.Unauthenticated, codes.Unauthenticated},
		{"a stranger", "another token of that length", codes.Unauthenticated, codes.Unauthenticated},
		{"a member", labToken, codes.OK, codes.PermissionDenied},
		{"an operator", operatorToken, codes.OK, codes.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := bootstrapv1.NewBootstrapServiceClient(dial(t, url, tt.token))
			if _, err := client.List(t.Context(), &bootstrapv1.ListRequest{}); status.Code(err) != tt.list {
				t.Errorf("list: %v, want %v", err, tt.list)
			}
			if _, err := client.Reset(t.Context(), &bootstrapv1.ResetRequest{}); status.Code(err) != tt.reset {
				t.Errorf("reset: %v, want %v", err, tt.reset)
			}
		})
	}
}

// TestInstances has several instances over one collection, as the platform starts them: nobody's change is lost.
func TestInstances(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	store := l.store()
	var clients []bootstrapv1.BootstrapServiceClient
	for range 3 {
		clients = append(clients, bootstrap.NewClient(dial(t, l.start(t, store), ""), bootstrap.ClientOptions{Timeout: time.Minute}))
	}
	_, err := clients[0].UpdateConfig(t.Context(), &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{MaxPeers: 100}})
	if err != nil {
		t.Fatal(err)
	}
	const each = 10
	var joined sync.WaitGroup
	for i, c := range clients {
		joined.Go(func() {
			for j := range each {
				p := &bootstrapv1.Peer{
					Id: fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", i, j), Name: "peer", Host: "127.0.0.1", Port: uint32(1 + 100*i + j), //nolint:gosec // a port
				}
				if _, err := c.Join(t.Context(), &bootstrapv1.JoinRequest{Peer: p}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	joined.Wait()
	for _, c := range clients {
		r, err := c.List(t.Context(), &bootstrapv1.ListRequest{})
		if got := r.GetRoster(); err != nil || got.GetCount() != 3*each || got.GetRevision() != 3*each+1 {
			t.Errorf("%d peers at revision %d, %v; want %d at %d", got.GetCount(), got.GetRevision(), err, 3*each, 3*each+1)
		}
	}
}

// TestNotConfigured has an instance that the operator forgot to configure: it says so to whoever asks.
func TestNotConfigured(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, env := range []string{"PEERLAB_STORE=", "PEERLAB_STORE=etcd://127.0.0.1:1", "PEERLAB_TOKEN=short"} {
		client := bootstrapv1.NewBootstrapServiceClient(dial(t, l.start(t, env), ""))
		_, err := client.List(t.Context(), &bootstrapv1.ListRequest{})
		name, _, _ := strings.Cut(env, "=")
		if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), name) {
			t.Errorf("with %s: %v", env, err)
		}
	}
}
