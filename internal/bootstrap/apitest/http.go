package apitest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
)

// OpenHTTP returns the URL of a new service whose store is empty.
type OpenHTTP func(t *testing.T) string

// request is one that a person may make by hand, and what has to come back.
type request struct {
	name        string
	verb, path  string
	contentType string // empty means application/json where there is a body, "none" none
	body        string
	header      [2]string
	watch       bool // a service that does not stream may say so

	status  int
	code    codes.Code // of an error
	field   string     // the one that the error blames
	message string     // a part of the error's message
	answer  string     // a part of the body
}

// good is a peer as JSON.
const good = `{"id":"00000000-0000-4000-8000-000000000001","name":"ann","host":"127.0.0.1","port":7000}`

func requests() []request {
	bad := http.StatusBadRequest
	invalid := codes.InvalidArgument
	return []request{
		{name: "list", verb: "GET", path: "/v1/list?group=a", status: 200, answer: `"group":"a"`},
		{name: "defaults are said", verb: "GET", path: "/v1/list", status: 200, answer: `"count":0`},
		{name: "HEAD", verb: "HEAD", path: "/v1/list", status: http.StatusMethodNotAllowed},
		{name: "join", verb: "POST", path: "/v1/join", body: `{"peer":` + good + `}`, status: 200, answer: `"held":true`},
		{name: "names of the .proto file", verb: "PATCH", path: "/v1/config", body: `{"max_peers":3}`, status: 200, answer: `"maxPeers":3`},
		{name: "an empty body is an empty request", verb: "POST", path: "/v1/reset", contentType: "application/json; charset=utf-8", status: 200, answer: `"group":"default"`},
		{name: "the description", verb: "GET", path: "/openapi.json", status: 200, answer: `"/v1/join"`},

		{name: "an unknown field", verb: "POST", path: "/v1/join", body: `{"pear":{}}`, status: bad, code: invalid, field: "pear", message: "known are group, peer"},
		{name: "an unknown field within", verb: "POST", path: "/v1/join", body: `{"peer":{"prt":1}}`, status: bad, code: invalid, field: "peer.prt"},
		{name: "a text for a number", verb: "POST", path: "/v1/join", body: `{"peer":{"port":"x"}}`, status: bad, code: invalid, field: "peer.port", message: `not "x"`},
		{name: "a negative port", verb: "POST", path: "/v1/join", body: `{"peer":{"port":-1}}`, status: bad, code: invalid, field: "peer.port"},
		{name: "a list for an object", verb: "POST", path: "/v1/join", body: `{"peer":[]}`, status: bad, code: invalid, field: "peer"},
		{name: "a number for labels", verb: "POST", path: "/v1/join", body: `{"peer":{"labels":1}}`, status: bad, code: invalid, field: "peer.labels"},
		{name: "a lease without a unit", verb: "PATCH", path: "/v1/config", body: `{"lease":"3"}`, status: bad, code: invalid, field: "config.lease", message: `"30s"`},
		{name: "a negative lease", verb: "PATCH", path: "/v1/config", body: `{"lease":"-3s"}`, status: bad, code: invalid, field: "config.lease"},
		{name: "a time that is none", verb: "POST", path: "/v1/join", body: `{"peer":{"joinedAt":"yesterday"}}`, status: bad, code: invalid, field: "peer.joined_at"},
		{name: "a field given twice", verb: "POST", path: "/v1/leave", body: `{"id":"a","id":"b"}`, status: bad, code: invalid, message: "duplicate"},
		{name: "half a body", verb: "POST", path: "/v1/join", body: `{"peer":`, status: bad, code: invalid, message: "body"},
		{name: "more than a body", verb: "POST", path: "/v1/reset", body: `{} {}`, status: bad, code: invalid, message: "body"},
		{name: "a body that is no object", verb: "POST", path: "/v1/reset", body: `7`, status: bad, code: invalid, message: "body"},
		{name: "bytes that are no text", verb: "POST", path: "/v1/leave", body: "{\"id\":\"\xff\"}", status: bad, code: invalid},
		{name: "a body of another kind", verb: "POST", path: "/v1/join", contentType: "text/plain", body: `{"peer":` + good + `}`, status: bad, code: invalid, message: "application/json"},
		{name: "a body of no kind", verb: "POST", path: "/v1/reset", contentType: "none", status: bad, code: invalid, message: "application/json"},
		{name: "a body where none belongs", verb: "GET", path: "/v1/list", body: `{"group":"a"}`, status: bad, code: invalid, message: "query"},
		{name: "a body too large", verb: "POST", path: "/v1/join", body: `{"group":"` + strings.Repeat("a", 70_000) + `"}`, status: http.StatusTooManyRequests, code: codes.ResourceExhausted, message: "max-request-bytes"},

		{name: "an unknown parameter", verb: "GET", path: "/v1/list?grop=a", status: bad, code: invalid, field: "grop", message: "known are group"},
		{name: "a parameter of a call that has none", verb: "GET", path: "/v1/ping?a=1", status: bad, code: invalid, field: "a"},
		{name: "a parameter that belongs into the body", verb: "POST", path: "/v1/reset?group=a", body: `{}`, status: bad, code: invalid, field: "group", message: "in the body"},
		{name: "a parameter given twice", verb: "GET", path: "/v1/list?group=a&group=b", status: bad, code: invalid, field: "group", message: "more than once"},
		{name: "a parameter by both its names", verb: "GET", path: "/v1/list?known_revision=1&knownRevision=2", status: bad, code: invalid, field: "known_revision"},
		{name: "a revision that is no number", verb: "GET", path: "/v1/list?known_revision=-1", status: bad, code: invalid, field: "known_revision"},
		{name: "a query that cannot be read", verb: "GET", path: "/v1/list?group=%zz", status: bad, code: invalid, message: "query"},

		{name: "a watch of an odd group", verb: "GET", path: "/v1/watch?group=a+b", watch: true, status: bad, code: invalid, field: "group"},
		{name: "a watch with an unknown parameter", verb: "GET", path: "/v1/watch?grop=a", watch: true, status: bad, code: invalid, field: "grop"},

		{name: "no such path", verb: "GET", path: "/v1/nodes", status: http.StatusNotFound, code: codes.NotFound, message: "/v1/list"},
		{name: "not that way", verb: "PUT", path: "/v1/config", status: http.StatusMethodNotAllowed, code: codes.Unimplemented, message: "GET, PATCH"},
		{name: "no method by a header", verb: "POST", path: "/v1/list", header: [2]string{"X-HTTP-Method-Override", "GET"}, status: http.StatusMethodNotAllowed, code: codes.Unimplemented},
		{name: "a page of another origin", verb: "POST", path: "/v1/reset", body: `{}`, header: [2]string{"Origin", "https://evil.example"}, status: http.StatusForbidden, code: codes.PermissionDenied},
	}
}

// RunHTTP makes requests as a person makes them, right and wrong ones, each to a service of its own.
func RunHTTP(t *testing.T, open OpenHTTP) {
	for _, r := range requests() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.check(t, open(t))
		})
	}
}

func (r request) check(t *testing.T, url string) {
	req, err := http.NewRequestWithContext(t.Context(), r.verb, url+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.contentType == "" {
		r.contentType = "application/json"
	}
	if r.contentType != "none" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.header[0] != "" {
		req.Header.Set(r.header[0], r.header[1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.watch && resp.StatusCode == http.StatusNotImplemented {
		r.status, r.code, r.field, r.message = resp.StatusCode, codes.Unimplemented, "", "poll"
	}
	if resp.StatusCode != r.status {
		t.Errorf("status %d, want %d: %s", resp.StatusCode, r.status, body)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if !strings.Contains(strings.ReplaceAll(string(body), " ", ""), r.answer) {
		t.Errorf("%s: want %s in it", body, r.answer)
	}
	if r.code == codes.OK {
		return
	}
	var e struct {
		Code    codes.Code
		Message string
		Field   string
		Details []struct {
			Type            string `json:"@type"`
			FieldViolations []struct{ Field string }
		}
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if e.Code != r.code || e.Field != r.field || !strings.Contains(e.Message, r.message) || e.Message == "" {
		t.Errorf("%s: want code %d, field %q and %q in the message", body, r.code, r.field, r.message)
	}
	if r.field != "" && (len(e.Details) == 0 || e.Details[0].FieldViolations[0].Field != r.field) {
		t.Errorf("%s: want details with field %q", body, r.field)
	}
}
