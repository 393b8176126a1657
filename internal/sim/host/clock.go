package host

import "time"

// epoch is when a simulation begins: each run on the same day, or its log would not be the same.
var epoch = time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)

// tick is how much time passes with each look at the clock. A program that waits for the clock to move must come to an end, and
// two things that happen one after the other shall not have happened at the same time.
const tick = 50 * time.Nanosecond

// clock is the time of a guest. It moves only when the guest looks at it, or sleeps. One goroutine uses it.
type clock struct {
	now time.Duration // since epoch
}

func (c *clock) wall() (sec int64, nsec int32) {
	c.now += tick
	t := epoch.Add(c.now)
	return t.Unix(), int32(t.Nanosecond()) //nolint:gosec // below 1e9
}

func (c *clock) nano() int64 {
	c.now += tick
	return int64(c.now)
}

func (c *clock) sleep(ns int64) {
	if ns > 0 {
		c.now += time.Duration(ns)
	}
}
