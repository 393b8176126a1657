package membership

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"peerlab.example/peerlab/app"
)

func TestStampsOfTheFutureAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := newTestStore("a")
		at := func(ahead time.Duration) app.Entry {
			return app.Entry{Key: "x", Value: []byte("v"), Stamp: app.Stamp{Wall: time.Now().Add(ahead).UnixNano(), Logical: math.MaxUint32, Node: "b"}}
		}
		year := at(365 * 24 * time.Hour)
		if got, _ := s.merge(key("x"), year, nil, true); got != refused {
			t.Errorf("a year ahead: %v", got)
		}
		near := at(maxAhead)
		if got, _ := s.merge(key("x"), near, nil, true); got != taken {
			t.Errorf("just not too far ahead: %v", got)
		}
		if e := s.mustSet(t, "x", "mine"); e.Stamp.Compare(near.Stamp) <= 0 {
			t.Errorf("%s comes after %s", e.Stamp, near.Stamp)
		}
		if got, _ := s.merge(key("x"), at(maxAhead+1), nil, true); got != refused {
			t.Errorf("with the clock drawn ahead: %v", got)
		}
		<-time.After(365 * 24 * time.Hour)
		if got, _ := s.merge(key("x"), year, nil, true); got != taken {
			t.Errorf("when its time has come: %v", got)
		}
	})
}

func TestClockGivesGrowingStamps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := NewClock()
		var last app.Stamp
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "see") {
				seen := app.Stamp{
					Wall:    c.Now().UnixNano() + rapid.Int64Range(-int64(time.Hour), 2*int64(maxAhead)).Draw(t, "drift"),
					Logical: rapid.Uint32().Draw(t, "logical"), Node: "other",
				}
				if rapid.IntRange(0, 9).Draw(t, "most") == 0 {
					seen.Logical = math.MaxUint32
				}
				if c.observe(seen) && seen.Compare(last) > 0 {
					last = seen
				}
				continue
			}
			s := c.Stamp("me")
			if s.Wall < last.Wall || s.Wall == last.Wall && s.Logical <= last.Logical {
				t.Fatalf("%s after %s", s, last)
			}
			if ahead := time.Until(s.Time()); ahead > maxAhead+time.Second {
				t.Fatalf("the clock was drawn %s ahead", ahead)
			}
			last = s
		}
	})
}
