package gateway_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/bootstrap/apitest"
	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/node"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	apitest.RunHTTP(t, func(t *testing.T) string { return serveHTTP(t, gateway.Options{}) })
}

// TestRoutes holds the table of routes, by which requests are checked and clients send, against the
// description that is generated from http.yaml as the transcoder is.
func TestRoutes(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("bootstrap.swagger.json")
	if err != nil {
		t.Fatal(err)
	}
	var described struct {
		Paths map[string]map[string]struct {
			OperationID string
			Parameters  []struct{ Name, In string }
		}
	}
	if err := json.Unmarshal(src, &described); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for path, verbs := range described.Paths {
		for verb, operation := range verbs {
			line := strings.ToUpper(verb) + " " + path
			for _, p := range operation.Parameters {
				line += " " + p.In + ":" + p.Name
			}
			want[strings.TrimPrefix(operation.OperationID, "BootstrapService_")] = line
		}
	}
	got := gateway.Routes()
	if !maps.Equal(got, want) {
		t.Errorf("routes\n%v\nare described as\n%v", got, want)
	}
}

// FuzzHandler sends what strangers may send: whatever it is, the answer is JSON with one of the statuses that
// a request can earn, and never one that says that the service broke.
func FuzzHandler(f *testing.F) {
	for _, seed := range []struct{ verb, target, contentType, body string }{
		{"GET", "/v1/list?group=a&known_revision=1", "", ""},
		{"POST", "/v1/join", "application/json", `{"peer":{"id":"00000000-0000-4000-8000-000000000001","name":"a","host":"h","port":1,"labels":{"a":"b"}}}`},
		{"PATCH", "/v1/config?update_mask=lease", "application/json", `{"lease":"3s","maxPeers":2}`},
		{"POST", "/v1/refill", "application/json", `{"candidate":{"joinedAt":"2026-01-01T00:00:00Z"}}`},
		{"GET", "/openapi.json", "", ""},
		{"POST", "/v1/reset", "application/json", `{"group":1e999}`},
		{"POST", "/v1/leave", "application/json", strings.Repeat(`{"id":`, 20)},
		{"GET", "/v1/list?group=%00", "", ""},
	} {
		f.Add(seed.verb, seed.target, seed.contentType, seed.body)
	}
	local, err := serve(f).Local()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = local.Close() })
	h, err := gateway.NewHandler(local, gateway.Options{MaxRequestBytes: 4096, NoStreams: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, verb, target, contentType, body string) {
		req, err := http.NewRequest(verb, "http://127.0.0.1"+target, strings.NewReader(body))
		if err != nil || req.URL.Path == "" {
			t.Skip("no HTTP client can send that")
		}
		req.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req.WithContext(t.Context()))
		switch w.Code {
		case 200, 400, 403, 404, 405, 429, 501:
		default:
			t.Errorf("%s %q: status %d: %s", verb, target, w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q: not JSON: %q", verb, target, w.Body)
		}
	})
}

// TestErrorsAreDescribed has each call described with the error that it answers with, of which the example is a real one.
func TestErrorsAreDescribed(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("bootstrap.swagger.json")
	if err != nil {
		t.Fatal(err)
	}
	var description struct {
		Paths map[string]map[string]struct {
			Responses struct {
				Default struct {
					Schema struct {
						Required []string
						Example  any
					}
				}
			}
		}
	}
	if err := json.Unmarshal(src, &description); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, serveHTTP(t, gateway.Options{})+"/v1/join", strings.NewReader(
		`{"peer":{"id":"00000000-0000-4000-8000-000000000001","name":"ann","host":"127.0.0.1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	var answer any
	if err := errors.Join(json.NewDecoder(resp.Body).Decode(&answer), resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	for path, verbs := range description.Paths {
		for verb, operation := range verbs {
			schema := operation.Responses.Default.Schema
			if diff := cmp.Diff(answer, schema.Example); diff != "" || !slices.Equal(schema.Required, []string{"code", "message"}) {
				t.Errorf("%s %s: required are %q, and the example is not what the service answers:\n%s", verb, path, schema.Required, diff)
			}
		}
	}
}

// TestWatchFailsAsOtherCallsDo compares a watch that nobody may have with a list that nobody may have.
func TestWatchFailsAsOtherCallsDo(t *testing.T) {
	t.Parallel()
	const token = "a token of sixteen bytes"
	security, err := node.LoadSecurity(node.SecurityConfig{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	url := gatewayOf(t, serveWith(t, security), gateway.Options{})
	type answer struct {
		Status int
		Header http.Header
		Body   string
	}
	get := func(path, token string) answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		resp.Header.Del("Date")
		return answer{resp.StatusCode, resp.Header, string(body)}
	}
	for _, tt := range []struct {
		query, token string
		status       int
	}{{"", "another token of that length", 401}, {"?group=a+b", token, 400}} {
		list, watch := get("/v1/list"+tt.query, tt.token), get("/v1/watch"+tt.query, tt.token)
		if diff := cmp.Diff(list, watch); diff != "" || watch.Status != tt.status {
			t.Errorf("%d, and unlike a list:\n%s", watch.Status, diff)
		}
	}
}
