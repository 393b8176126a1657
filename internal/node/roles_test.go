package node

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/network"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	nodev1 "peerlab.example/peerlab/proto/peerlab/node/v1"
)

const (
	labToken      = "the token of this lab"
	operatorToken = "the token of its operators"
)

// TestRoles calls a method that needs the role operator, and one that does not, with each token on each service.
func TestRoles(t *testing.T) {
	t.Parallel()
	type outcome struct {
		plain, operator codes.Code
		says            string // of the second
	}
	denied := codes.PermissionDenied
	for _, service := range []struct {
		name string
		SecurityConfig
		want map[string]outcome // by the token of the caller
	}{
		{name: "no token", want: map[string]outcome{"": {}, labToken: {}, "anything, 16 bytes": {}}},
		{
			name: "the lab's", SecurityConfig: SecurityConfig{Token: labToken}, want: map[string]outcome{
				"":                   {codes.Unauthenticated, codes.Unauthenticated, "--token-file"},
				"anything, 16 bytes": {codes.Unauthenticated, codes.Unauthenticated, "not the one of this lab"},
				labToken:             {codes.OK, denied, "without --operator-token-file"},
			},
		},
		{
			name: "both", SecurityConfig: SecurityConfig{Token: labToken, OperatorToken: operatorToken}, want: map[string]outcome{
				"":            {codes.Unauthenticated, codes.Unauthenticated, "--token-file"},
				labToken:      {codes.OK, denied, "send the token of operators"},
				operatorToken: {},
			},
		},
		{
			name: "the operator's only", SecurityConfig: SecurityConfig{OperatorToken: operatorToken}, want: map[string]outcome{
				"":            {codes.OK, denied, "send the token of operators"},
				labToken:      {codes.OK, denied, "send the token of operators"},
				operatorToken: {},
			},
		},
	} {
		t.Run(service.name, func(t *testing.T) {
			t.Parallel()
			srv := NewServer(ServerConfig{
				Network: network.System(), Log: zerolog.Nop(), Security: load(t, service.SecurityConfig), Events: event.New("n", 1),
				OperatorMethods: []string{eventv1.EventService_WatchEvents_FullMethodName, "/peerlab.node.v1.NodeService/Other"},
			})
			if err := srv.Start(t.Context(), "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = srv.Close() })
			srv.cfg.Events.Emit(&eventv1.Event{What: &eventv1.Event_Fault{Fault: &eventv1.Fault{}}})
			for token, want := range service.want {
				conn := dial(t, srv, load(t, SecurityConfig{Token: token}))
				_, err := nodev1.NewNodeServiceClient(conn).Version(t.Context(), &nodev1.VersionRequest{})
				if status.Code(err) != want.plain {
					t.Errorf("with %q: %v, want %v", token, err, want.plain)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				stream, err := eventv1.NewEventServiceClient(conn).WatchEvents(ctx, &eventv1.WatchEventsRequest{})
				if err == nil && want.operator != codes.OK {
					_, err = stream.Recv()
				}
				cancel()
				if status.Code(err) != want.operator || want.says != "" && !strings.Contains(err.Error(), want.says) {
					t.Errorf("with %q, as operator: %v, want %v with %q", token, err, want.operator, want.says)
				}
			}
		})
	}
}

func TestOperatorSendsItsOwnToken(t *testing.T) {
	t.Parallel()
	both := load(t, SecurityConfig{Token: labToken, OperatorTokenFile: file(t, "operator", operatorToken+"\n")})
	only := load(t, SecurityConfig{Token: labToken})
	if both.sends != labToken || both.Operator().sends != operatorToken || only.Operator().sends != labToken {
		t.Errorf("sent are %q, %q and %q", both.sends, both.Operator().sends, only.Operator().sends)
	}
	if (*Security)(nil).Operator() != nil {
		t.Error("no security became some")
	}
	if string(both.Operator().GossipKey()) != string(only.GossipKey()) {
		t.Error("an operator gossips with another key")
	}
	// Over HTTP too.
	got := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { got <- req.Header.Get("Authorization") }))
	defer s.Close()
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	client, err := HTTPClient(network.System(), both.Operator(), base)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if h := <-got; h != "Bearer "+operatorToken {
		t.Errorf("sent %q", h)
	}
}

func TestTokensThatDefeatRolesAreRefused(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]SecurityConfig{
		"everybody would be":     {Token: labToken, OperatorToken: labToken},
		"operator token: a toke": {OperatorToken: "short"},
		"operator token file":    {OperatorTokenFile: file(t, "operator", "short")},
	} {
		if _, err := LoadSecurity(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// TestGuard has what stands beside the calls take the same tokens, in the same form.
func TestGuard(t *testing.T) {
	t.Parallel()
	h := load(t, SecurityConfig{Token: labToken, OperatorToken: operatorToken}).Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	for header, want := range map[string]int{
		"":                               401,
		"Bearer ":                        401,
		"Bearer anything, 16 bytes":      401,
		labToken:                         401, // a scheme has to be there, as gRPC has it
		"Basic " + labToken:              401,
		"Bearer " + labToken:             204,
		"bearer " + operatorToken + "\t": 204,
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		req.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != want || (w.Header().Get("WWW-Authenticate") == "Bearer") != (want == 401) {
			t.Errorf("%q: %d, want %d", header, w.Code, want)
		}
	}
}
