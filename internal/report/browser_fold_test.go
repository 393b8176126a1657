package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// shakyRun is sixty peers of whom each suspects each of the others, and takes it for alive again; and few messages.
func shakyRun() *Run {
	g := newGenerator(3, "shaky", 60)
	all := g.run.Peers
	for i, name := range all {
		g.joined(time.Duration(100+i*10)*ms, name, nil)
		for k, other := range without(all, name) {
			at := 2*time.Second + time.Duration((i*7+k*13)%900)*ms
			g.emit(at, name, &eventv1.Event{What: &eventv1.Event_Suspected{Suspected: member(other)}})
			g.emit(at+time.Second, name, &eventv1.Event{What: &eventv1.Event_Recovered{Recovered: member(other)}})
		}
	}
	g.message(2500*ms, "p1", "are you there?", without(all, "p1", "p9"), []string{"p9"})
	g.message(3*time.Second, "p30", "we are", []string{"p1", "p2"}, nil)
	return g.finish(5 * time.Second)
}

const folded = `document.querySelector("#folded").textContent`

// TestBrowserFoldsMarksAndMessagesApart looks at few messages among many marks, and then at many messages among few marks.
func TestBrowserFoldsMarksAndMessagesApart(t *testing.T) {
	b := openTab(t, 1400, 900)
	url := pageOf(t, shakyRun())
	b.open(url)
	count := func(selector string) int {
		return eval[int](b, fmt.Sprintf(`document.querySelectorAll("#diagram %s").length`, selector))
	}
	if arrows, drops, joins, others := count(".arrow"), count(".drop"), count(".mark-join"), count(".mark-suspected"); arrows != 60 || drops != 1 || joins != 60 || others != 0 {
		t.Errorf("there are %d arrows, %d drops, %d joins and %d suspicions, want 60, 1, 60 and none", arrows, drops, joins, others)
	}
	if s := eval[string](b, folded); !strings.HasPrefix(s, "7,080 marks of what became of members are in view, too many to draw each") || strings.Contains(s, "deliveries") ||
		!strings.Contains(s, "from top to bottom: suspicions, members taken for alive again.") {
		t.Errorf("of what is not drawn, the page says %q", s)
	}
	if n := eval[[]int](b, painted); len(n) != 2 || n[0] < 100 || n[1] < 100 {
		t.Errorf("points in the colours of suspicions and of recoveries: %d", n)
	}
	for _, dark := range []bool{false, true} {
		b.scheme(dark)
		b.picture(map[bool]string{false: "fold-light", true: "fold-dark"}[dark])
	}
	b.quiet(url)

	url = pageOf(t, churnRun(30_000))
	b.open(url)
	if arrows, joins, losses := count(".arrow"), count(".mark-join"), count(".mark-lost"); arrows != 0 || joins != 100 || losses < 500 {
		t.Errorf("there are %d arrows, %d joins and %d losses, want none, 100 and many", arrows, joins, losses)
	}
	if s := eval[string](b, folded); !strings.Contains(s, "deliveries and drops are in view, too many to draw each") || strings.Contains(s, "marks") {
		t.Errorf("of what is not drawn, the page says %q", s)
	}
}

// painted counts the points of the diagram's canvas that have the colours of suspicions and of recoveries.
const painted = `(() => {
  const c = document.querySelector("#diagram canvas"), data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  return ["suspect", "good"].map((name) => {
    const hex = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
    const wanted = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    let n = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 60 && wanted.every((v, k) => Math.abs(v - data[i + k]) < 8)) n++;
    return n;
  });
})()`
