package membership

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
)

// story drives a view by words, and collects what it tells.
type story struct {
	t    *testing.T
	view *view
	now  time.Time
	told []string
}

var birth = time.Unix(1000, 0)

// who makes the member of a word such as "bob1": the digit is its age, the smaller the older.
func who(word string) app.Member {
	age := int(word[len(word)-1] - '0')
	return app.Member{
		ID: strings.Repeat(word[len(word)-1:], idInName) + "-" + word, Name: word[:len(word)-1],
		Addr: "10.0.0." + word[len(word)-1:] + ":1", State: app.Alive, JoinedAt: birth.Add(time.Duration(age) * time.Second),
	}
}

func newStory(t *testing.T) *story {
	v := newView(who("me0"), newDigester(), time.Hour)
	v.patience = time.Second
	return &story{t: t, view: v, now: birth}
}

func (s *story) do(step string) {
	w := strings.Fields(step)
	m := who(w[1])
	node := nodeName(m.Name, m.ID)
	hear := func(kind byte, incarnation byte, from string) note {
		return note{rumour: &rumour{kind: kind, node: node, incarnation: uint32(incarnation - '0'), from: from}}
	}
	var events []app.MemberEvent
	switch w[0] {
	case "joins":
		events = s.view.apply(note{joined: &m, node: node}, s.now)
	case "announces":
		m.RPCAddr = "10.0.0.9:9"
		events = s.view.apply(note{updated: &m, node: node}, s.now)
	case "drops":
		events = s.view.apply(note{gone: true, node: node}, s.now)
	case "answers":
		events = s.view.apply(note{ping: &ping{rtt: time.Millisecond}, node: node}, s.now)
	case "suspect":
		events = s.view.apply(hear(msgSuspect, w[2][0], "x"), s.now)
	case "alive":
		events = s.view.apply(hear(msgAlive, w[2][0], ""), s.now)
	case "dead":
		events = s.view.apply(hear(msgDead, w[2][0], "x"), s.now)
	case "leaves": // by memberlist's own word
		events = s.view.apply(hear(msgDead, w[2][0], node), s.now)
	case "goodbye":
		events = s.view.goodbye(m.ID, m.ID, s.now)
	case "hears": // from others
		events = s.view.hearLeft(m.ID, s.now)
	case "replaces":
		events = s.view.goodbye(who(w[2]).ID, m.ID, s.now)
	case "wait":
		s.now = s.now.Add(2 * time.Second)
		events, _ = s.view.tick(s.now, time.Minute)
	case "wait-long":
		s.now = s.now.Add(2 * time.Hour)
		events, _ = s.view.tick(s.now, time.Minute)
	default:
		s.t.Fatalf("unknown step %q", step)
	}
	kept := s.view.listing()
	s.view.order = nil
	if n := s.view.number(func(m app.Member) bool { return m.State == app.Suspect }); n != kept.suspect {
		s.t.Errorf("%d are suspect, and %d of the list", n, kept.suspect)
	}
	if d := cmp.Diff(s.view.makeList(), kept, cmp.AllowUnexported(list{})); d != "" {
		s.t.Errorf("after %q the list is not that of the view (-want +got):\n%s", step, d)
	}
	for _, e := range events {
		s.told = append(s.told, string(e.Change)+" "+e.Member.Name+e.Member.Addr[7:8])
	}
}

func TestView(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what, steps, told, lists string
	}{
		{"joined", "joins bob1", "joined bob1", "me0 alive, bob1 alive"},
		{"oneself is not news", "joins me0; announces me0; suspect me0 1; drops me0", "", "me0 left"},
		{"announced", "joins bob1; announces bob1", "joined bob1; updated bob1", "me0 alive, bob1 alive"},
		{"suspected and refuted", "joins bob1; suspect bob1 1; alive bob1 2", "joined bob1; suspected bob1; recovered bob1", "me0 alive, bob1 alive"},
		{"suspected twice", "joins bob1; suspect bob1 1; suspect bob1 1", "joined bob1; suspected bob1", "me0 alive, bob1 suspect"},
		{"an old suspicion", "joins bob1; alive bob1 2; suspect bob1 1", "joined bob1", "me0 alive, bob1 alive"},
		{"an old refutation", "joins bob1; suspect bob1 2; alive bob1 2", "joined bob1; suspected bob1", "me0 alive, bob1 suspect"},
		{"a rumour of a stranger", "suspect bob1 1; alive bob1 1; dead bob1 1; drops bob1", "", "me0 alive"},
		{"dead, then dropped", "joins bob1; dead bob1 1; drops bob1", "joined bob1; lost bob1", "me0 alive, bob1 lost"},
		{"dropped, then dead", "joins bob1; drops bob1; dead bob1 1", "joined bob1; lost bob1", "me0 alive, bob1 lost"},
		{"dropped, and no word", "joins bob1; drops bob1; wait x0", "joined bob1; lost bob1", "me0 alive, bob1 lost"},
		{"left by its word", "joins bob1; drops bob1; leaves bob1 1", "joined bob1; left bob1", "me0 alive, bob1 left"},
		{"left by its goodbye", "joins bob1; goodbye bob1; drops bob1", "joined bob1; left bob1", "me0 alive, bob1 left"},
		{"a goodbye while it is open", "joins bob1; drops bob1; goodbye bob1", "joined bob1; left bob1", "me0 alive, bob1 left"},
		{"a late goodbye", "joins bob1; drops bob1; wait x0; goodbye bob1", "joined bob1; lost bob1; left bob1", "me0 alive, bob1 left"},
		{"suspected while leaving", "joins bob1; goodbye bob1; suspect bob1 1; dead bob1 1; drops bob1", "joined bob1; left bob1", "me0 alive, bob1 left"},
		{"a goodbye of a suspect", "joins bob1; suspect bob1 1; goodbye bob1; dead bob1 1; drops bob1", "joined bob1; suspected bob1; left bob1", "me0 alive, bob1 left"},
		{"leaving, and refutes a suspicion", "joins bob1; goodbye bob1; suspect bob1 1; alive bob1 2; drops bob1", "joined bob1; left bob1", "me0 alive, bob1 left"},
		{"heard to have left, and alive", "joins bob1; hears bob1; suspect bob1 1; alive bob1 2", "joined bob1; suspected bob1; recovered bob1", "me0 alive, bob1 alive"},
		{"heard to have left, and lost", "joins bob1; dead bob1 1; drops bob1; hears bob1", "joined bob1; lost bob1; left bob1", "me0 alive, bob1 left"},
		{"heard to have left, and not known", "hears bob1", "", "me0 alive"},
		{"an old death", "joins bob1; alive bob1 3; dead bob1 2; drops bob1; leaves bob1 3", "joined bob1; left bob1", "me0 alive, bob1 left"},
		{"lost and found", "joins bob1; dead bob1 1; drops bob1; joins bob1", "joined bob1; lost bob1; recovered bob1", "me0 alive, bob1 alive"},
		{"dropped and back at once", "joins bob1; drops bob1; joins bob1; wait x0", "joined bob1", "me0 alive, bob1 alive"},
		{"a suspicion that nobody clears", "joins bob1; suspect bob1 1; wait-long x0", "joined bob1; suspected bob1; recovered bob1", "me0 alive, bob1 alive"},
		{"long gone", "joins bob1; goodbye bob1; drops bob1; wait-long x0", "joined bob1; left bob1", "me0 alive"},

		{"second of the name", "joins bob1; joins bob2", "joined bob1", "me0 alive, bob1 alive"},
		{"second that gives up", "joins bob1; joins bob2; goodbye bob2; drops bob2", "joined bob1", "me0 alive, bob1 alive"},
		{"second that announces", "joins bob1; joins bob2; announces bob2", "joined bob1; joined bob2", "me0 alive, bob1 alive, bob2 alive"},
		{"second, and the first is suspected", "joins bob1; joins bob2; suspect bob1 1", "joined bob1; suspected bob1; lost bob1; joined bob2", "me0 alive, bob2 alive"},
		{"second, and the first is lost", "joins bob1; joins bob2; dead bob1 1; drops bob1", "joined bob1; lost bob1; joined bob2", "me0 alive, bob2 alive"},
		{"restart", "joins bob1; joins bob2; replaces bob2 bob1; announces bob2; drops bob1", "joined bob1; lost bob1; joined bob2; updated bob2", "me0 alive, bob2 alive"},
		{"restart, announced first", "joins bob1; joins bob2; announces bob2; replaces bob2 bob1", "joined bob1; joined bob2; lost bob1", "me0 alive, bob2 alive"},
		{"restart after a loss", "joins bob1; dead bob1 1; drops bob1; joins bob2", "joined bob1; lost bob1; joined bob2", "me0 alive, bob2 alive"},
		{"restart after a goodbye", "joins bob1; goodbye bob1; drops bob1; joins bob2; wait x0", "joined bob1; left bob1; joined bob2", "me0 alive, bob2 alive"},
		{"a goodbye of one whose restart is here", "joins bob1; dead bob1 1; drops bob1; joins bob2; goodbye bob1; hears bob1", "joined bob1; lost bob1; joined bob2", "me0 alive, bob2 alive"},
		{"the replaced one lives", "joins bob1; joins bob2; replaces bob2 bob1; announces bob2; answers bob1", "joined bob1; lost bob1; joined bob2; updated bob2; recovered bob1", "me0 alive, bob1 alive, bob2 alive"},
		{"an older one cannot replace", "joins bob2; joins bob1; replaces bob1 bob2", "joined bob2", "me0 alive, bob2 alive"},
		{"a stranger cannot replace", "joins bob1; joins eve2; replaces eve2 bob1", "joined bob1; joined eve2", "me0 alive, bob1 alive, eve2 alive"},
		{"one of our own name", "joins me5", "", "me0 alive"},
	} {
		s := newStory(t)
		for step := range strings.SplitSeq(tt.steps, "; ") {
			s.do(step)
		}
		if got := strings.Join(s.told, "; "); got != tt.told {
			t.Errorf("%s: told\n %s\nwant\n %s", tt.what, got, tt.told)
		}
		var lists []string
		for _, m := range s.view.listing().members {
			lists = append(lists, m.Name+m.Addr[7:8]+" "+string(m.State))
		}
		suspects := map[string]struct{}{}
		for node, e := range s.view.entries {
			if e.State == app.Suspect {
				suspects[node] = struct{}{}
			}
		}
		if d := cmp.Diff(suspects, s.view.digest.suspects); d != "" {
			t.Errorf("%s: suspects of the digest (-want +got):\n%s", tt.what, d)
		}
		if got := strings.Join(lists, ", "); got != tt.lists {
			t.Errorf("%s: lists\n %s\nwant\n %s", tt.what, got, tt.lists)
		}
	}
}

// tick is to be called again when the time of one that was dropped is over.
func TestTickSaysWhenSomethingIsDue(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.do("joins bob1")
	if _, next := s.view.tick(s.now, time.Minute); next != s.now.Add(idleTick) {
		t.Errorf("the first look, and then after %s", next.Sub(s.now))
	}
	s.do("drops bob1")
	if _, next := s.view.tick(s.now, time.Minute); next != s.now.Add(s.view.patience) {
		t.Errorf("after %s, want the patience, which is %s", next.Sub(s.now), s.view.patience)
	}
	if s.view.listedAt(who("bob1").Addr) {
		t.Error("it is still listed")
	}
}
