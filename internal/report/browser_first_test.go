package report

import (
	"strings"
	"testing"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// TestBrowserShowsFirstWhatIsTrue opens a run in which carol has said goodbye and her process has not ended yet, and dave was killed
// before he could hear of another's end. What is shown before anybody has chosen anything must not look like trouble.
func TestBrowserShowsFirstWhatIsTrue(t *testing.T) {
	g := newGenerator(1, "goodbye", 4)
	all := g.run.Peers
	for i, name := range all {
		g.joined(time.Duration(100+i*10)*ms, name, all[:i])
		g.run.Lives = append(g.run.Lives, Life{Peer: name, To: 9 * time.Second})
	}
	g.run.Lives[3].To, g.run.Lives[3].End = 2*time.Second, "kill"
	for i, observer := range all[:3] {
		g.emit(time.Duration(3000+i)*ms, observer, &eventv1.Event{What: &eventv1.Event_Lost{Lost: member("dave")}})
	}
	g.emit(1900*ms, "alice", &eventv1.Event{What: &eventv1.Event_Lost{Lost: member("erin")}}) // of whom dave never hears
	for i, observer := range all[:3] {
		if i > 0 {
			g.emit(time.Duration(2000+i)*ms, observer, &eventv1.Event{What: &eventv1.Event_Lost{Lost: member("erin")}})
		}
	}
	for i, observer := range all[:2] {
		g.emit(time.Duration(5000+i)*ms, observer, &eventv1.Event{What: &eventv1.Event_Left{Left: member("carol")}})
	}
	s := g.step(9, "", "expect  alice,bob members left = 1", 5*time.Second, 2*ms)
	s.Details = []string{"only this"}
	b := openTab(t, 1000, 800)
	url := pageOf(t, g.finish(9*time.Second))
	b.open(url)
	if says := eval[string](b, `document.querySelector("#belief-says").textContent`); !strings.Contains(says, "2 of 5 are in the group. All views agree.") {
		t.Errorf("of beliefs, the page says %q", says)
	}
	if news := eval[string](b, `document.querySelector("#spread-what").selectedOptions[0].text`); !strings.Contains(news, "dave lost") || !strings.Contains(news, "(3 of 3)") {
		t.Errorf("the curve is that of %q", news)
	}
	if s := eval[string](b, `document.querySelector("tr.step summary").textContent`); s != "1 line" {
		t.Errorf("details are %q", s)
	}
	b.quiet(url)
}
