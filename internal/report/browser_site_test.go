package report

import (
	"testing"
	"time"
)

func TestBrowserFollowsStepsAtOnce(t *testing.T) {
	s, srv := serveSite(t, nil)
	b := openTab(t, 1280, 900)
	whole := partitionRun()
	header := *whole
	header.Steps, header.Lives, header.Events, header.Duration, header.Invariants, header.Sections, header.Measures = nil, nil, nil, 0, nil, nil, nil
	shown := s.Begin(&header, "")
	for _, l := range whole.Lives {
		l.To, l.End = l.From, ""
		shown.Life(l)
	}
	shown.Step(whole.Steps[0])
	slow := Step{Line: 12, Text: "all sleep 9s &", Section: "everyone is here", Status: Running, Start: 300 * ms}
	shown.Step(slow)
	b.open(srv.URL + "/")
	for _, e := range whole.Events[:len(whole.Events)/2] {
		shown.Event(e)
	}
	shown.Step(Step{Line: 15, Text: "lab partition alice bob | carol dave erin", Section: "the split", Status: Passed, Start: time.Second, Duration: 4 * ms})
	wait := Step{Line: 16, Text: "expect alice,bob within 20s members alive = 2", Section: "the split", Status: Running, Start: 1004 * ms}
	shown.Step(wait)
	shown.Now("16 expect alice,bob within 20s members alive = 2  waits for bob  5 alive")
	const rows = `[...document.querySelectorAll("tr.step")].map(r => r.dataset.status + " " + r.cells[3].textContent).join(", ")`
	b.waitFor(rows + ` === "passed 11, running 12, passed 15, running 16"`)
	b.waitFor(`document.querySelector("#now").checkVisibility() && document.querySelector("#now").textContent.includes("waits for bob")`)
	if n := eval[int](b, `document.querySelectorAll("#diagram .step-running").length`); n != 2 {
		t.Errorf("the diagram has %d steps that run, want 2", n)
	}
	b.picture("live-light")
	b.scheme(true)
	b.picture("live-dark")
	b.scheme(false)
	slow.Status, slow.Duration = Passed, 2*time.Second
	shown.Step(slow)
	b.waitFor(rows + ` === "passed 11, passed 12, passed 15, running 16"`)
	wait.Status, wait.Err, wait.Duration = Failed, "not within 20s", time.Second
	shown.Step(wait)
	shown.Now("")
	b.waitFor(rows + ` === "passed 11, passed 12, passed 15, failed 16" && !document.querySelector("#now").checkVisibility()`)
	shown.Finish(whole, nil)
	b.waitFor(`document.querySelector("#verdict").textContent === "✗ failed" && document.documentElement.dataset.ready === "yes"`)
	b.quiet(srv.URL)
}

// runRows is what the table of runs shows, in short.
const runRows = `[...document.querySelectorAll("tr.run")].map(r => r.dataset.status + " " + r.querySelector(".name").firstChild.textContent).join(", ")`

func TestBrowserListsRuns(t *testing.T) {
	s, srv := serveSite(t, nil)
	s.Expect(true)
	b := openTab(t, 1280, 700)
	b.open(srv.URL + "/")
	if got := eval[string](b, `document.querySelector("#run-table tbody").textContent`); got != "No run has begun." {
		t.Errorf("at first, the page says %q", got)
	}
	first := s.Begin(partitionRun(), "partition and heal, round 1")
	b.waitFor(runRows + ` === "running partition and heal, round 1"`)
	first.Finish(partitionRun(), nil)
	good := partitionRun()
	good.Suite, good.Invariants, good.Steps = "chat", nil, good.Steps[:3]
	s.Begin(good, "chat, round 1").Finish(good, nil)
	hostileName := hostile[0]
	s.Begin(&Run{Suite: hostileName, Peers: []string{"a"}}, hostileName)
	b.waitFor(runRows + `.startsWith("failed partition and heal, round 1, passed chat, round 1, running ")`)
	b.picture("runs-light")
	b.scheme(true)
	b.picture("runs-dark")
	eval[bool](b, `document.querySelector("#run-status").value = "failed", document.querySelector("#run-status").dispatchEvent(new Event("change"))`)
	if got := eval[string](b, runRows); got != "failed partition and heal, round 1" {
		t.Errorf("those that failed are %s", got)
	}
	if n := eval[int](b, `document.querySelectorAll("img, iframe, object, script:not(#data)").length`); n != 1 {
		t.Errorf("there are %d elements that load or run something, want the page's script", n)
	}
	b.size(390, 800)
	b.frames()
	if wide := eval[int](b, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("the page is %d wide on a screen of 390", wide)
	}
	b.picture("runs-narrow")
	b.size(1280, 700)
	b.follow("tr.run a")
	b.waitFor(`document.querySelector("h1").textContent === "partition and heal" && document.documentElement.dataset.ready === "yes"`)
	b.follow("nav a") // the way back
	b.waitFor(`document.querySelector("#run-table") && ` + runRows + `.split(", failed").length >= 1 && document.querySelectorAll("tr.run").length === 3`)
	s.Expect(false)
	b.waitFor(`document.querySelector("h1").textContent === "no run has begun"`)
	b.quiet(srv.URL)
}
