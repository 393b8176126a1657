package report

import (
	"bytes"
	"strings"
	"testing"
)

// TestRoundsAreToldApart writes three rounds of one line, of which the second fails.
func TestRoundsAreToldApart(t *testing.T) {
	t.Parallel()
	r := &Run{Suite: "rounds", File: "rounds.lab", Steps: []Step{
		{Line: 3, Text: "alice echo $i", Round: "i=1/3", Status: Passed},
		{Line: 3, Text: "alice echo $i", Round: "i=2/3", Status: Failed, Err: "it did not"},
		{Line: 3, Text: "alice echo $i", Round: "i=3/3", Status: Skipped},
	}}
	if e := EntryOf(r, 1, "", "", false); e.First != "3: alice echo $i (i=2/3): it did not" {
		t.Errorf("the index says %q", e.First)
	}
	var junit, tap, run, page bytes.Buffer
	for _, err := range []error{WriteJUnit(&junit, r), WriteTAP(&tap, r), writeRun(&run, r), WritePage(&page, r)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ in, format, want string }{
		{junit.String(), "JUnit", `name="3: alice echo $i (%)"`}, {tap.String(), "TAP", "- 3: alice echo $i (%)"},
		{run.String(), "JSON", `"round": "%"`}, {page.String(), "the page", "<code>alice echo $i (%)</code>"},
	} {
		for _, round := range []string{"i=1/3", "i=2/3", "i=3/3"} {
			if want := strings.Replace(tt.want, "%", round, 1); !strings.Contains(tt.in, want) {
				t.Errorf("%s lacks %s", tt.format, want)
			}
		}
	}
}

// TestBrowserShowsRounds looks at steps of a repeat, of which one comes while the page is open.
func TestBrowserShowsRounds(t *testing.T) {
	l, srv := serveLive(t)
	b := openTab(t, 1000, 700)
	b.open(srv.URL + "/")
	for _, round := range []string{"i=1/2", "i=2/2"} {
		l.Step(Step{Line: 3, Text: "alice echo", Round: round, Status: Passed, Start: ms, Duration: ms})
	}
	b.waitFor(`[...document.querySelectorAll("tr.step code")].map(c => c.textContent).join() === "alice echo (i=1/2),alice echo (i=2/2)"`)
}
