package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// serveSite serves a site on the loopback interface.
func serveSite(t *testing.T, known func(string) bool) (*Site, *httptest.Server) {
	t.Helper()
	s := NewSite(known)
	srv := httptest.NewUnstartedServer(s)
	// Streams must outlive what a server grants a request.
	srv.Config.ReadTimeout = 100 * ms
	srv.Start()
	t.Cleanup(srv.Close)
	t.Cleanup(s.Close) // before the server, which waits for its streams
	return s, srv
}

// get asks for a path, by the name of a host.
func get(t *testing.T, srv *httptest.Server, method, host, path string) (code int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	client := *srv.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func TestSiteIsReadOnlyAndForItsHosts(t *testing.T) {
	t.Parallel()
	s, srv := serveSite(t, func(host string) bool { return host == "lab.example" })
	s.Expect(true)
	s.Begin(&Run{Suite: "secret"}, "secret")
	for _, tt := range []struct {
		method, host, path string
		want               int
	}{
		{"GET", "", "/", 200},
		{"GET", "lab.example:7000", "/", 200},
		{"GET", "localhost", "/runs/1/", 200},
		{"HEAD", "", "/events?index", 200},
		{"GET", "evil.example", "/", 403},
		{"GET", "evil.example", "/runs/1/", 403},
		{"GET", "evil.example", "/runs/1/events", 403},
		{"GET", "evil.example", "/events?index", 403},
		{"GET", "lab.example.evil.example", "/", 403},
		{"POST", "", "/", 405},
		{"PUT", "", "/runs/1/", 405},
		{"OPTIONS", "", "/events", 405},
		{"GET", "", "/runs/1", 301},
		{"GET", "", "/runs/2/", 404},
		{"GET", "", "/runs/01/", 404},
		{"GET", "", "/runs/-1/", 404},
		{"GET", "", "/runs/", 404},
		{"GET", "", "/runs/1/other", 404},
		{"GET", "", "/runs/1/../../etc/passwd", 404},
		{"GET", "", "/other", 404},
	} {
		code, header, body := get(t, srv, tt.method, tt.host, tt.path)
		if code != tt.want {
			t.Errorf("%s %s at %q: %d, want %d", tt.method, tt.path, tt.host, code, tt.want)
		}
		if code == 403 && strings.Contains(body, "secret") {
			t.Errorf("%s: who may not see the run sees something of it", tt.path)
		}
		if code == 200 && tt.method == "GET" {
			policy := header.Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'; script-src 'sha256-") || !strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("%s: the policy is %q", tt.path, policy)
			}
		}
		for name := range header {
			if strings.HasPrefix(name, "Access-Control") {
				t.Errorf("%s: other sites are allowed with %s", tt.path, name)
			}
		}
	}
}

func TestSiteOfOneRunIsItsPage(t *testing.T) {
	t.Parallel()
	s, srv := serveSite(t, nil)
	if _, _, body := get(t, srv, "GET", "", "/"); !strings.Contains(body, "no run has begun") {
		t.Error("before the first run, the site does not say so")
	}
	shown := s.Begin(&Run{Suite: "first"}, "first")
	r := follow(t, srv, nextOf(shown.Live), "")
	shown.Finish(&Run{Suite: "first"}, nil)
	if _, kind, _ := r.next(); kind != "done" {
		t.Errorf("at the end of a run, got %s", kind)
	}
	s.Begin(&Run{Suite: "second"}, "second")
	if _, kind, _ := r.next(); kind != "resync" {
		t.Errorf("at the next run, got %s", kind)
	}
	if _, _, body := get(t, srv, "GET", "", "/"); !strings.Contains(body, "<h1>second</h1>") || strings.Contains(body, "All runs") {
		t.Error("the site is not the page of the new run alone")
	}
}

func TestSiteListsRuns(t *testing.T) {
	t.Parallel()
	s, srv := serveSite(t, nil)
	s.Expect(true)
	r := follow(t, srv, "&index", "") // "?after=&index"
	expect := func(parts ...string) {
		t.Helper()
		var data string
		for range 5 { // changes may come together, or one by one
			if _, _, data = r.next(); !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(data, p) }) {
				return
			}
		}
		t.Errorf("the index is %s, want %q in it", data, parts)
	}
	expect(`"rows":[]`)
	one := s.Begin(&Run{Suite: "one", Peers: []string{"alice"}}, "one, round 1")
	expect(`"name":"one, round 1"`, `"status":"running"`, `"link":"runs/1/"`)
	one.Step(Step{Line: 3, Text: "alice init", Status: Running})
	_, _, body := get(t, srv, "GET", "", "/runs/1/")
	if !strings.Contains(body, "alice init") || !strings.Contains(body, `<a href="../../">All runs</a>`) {
		t.Error("the page of the run does not show its step, or not the way back")
	}
	one.Finish(&Run{Suite: "one", Duration: time.Second, Steps: []Step{{Line: 3, Text: "alice init", Status: Failed, Err: "no"}}}, nil)
	expect(`"status":"failed"`, `"first":"3: alice init: no"`)
	s.Begin(&Run{Suite: "two"}, "").Finish(nil, errors.New("port taken"))
	expect(`"first":"port taken"`, `"name":"two"`)
	three := s.Begin(&Run{Suite: "three"}, "")
	three.Finish(&Run{Suite: "three", Problems: []Problem{{Text: "alice did not start"}}}, errors.New("alice did not start"))
	if run, _, _ := three.snapshot(); len(run.Problems) != 1 {
		t.Errorf("one problem is told %d times", len(run.Problems))
	}
	expect(`"name":"three"`, `"status":"failed"`)
	s.Expect(false)
	if _, kind, _ := r.next(); kind != "resync" {
		t.Errorf("when the next runs stand alone, got %s", kind)
	}
}

func TestSiteKeepsSomePages(t *testing.T) {
	t.Parallel()
	s, srv := serveSite(t, nil)
	s.Expect(true)
	going := s.Begin(&Run{Suite: "long"}, "")
	failed := s.Begin(&Run{Suite: "failed"}, "")
	failed.Finish(&Run{Problems: []Problem{{Text: "x"}}}, nil)
	for range 3 * keptPages {
		s.Begin(&Run{Suite: "good"}, "").Finish(&Run{}, nil)
	}
	last := s.runs
	for path, want := range map[string]int{"/runs/1/": 200, "/runs/2/": 200, "/runs/3/": 410, fmt.Sprintf("/runs/%d/", last): 200} {
		if code, _, _ := get(t, srv, "GET", "", path); code != want {
			t.Errorf("%s is %d, want %d", path, code, want)
		}
	}
	if len(s.pages) > keptPages+2 {
		t.Errorf("%d pages are kept", len(s.pages))
	}
	if links := strings.Count(indexOf(t, &s.index), `"link":""`); links != last-len(s.pages) {
		t.Errorf("%d of %d runs have no link, and %d have a page", links, last, len(s.pages))
	}
	going.Finish(&Run{}, nil)
}

func indexOf(t *testing.T, x *Index) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteIndex(&b, x); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestIndexIsBounded(t *testing.T) {
	t.Parallel()
	var x Index
	x.Put(Entry{Number: 1, Status: Failed, Name: "the failed one"})
	for n := range 3 * indexRows {
		x.Put(Entry{Number: n + 2, Status: Passed})
	}
	text := indexOf(t, &x)
	if len(x.entries) != indexRows || x.left != 2*indexRows+1 || !strings.Contains(text, "the failed one") {
		t.Errorf("%d rows and %d left out", len(x.entries), x.left)
	}
}

func TestIndexTakesHostileTextsForTexts(t *testing.T) {
	t.Parallel()
	count := func(page string) int {
		doc, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for node := range doc.Descendants() {
			if node.Type == html.ElementNode {
				n += 1 + len(node.Attr)
			}
		}
		return n
	}
	var x Index
	want := count(indexOf(t, &x))
	for i, s := range hostile {
		x.Put(EntryOf(&Run{Suite: s, File: s, Runner: s, Problems: []Problem{{Text: s}}}, i+1, s, LinkTo("x-1"), false))
	}
	text := indexOf(t, &x)
	if got := count(text); got != want {
		t.Errorf("the page has %d elements and attributes, want %d", got, want)
	}
	if strings.ContainsAny(text, "\x1b\x07\u202e") || strings.Contains(text, "<script>document") {
		t.Error("a text came through as it was")
	}
}

func TestIndexFileIsOneFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	var x Index
	x.Put(EntryOf(&Run{Suite: "one"}, 1, "", LinkTo("one-1"), false))
	if err := WriteIndexFile(&x, dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, FileIndex))
	if err != nil || !strings.Contains(string(text), `"link":"./one-1/report.html"`) || strings.Contains(string(text), "src=") {
		t.Errorf("%v, and the file has %d bytes", err, len(text))
	}
	if err := WriteIndexFile(&x, filepath.Join(dir, FileIndex)); err == nil {
		t.Error("a file is a folder")
	}
}
