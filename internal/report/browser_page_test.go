package report

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// click clicks on what a selector finds first, as a user would.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.follow(selector)
	b.frames()
}

// follow clicks on a link. It does not wait for the page that goes: waitFor sees the one that comes.
func (b *tab) follow(selector string) {
	b.t.Helper()
	do(b, chromedp.Click(chromedp.CSS(selector)))
}

// press presses a key where a selector finds the focus.
func (b *tab) press(selector, keys string) {
	b.t.Helper()
	do(b, chromedp.Focus(chromedp.CSS(selector)))
	do(b, chromedp.KeyEvent(keys))
	b.frames()
}

const letters = `[...document.querySelectorAll("#matrix tbody tr")].map(r => [...r.cells].slice(1).map(c => c.textContent).join("")).join(" ")`

func TestBrowserShowsFivePeers(t *testing.T) {
	b := openTab(t, 1280, 900)
	url := pageOf(t, partitionRun())
	b.open(url)
	for _, dark := range []bool{false, true} {
		b.scheme(dark)
		b.picture(map[bool]string{false: "five-light", true: "five-dark"}[dark])
	}
	b.scheme(false)
	t.Run("steps are filtered", func(t *testing.T) {
		const visible = `[...document.querySelectorAll("tr.step")].filter(r => !r.hidden).length`
		do(b, chromedp.SendKeys(chromedp.CSS("#step-text"), "LAB "))
		if n := eval[int](b, visible); n != 2 {
			t.Errorf("%d steps have that text, want 2", n)
		}
		eval[bool](b, `document.querySelector("#step-text").value = "", document.querySelector("#step-status").value = "failed", document.querySelector("#step-status").dispatchEvent(new Event("change"))`)
		if n := eval[int](b, visible); n != 1 {
			t.Errorf("%d steps failed, want 1", n)
		}
		if s := eval[string](b, `document.querySelector("#step-count").textContent`); s != "1 of 9 steps" {
			t.Errorf("the page says %q", s)
		}
	})
	t.Run("the slider replays beliefs", func(t *testing.T) {
		if s := eval[string](b, letters); s != "AAXAA AAXAA ····· AAXAA AAXAA" {
			t.Errorf("at the end, beliefs are %s", s)
		}
		move := func(value string) string {
			return eval[string](b, `(() => { const s = document.querySelector("#belief-time"); s.value = `+value+`; s.dispatchEvent(new Event("input")); return `+letters+`; })()`)
		}
		if s := move("400"); s != "AAXXX AAXXX XXAAA XXAAA XXAAA" {
			t.Errorf("in the partition, beliefs are %s", s)
		}
		if s := eval[string](b, `document.querySelector("#belief-says").textContent`); !strings.Contains(s, "Views differ about 5") {
			t.Errorf("in the partition, the page says %q", s)
		}
		b.picture("five-partition")
		if s := move("0"); strings.Contains(s, "A") {
			t.Errorf("at first, beliefs are %s", s)
		}
		b.click("#belief-next")
		if s := eval[string](b, letters); s != "A···· ····· ····· ····· ·····" {
			t.Errorf("after the first change, beliefs are %s", s)
		}
	})
	t.Run("the diagram moves and follows", func(t *testing.T) { diagramMoves(t, b) })
	b.quiet(url)
}

func diagramMoves(t *testing.T, b *tab) {
	const arrows, window = `document.querySelectorAll("#diagram .arrow").length`, `document.querySelector("#window").textContent`
	all := eval[int](b, arrows)
	if drops := eval[int](b, `document.querySelectorAll("#diagram .drop").length`); all != 42 || drops != 30 {
		t.Errorf("there are %d arrows and %d drops, want 42 and 30", all, drops)
	}
	if bands := eval[int](b, `document.querySelectorAll("#diagram .band").length`); bands != 5 {
		t.Errorf("there are %d bands, want one for each peer", bands)
	}
	whole := eval[string](b, window)
	b.press("#diagram", "+")
	zoomed := eval[string](b, window)
	b.press("#diagram", "-")
	if zoomed == whole || eval[string](b, window) != whole {
		t.Errorf("keys zoom from %s to %s and back to %s", whole, zoomed, eval[string](b, window))
	}
	eval[bool](b, `document.querySelector("#diagram .hit").dispatchEvent(new MouseEvent("click", {bubbles: true}))`)
	b.frames()
	if n := eval[int](b, arrows); n != 4 {
		t.Errorf("a message that is followed has %d arrows, want 4", n)
	}
	if s := eval[string](b, `document.querySelector("#following").textContent`); !strings.Contains(s, "hello from alice") || !strings.Contains(s, "Delivered to 4 of 4") {
		t.Errorf("the page says %q", s)
	}
	b.picture("five-follow")
	b.press("#diagram", "\x1b")
	b.click("#zoom-all")
	if n := eval[int](b, arrows); n != all {
		t.Errorf("there are %d arrows after all, want %d", n, all)
	}
	b.click("#message-details summary")
	if n := eval[int](b, `document.querySelectorAll("#message-table tbody tr").length`); n != 18 {
		t.Errorf("the table has %d messages, want 18", n)
	}
	eval[bool](b, `document.querySelector("#spread-what").value = [...document.querySelectorAll("#spread-what option")].find(o => o.text.startsWith("carol lost at 9.4")).value, document.querySelector("#spread-what").dispatchEvent(new Event("change"))`)
	if s := eval[string](b, `document.querySelector("#curve-says").textContent`); !strings.Contains(s, "1.40s after the process ended") {
		t.Errorf("the page says %q of carol", s)
	}
}

func TestBrowserShowsAHundredPeers(t *testing.T) {
	b := openTab(t, 1400, 900)
	url := pageOf(t, churnRun(100_000))
	t.Logf("the page was drawn after %s", b.open(url))
	b.picture("hundred-light")
	b.scheme(true)
	b.picture("hundred-dark")
	if s := eval[string](b, `document.querySelector("#folded").textContent`); !strings.Contains(s, "too many to draw each") {
		t.Errorf("the page says %q of what it does not draw", s)
	}
	if n := eval[int](b, `document.querySelectorAll("#diagram svg *").length`); n > 5000 {
		t.Errorf("the diagram has %d elements", n)
	}
	begin := time.Now()
	eval[bool](b, `(() => { const s = document.querySelector("#belief-time"); s.value = 120; s.dispatchEvent(new Event("input")); return true; })()`)
	b.frames()
	t.Logf("the slider moved in %s", time.Since(begin))
	for range 12 {
		b.press("#diagram", "+")
	}
	if n := eval[int](b, `document.querySelectorAll("#diagram .arrow").length`); n == 0 {
		t.Error("there is no arrow in a short time either")
	}
	b.picture("hundred-zoomed")
	b.quiet(url)
}

func TestBrowserOnANarrowScreenAndOnPaper(t *testing.T) {
	b := openTab(t, 390, 800)
	url := pageOf(t, partitionRun())
	b.open(url)
	if wide := eval[int](b, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("the page is %d wide on a screen of 390", wide)
	}
	b.picture("narrow")
	b.size(2400, 1000)
	b.frames()
	b.picture("wide")
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	b.size(800, 1000)
	b.picture("print")
	pdf := do(b, chromedp.PrintToPDF())
	if dir := os.Getenv(picturesEnv); dir != "" {
		if err := os.WriteFile(dir+"/paper.pdf", pdf, 0o600); err != nil {
			t.Error(err)
		}
	}
	b.quiet(url)
}

func TestBrowserTakesHostileTextsForTexts(t *testing.T) {
	b := openTab(t, 1280, 900)
	url := pageOf(t, hostileRun())
	b.open(url)
	eval[bool](b, `document.querySelectorAll("details").forEach(d => { d.open = true; }), true`)
	eval[bool](b, `(() => { for (const o of document.querySelectorAll("#spread-what option")) { const s = document.querySelector("#spread-what"); s.value = o.value; s.dispatchEvent(new Event("change")); } return true; })()`)
	eval[bool](b, `document.querySelectorAll("#diagram .origin, #diagram .ring, #diagram .hit").forEach(e => e.dispatchEvent(new MouseEvent("click"))), true`)
	b.frames()
	if title := eval[string](b, `document.title`); strings.Contains(title, "owned") && !strings.HasPrefix(title, "✗") {
		t.Errorf("the title is %q", title)
	}
	if n := eval[int](b, `document.querySelectorAll("img, iframe, object, script:not(#data)").length`); n != 1 {
		t.Errorf("there are %d elements that load or run something, want the page's script", n)
	}
	if n := eval[int](b, `[...document.querySelectorAll("*")].filter(e => e.getAttributeNames().some(a => a.startsWith("on"))).length`); n != 0 {
		t.Errorf("%d elements run something", n)
	}
	b.picture("hostile")
	b.quiet(url)
}

func TestBrowserOfNothing(t *testing.T) {
	b := openTab(t, 1000, 700)
	url := pageOf(t, &Run{Suite: "nothing at all"})
	b.open(url)
	b.picture("empty")
	b.quiet(url)
}

func TestBrowserFollowsARun(t *testing.T) {
	l := NewLive()
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	t.Cleanup(l.Close) // before the server, which waits for its streams
	b := openTab(t, 1280, 900)
	whole := partitionRun()
	header := *whole
	header.Steps, header.Lives, header.Events, header.Duration, header.Invariants, header.Problems = nil, nil, nil, 0, nil, nil
	l.Begin(&header)
	b.open(srv.URL + "/")
	for i, e := range whole.Events {
		l.Event(e)
		if i == len(whole.Events)/2 {
			l.Step(Step{Line: 11, Text: "all init", Section: "one", Status: Running})
		}
	}
	l.Step(Step{Line: 11, Text: "all init", Section: "one", Status: Passed, Duration: ms})
	do(b, chromedp.Poll[bool](`document.querySelectorAll("#diagram .drop").length === 30 && document.querySelectorAll("tr.step .passed, tr.step td.passed").length === 1`))
	l.Life(whole.Lives[2])
	do(b, chromedp.Poll[bool](`document.querySelectorAll("#diagram .mark-kill").length === 1`))
	b.picture("live")
	if s := eval[string](b, `document.querySelector("#state").textContent`); s != "live" {
		t.Errorf("the page says it is %q", s)
	}
	l.Finish(whole)
	b.waitFor(`document.querySelector("#verdict").textContent === "✗ failed" && document.documentElement.dataset.ready === "yes"`)
	if s := eval[string](b, letters); s != "AAXAA AAXAA ····· AAXAA AAXAA" {
		t.Errorf("at the end, beliefs are %s", s)
	}
	l.Begin(&Run{Suite: "another run", Peers: []string{"zoe"}})
	b.waitFor(`document.querySelector("h1").textContent === "another run"`)
	b.quiet(srv.URL)
}

// waitFor waits for something that is true on this page or the next.
func (b *tab) waitFor(js string) {
	b.t.Helper()
	for b.ctx.Err() == nil {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](js))
		if err == nil && ok {
			return
		}
		select {
		case <-b.ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	b.t.Fatalf("%s: never", js)
}
