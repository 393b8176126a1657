package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	runewidth "github.com/mattn/go-runewidth"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/testcoord"
)

// gap stands between the parts of a status line.
const gap = "  "

// runStatus is what goes on in a run, in so many columns: the time, the peers, the step, and whom it waits for. The line of the
// step gives way to the others.
func runStatus(p testcoord.Progress, cols int) string {
	left := elapsed(p.Elapsed)
	if peers := peersOf(p.Peers); peers != "" {
		left += gap + peers
	}
	what, waiting := doingOf(p)
	right := waitsFor(waiting)
	room := cols - runewidth.StringWidth(left) - len(gap) // for both
	if right != "" {
		what = cutWidth(what, max(room-runewidth.StringWidth(right)-len(gap), least))
		if room -= runewidth.StringWidth(what) + len(gap); room < least {
			right = ""
		}
		right = cutWidth(right, room)
	}
	return cutWidth(joined(left, what, right), cols)
}

// least is how many columns a part needs to say something.
const least = 12

// nowOf is the same for a page, which tells the time and the steps itself.
func nowOf(p testcoord.Progress) string {
	what, waiting := doingOf(p)
	return joinedBy(" · ", what, waitsFor(waiting), peersOf(p.Peers))
}

func joined(parts ...string) string { return joinedBy(gap, parts...) }

func joinedBy(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), between)
}

// doingOf is the step that began last and still runs, or what else is done, and whom all that waits for.
func doingOf(p testcoord.Progress) (what string, waiting []string) {
	if len(p.Steps) == 0 {
		switch p.Phase {
		case testcoord.Starting:
			what = "starting peers"
		case testcoord.Judging:
			what = "judging what had to hold"
		case testcoord.Ending:
			what = "ending peers"
		}
		return what, p.Waiting
	}
	last := p.Steps[len(p.Steps)-1]
	what = fmt.Sprintf("%d %s", last.Line, command.Clean(last.Text))
	if last.File != "" {
		what = command.Clean(last.File) + ":" + what
	}
	if last.Round != "" {
		what += " (" + last.Round + ")"
	}
	if n := len(p.Steps) - 1; n > 0 {
		what = fmt.Sprintf("%s (and %d more)", what, n)
	}
	for _, s := range p.Steps {
		for _, name := range s.Waiting {
			if !slices.Contains(waiting, name) {
				waiting = append(waiting, name)
			}
		}
	}
	return what, waiting
}

// waitsFor is "waits for alice, bob, carol and 47 more".
func waitsFor(names []string) string {
	const most = 3
	if len(names) == 0 {
		return ""
	}
	out := "waits for " + strings.Join(names[:min(len(names), most)], ", ")
	if n := len(names) - most; n > 0 {
		out += fmt.Sprintf(" and %d more", n)
	}
	return out
}

// peersOf is "4 alive, 1 frozen, 2 killed".
func peersOf(s testcoord.PeerStates) string {
	var parts []string
	for _, one := range []struct {
		n    int
		word string
	}{
		{s.Alive, "alive"}, {s.Starting, "starting"}, {s.Frozen, "frozen"}, {s.Killed, "killed"}, {s.Stopped, "stopped"}, {s.Died, "died"},
	} {
		if one.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", one.n, one.word))
		}
	}
	return strings.Join(parts, ", ")
}

// elapsed is "12.3s", and from a minute on "2m05s".
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Truncate(statusEvery).Seconds())
	}
	return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
}
