package membership

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

// newTestStore is a store that notes what it tells and sends.
func newTestStore(self string) (s *store, told, sent *[]string) {
	s = newStore(NewClock(), self)
	told, sent = new([]string), new([]string)
	note := func(to *[]string, e app.Entry) {
		*to = append(*to, fmt.Sprintf("%s=%s", e.Key, map[bool]string{true: "(deleted)", false: string(e.Value)}[e.Deleted]))
	}
	s.tell = func(_ dataKey, e app.Entry) { note(told, e) }
	s.send = func(_ dataKey, e app.Entry, _ []byte) bool { note(sent, e); return true }
	return s, told, sent
}

// key is a key of the chat.
func key(k string) dataKey { return dataKey{app: "chat", key: k} }

func (s *store) mustSet(t *testing.T, k, v string) app.Entry {
	t.Helper()
	if err := s.set(key(k), []byte(v)); err != nil {
		t.Fatal(err)
	}
	return s.data[key(k)].Entry
}

func TestStoreHoldsWhatWasWrittenLast(t *testing.T) {
	t.Parallel()
	a, told, sent := newTestStore("a")
	b, _, _ := newTestStore("b")
	first := a.mustSet(t, "x", "1")
	if got, _ := b.merge(key("x"), first, nil, true); got != taken {
		t.Errorf("a first entry is %v, want taken", got)
	}
	if got, _ := b.merge(key("x"), first, nil, true); got != known {
		t.Errorf("the same entry is %v, want known", got)
	}
	second := b.mustSet(t, "x", "2")
	if second.Stamp.Compare(first.Stamp) <= 0 {
		t.Errorf("%s comes after %s", second.Stamp, first.Stamp)
	}
	if got, _ := a.merge(key("x"), second, nil, false); got != taken {
		t.Errorf("a newer entry is %v, want taken", got)
	}
	if got, _ := b.merge(key("x"), first, nil, true); got != known {
		t.Errorf("an older entry is %v, want known", got)
	}
	if err := errors.Join(a.remove(key("x")), a.remove(key("x")), a.remove(key("never"))); err != nil {
		t.Error(err)
	}
	if v, ok := a.get(key("x")); ok {
		t.Errorf("a deleted key has the value %q", v)
	}
	if d := cmp.Diff([]string{"x=1", "x=2", "x=(deleted)"}, *told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"x=1", "x=(deleted)"}, *sent); d != "" {
		t.Errorf("sent (-want +got):\n%s", d)
	}
	if live, deleted := a.counts(); live != 0 || deleted != 1 || a.bytes != 0 {
		t.Errorf("counts are %d, %d and %d bytes, want 0, 1, 0", live, deleted, a.bytes)
	}
}

func TestStoreIsolatesApplicationsAndCopies(t *testing.T) {
	t.Parallel()
	s, _, _ := newTestStore("a")
	mine := []byte("v")
	for _, k := range []dataKey{{"chat", "b"}, {"chat", "a"}, {"counter", "a"}} {
		if err := s.set(k, mine); err != nil {
			t.Fatal(err)
		}
	}
	mine[0] = 'X'
	got, _ := s.get(dataKey{"chat", "a"})
	got[0] = 'X'
	entries := s.entries("chat")
	entries[0].Value[0] = 'X'
	entries = s.entries("chat")
	if len(entries) != 2 || entries[0].Key != "a" || string(entries[0].Value) != "v" || entries[1].Key != "b" {
		t.Errorf("got %v", entries)
	}
}

func TestStoreLimits(t *testing.T) {
	t.Parallel()
	s, _, _ := newTestStore("a")
	for _, tt := range []struct {
		key   string
		value int
		want  string
	}{
		{"", 0, "key is empty"},
		{strings.Repeat("k", app.MaxKey), app.MaxValue, ""},
		{strings.Repeat("k", app.MaxKey+1), 0, "key has 129 bytes; 128 is the most"},
		{"big", app.MaxValue + 1, "value has 513 bytes; 512 is the most"},
		{"a\x1b[31m", 0, "do not print"},
		{"a\xff", 0, "not valid UTF-8"},
	} {
		err := s.set(key(tt.key), make([]byte, tt.value))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("key %q: got %v, want %q in it", tt.key, err, tt.want)
		}
	}
	if err := s.remove(key(strings.Repeat("k", app.MaxKey))); err != nil {
		t.Fatal(err)
	}
	for i := range app.MaxEntries {
		s.mustSet(t, fmt.Sprint(i), "")
	}
	if err := s.set(key("one more"), nil); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "1024 keys") {
		t.Errorf("one key too many: %v", err)
	}
	s.mustSet(t, "7", "may still change")
	if err := s.remove(key("7")); err != nil {
		t.Fatal(err)
	}
	s.mustSet(t, "one more", "")
}

func TestStoreLimitOfBytes(t *testing.T) {
	t.Parallel()
	s, _, _ := newTestStore("a")
	big := strings.Repeat("v", app.MaxValue)
	n := 0
	var err error
	for ; err == nil; n++ {
		err = s.set(key(fmt.Sprintf("%08d", n)), []byte(big))
	}
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "bytes") || n-1 != app.MaxData/(app.MaxValue+8) {
		t.Errorf("after %d values: %v", n-1, err)
	}
	// From others twice as much is taken, since both sides of a split may be full.
	for ; ; n++ {
		e := app.Entry{Key: fmt.Sprintf("%08d", n), Value: []byte(big), Stamp: app.Stamp{Wall: 1, Node: "b"}}
		if got, _ := s.merge(key(e.Key), e, nil, true); got == refused {
			break
		}
	}
	if s.bytes > dataSlack*app.MaxData || s.bytes < dataSlack*app.MaxData-len(big)-8 {
		t.Errorf("holds %d bytes, want just below %d", s.bytes, dataSlack*app.MaxData)
	}
	if b := len(stateOf(s)); b > stateMost {
		t.Errorf("a full sync has %d bytes; only %d are read", b, stateMost)
	}
}

func TestTombstonesAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := newTestStore("a")
		old := s.mustSet(t, "x", "1")
		if err := s.remove(key("x")); err != nil {
			t.Fatal(err)
		}
		<-time.After(tombstonesKept - time.Second)
		s.prune(time.Now())
		if got, _ := s.merge(key("x"), old, nil, true); got != known {
			t.Errorf("an old value came back: %v", got)
		}
		<-time.After(pruneInterval)
		s.prune(time.Now())
		if live, deleted := s.counts(); live != 0 || deleted != 0 {
			t.Errorf("%d and %d are left", live, deleted)
		}
		for i := range tombstonesMost + 5 {
			s.mustSet(t, fmt.Sprintf("k%04d", i), "1")
			if err := s.remove(key(fmt.Sprintf("k%04d", i))); err != nil {
				t.Fatal(err)
			}
		}
		if _, deleted := s.counts(); deleted != tombstonesMost {
			t.Errorf("%d deletions are remembered, want %d", deleted, tombstonesMost)
		}
		if _, ok := s.data[key("k0004")]; ok {
			t.Error("one of the oldest was not forgotten first")
		}
		if b := len(stateOf(s)); b > stateMost {
			t.Errorf("a full sync has %d bytes; only %d are read", b, stateMost)
		}
	})
}

// Whatever of the entries arrives, in any order and any number of times, and whatever is merged in between: after
// all have merged from all, all hold the same, and that is the newest of each key.
func TestStoresConverge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SampledFrom([]string{"a", "b", "c"})
		n := rapid.IntRange(2, 4).Draw(t, "stores")
		var stores []*store
		for i := range n {
			s, _, _ := newTestStore(fmt.Sprint("n", i))
			stores = append(stores, s)
		}
		var flying []app.Entry
		any := rapid.IntRange(0, n-1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := stores[any.Draw(t, "at")]
			switch k := key(keys.Draw(t, "key")); rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				if err := s.set(k, []byte(rapid.StringMatching(`[xy]{0,2}`).Draw(t, "value"))); err != nil {
					t.Fatal(err)
				}
				flying = append(flying, s.data[k].Entry)
			case 2:
				if err := s.remove(k); err != nil {
					t.Fatal(err)
				}
				if d, ok := s.data[k]; ok {
					flying = append(flying, d.Entry)
				}
			case 3:
				if len(flying) > 0 {
					e := flying[rapid.IntRange(0, len(flying)-1).Draw(t, "message")]
					s.merge(key(e.Key), e, nil, true)
				}
			case 4:
				s.mergeAll(stores[any.Draw(t, "from")])
			}
		}
		for range 2 {
			for _, s := range stores {
				for _, from := range stores {
					s.mergeAll(from)
				}
			}
		}
		newest := map[dataKey]app.Entry{}
		for _, e := range flying {
			if old, ok := newest[key(e.Key)]; !ok || newer(e, old) {
				newest[key(e.Key)] = e
			}
		}
		for _, s := range stores {
			got := map[dataKey]app.Entry{}
			for k, d := range s.data {
				got[k] = d.Entry
			}
			if d := cmp.Diff(newest, got); d != "" {
				t.Fatalf("%s (-want +got):\n%s", s.self, d)
			}
			if a, b := s.digest(math.MaxInt64), stores[0].digest(math.MaxInt64); a != b {
				t.Fatalf("digests are %x and %x of the same data", a, b)
			}
			s.checkSums(t)
		}
	})
}

func (s *store) mergeAll(from *store) {
	for k, d := range from.data {
		s.merge(k, d.Entry, nil, true)
	}
}

// checkSums counts what the store counts as it goes.
func (s *store) checkSums(t interface{ Fatalf(string, ...any) }) {
	bytes, deleted := 0, 0
	for k, d := range s.data {
		if d.Deleted {
			deleted++
		} else {
			bytes += len(k.key) + len(d.Value)
		}
	}
	if bytes != s.bytes || deleted != s.tombstones {
		t.Fatalf("counts are %d and %d, want %d and %d", s.bytes, s.tombstones, bytes, deleted)
	}
}

// Two stores of which one is behind by less than settle have the same digest, also where keys change all the time.
func TestDigestPassesOverWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := newTestStore("a")
		b, _, _ := newTestStore("b")
		a.settle = int64(2 * time.Second)
		b.settle = a.settle
		var late []app.Entry // reaches b one step later
		for i := range 200 {
			now := []app.Entry{a.mustSet(t, "each step", fmt.Sprint(i))}
			if i%7 == 0 {
				now = append(now, a.mustSet(t, "now and then", fmt.Sprint(i)))
			}
			if i%40 == 0 {
				now = append(now, a.mustSet(t, fmt.Sprint("new ", i), ""))
			}
			if i%40 == 20 {
				k := key(fmt.Sprint("new ", i-20))
				if err := a.remove(k); err != nil {
					t.Fatal(err)
				}
				now = append(now, a.data[k].Entry)
			}
			until := a.settled()
			if x, y := a.digest(until), b.digest(until); x != y {
				t.Fatalf("step %d: digests %x and %x", i, x, y)
			}
			for _, e := range late {
				b.merge(key(e.Key), e, nil, false)
			}
			late = now
			<-time.After(500 * time.Millisecond)
		}
		<-time.After(5 * time.Second) // and what is missing for longer makes a difference
		if x, y := a.digest(a.settled()), b.digest(a.settled()); x == y {
			t.Error("the last entry is missing, and the digests are the same")
		}
	})
}

func TestEntriesFromOutsideAreChecked(t *testing.T) {
	t.Parallel()
	good := func() *membershipv1.Entry {
		return &membershipv1.Entry{App: "chat", Key: "x", Value: []byte("v"), Wall: 1, Node: "a"}
	}
	if _, _, err := decodeEntry(good()); err != nil {
		t.Error(err)
	}
	for what, spoil := range map[string]func(*membershipv1.Entry){
		"no key":          func(e *membershipv1.Entry) { e.Key = "" },
		"long key":        func(e *membershipv1.Entry) { e.Key = strings.Repeat("k", app.MaxKey+1) },
		"escape":          func(e *membershipv1.Entry) { e.Key = "\x1b]0;x\a" },
		"no application":  func(e *membershipv1.Entry) { e.App = "" },
		"long value":      func(e *membershipv1.Entry) { e.Value = make([]byte, app.MaxValue+1) },
		"deleted value":   func(e *membershipv1.Entry) { e.Deleted = true },
		"no stamp":        func(e *membershipv1.Entry) { e.Wall = 0 },
		"stamp below 0":   func(e *membershipv1.Entry) { e.Wall = -1 },
		"no writer":       func(e *membershipv1.Entry) { e.Node = "" },
		"writer too long": func(e *membershipv1.Entry) { e.Node = strings.Repeat("n", maxID+1) },
	} {
		e := good()
		spoil(e)
		if _, _, err := decodeEntry(e); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

// stateOf is what a full sync carries of the store.
func stateOf(s *store) []byte {
	b, _ := proto.Marshal(&membershipv1.Sync{Entries: s.all()})
	return b
}
