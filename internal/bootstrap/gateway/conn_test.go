package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap/gateway"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// TestForeignAnswers gives a client the answers of what may stand before, or in the place of, a service.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		status      int
		contentType string
		location    string
		body        string
		want        codes.Code
		message     string
	}{
		{"a proxy that reaches nobody", 502, "text/html", "", "<html>\n<b>Bad gateway</b>", codes.Unavailable, `502 Bad Gateway: "<html>"`},
		{"a platform without an instance", 429, "text/plain", "", "Rate exceeded.", codes.Unavailable, "Rate exceeded"},
		{"a function that crashed", 500, "text/plain", "", "", codes.Unavailable, "500"},
		{"a platform that wants another login", 403, "text/html", "", "Forbidden", codes.PermissionDenied, "403"},
		{"another server", 404, "text/html", "", "nothing here", codes.Unimplemented, "nothing here"},
		{"a redirect", 302, "", "https://evil.example/", "", codes.FailedPrecondition, `redirects are not followed`},
		{"control characters", 503, "text/plain", "", "a\x1b[2Jb", codes.Unavailable, `"a\x1b[2Jb"`},
		{"JSON of somebody else", 400, "application/json", "", `{"ok":false}`, codes.FailedPrecondition, `ok`},
		{"an error of the service", 409, "application/json", "", `{"code":10,"message":"again","field":"x"}`, codes.Aborted, "again"},
		{"a detail that is not known here", 400, "application/json", "", `{"code":3,"message":"no","details":[{"@type":"type.googleapis.com/a.B"}]}`, codes.InvalidArgument, "no"},
		{"a success that is no JSON", 200, "text/html", "", "<html>welcome</html>", codes.Internal, "something else than JSON"},
		{"an error that says OK", 503, "application/json", "", `{"code":0}`, codes.Unavailable, "503"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				if tt.location != "" {
					w.Header().Set("Location", tt.location)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			client := bootstrapv1.NewBootstrapServiceClient(dial(t, url, gateway.ConnOptions{}))
			_, err := client.List(t.Context(), &bootstrapv1.ListRequest{})
			if status.Code(err) != tt.want || !strings.Contains(status.Convert(err).Message(), tt.message) {
				t.Errorf("%v, want code %v and %q", err, tt.want, tt.message)
			}
			if strings.ContainsRune(status.Convert(err).Message(), '\x1b') {
				t.Errorf("a control character in %q", err)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client := bootstrapv1.NewBootstrapServiceClient(dial(t, server.URL, gateway.ConnOptions{}))
	if _, err := client.Ping(t.Context(), &bootstrapv1.PingRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("nobody listens: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Ping(ended, &bootstrapv1.PingRequest{}); status.Code(err) != codes.Canceled {
		t.Errorf("an ended context: %v", err)
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://a.example":      "https://a.example",
		"http://127.0.0.1:1/":    "http://127.0.0.1:1",
		"https://a.example/b/c/": "https://a.example/b/c",
		"http://[::1]:80":        "http://[::1]:80",
		"ftp://a":                "error: scheme",
		"http://":                "error: host",
		"http://a b":             "error: URL",
		"http://me:hunter2@a":    "error: --token-file",
		"http://a?b=c":           "error: no ?",
		"https://a:b":            "error: port",
	} {
		u, err := gateway.ParseURL(raw)
		if fault, bad := strings.CutPrefix(want, "error: "); bad {
			if err == nil || !strings.Contains(err.Error(), fault) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %v, want an error about %q", raw, err, fault)
			}
		} else if err != nil || u.String() != want {
			t.Errorf("%q: %v, %v; want %s", raw, u, err, want)
		}
	}
}

// TestWatchBehindABuffer has a proxy before the service that hands on nothing before an answer is
// whole: the watch finds out, and polls.
func TestWatchBehindABuffer(t *testing.T) {
	t.Parallel()
	service := serveHTTP(t, gateway.Options{})
	watched := make(chan struct{}, 1)
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/watch" {
			watched <- struct{}{}
			<-r.Context().Done()
			return
		}
		req, err := http.NewRequestWithContext(r.Context(), r.Method, service+r.URL.String(), nil)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections) //nolint:forcetypeassert // it is
	stream, err := bootstrapv1.NewBootstrapServiceClient(dial(t, url, gateway.ConnOptions{
		FirstAnswer: 2 * time.Second, PollInterval: 10 * time.Millisecond,
	})).Watch(t.Context(), &bootstrapv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	direct := bootstrapv1.NewBootstrapServiceClient(dial(t, service, gateway.ConnOptions{}))
	for want := range uint64(3) {
		m, err := stream.Recv()
		if err != nil || m.GetRoster().GetRevision() != want {
			t.Fatalf("revision %d, %v; want %d", m.GetRoster().GetRevision(), err, want)
		}
		_, err = direct.UpdateConfig(t.Context(), &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{MaxPeers: uint32(want) + 5}})
		if err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-watched:
	default:
		t.Error("the watch did not try to stream")
	}
}

// TestBrokenWatch has the stream end, or say what no service says.
func TestBrokenWatch(t *testing.T) {
	t.Parallel()
	first := `{"result":{"roster":{"group":"default","revision":"1"}}}` + "\n"
	tests := []struct {
		name, body string
		want       codes.Code
		message    string
	}{
		{"it breaks off", first, codes.Unavailable, "broke off"},
		{"half a line", first + `{"result":`, codes.Unavailable, "broke off"},
		{"the service says why", first + `{"error":{"code":14,"message":"the service ends"}}` + "\n", codes.Unavailable, "the service ends"},
		{"no JSON", first + "hello\n", codes.Internal, "something else"},
		{"JSON of somebody else", first + `{"result":[]}` + "\n", codes.Internal, "something else"},
		{"a line without an end", first + strings.Repeat("a", 9<<20), codes.Unavailable, "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, tt.body)
			})
			stream, err := bootstrapv1.NewBootstrapServiceClient(dial(t, url, gateway.ConnOptions{})).Watch(t.Context(), &bootstrapv1.WatchRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if m, err := stream.Recv(); err != nil || m.GetRoster().GetRevision() != 1 {
				t.Fatalf("%v, %v", m, err)
			}
			if _, err := stream.Recv(); status.Code(err) != tt.want || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("%v, want code %v and %q", err, tt.want, tt.message)
			}
		})
	}
}

// answering starts an HTTP server of no bootstrap service.
func answering(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// TestDeadlineGoesAlong has a service learn how long its answer is worth having, as it does over gRPC.
func TestDeadlineGoesAlong(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	url := answering(t, func(w http.ResponseWriter, req *http.Request) {
		told <- req.Header.Get("Grpc-Timeout")
		_, _ = io.WriteString(w, "{}")
	})
	client := bootstrapv1.NewBootstrapServiceClient(dial(t, url, gateway.ConnOptions{}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if _, err := client.Ping(ctx, &bootstrapv1.PingRequest{}); err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutSuffix(<-told, "m") // milliseconds
	if ms, err := strconv.Atoi(text); !ok || err != nil || ms <= 0 || ms > int(time.Hour.Milliseconds()) {
		t.Errorf("the service was told %q", text)
	}
}
