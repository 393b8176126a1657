package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/node"
)

func TestARateSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	gateway.WriteError(w, node.Exceeded("max-rate", 1500*time.Millisecond, "too many calls"))
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "2" || !strings.Contains(w.Body.String(), "--max-rate") {
		t.Errorf("%d, Retry-After %q, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	w = httptest.NewRecorder()
	gateway.WriteError(w, node.Exceeded("max-groups", 0, "too many groups"))
	if got, ok := w.Header()["Retry-After"]; ok {
		t.Errorf("Retry-After is %q, want none", got)
	}
}

func TestABodyTooLargeIsTold(t *testing.T) {
	t.Parallel()
	hits := map[string]int{}
	h, err := gateway.NewHandler(nil, gateway.Options{MaxRequestBytes: 10, LimitHit: func(limit string) { hits[limit]++ }})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/reset", strings.NewReader(`{"group":"abcdefg"}`))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != http.StatusTooManyRequests || hits["max-request-bytes"] != 1 {
		t.Errorf("%d, hits %v", w.Code, hits)
	}
	asCall := httptest.NewRecorder()
	gateway.WriteError(asCall, node.Exceeded("max-request-bytes", 0, "the request has more than 10 bytes"))
	if diff := cmp.Diff(asCall.Body.String(), w.Body.String()); diff != "" {
		t.Errorf("not as the server behind says it:\n%s", diff)
	}
}
