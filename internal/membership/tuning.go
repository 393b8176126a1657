package membership

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"peerlab.example/peerlab/app"
)

// Tuning are all timings and factors of membership. Those of memberlist have its meaning.
type Tuning struct {
	// ProbeInterval is the time between two probes; each goes to another member.
	ProbeInterval time.Duration
	// ProbeTimeout is how long a probe waits for a direct answer; shorter than ProbeInterval.
	ProbeTimeout time.Duration
	// IndirectChecks is how many others are asked to probe a member that did not answer.
	IndirectChecks int
	// SuspicionMult times log10(members) times ProbeInterval is how long a suspect has to
	// refute, when others confirm the suspicion.
	SuspicionMult int
	// SuspicionMaxMult times that is how long it has when nobody confirms.
	SuspicionMaxMult int
	// AwarenessMax bounds the factor by which a node that doubts itself slows its probes.
	AwarenessMax int
	// GossipInterval is the time between two rounds of gossip.
	GossipInterval time.Duration
	// GossipNodes is how many members are sent to in a round.
	GossipNodes int
	// GossipToTheDead is how long a lost member is still sent to.
	GossipToTheDead time.Duration
	// RetransmitMult times log10(members) is how often a node sends a message on.
	RetransmitMult int
	// PushPullInterval is the time between two full syncs with a random member.
	PushPullInterval time.Duration
	// StreamTimeout bounds reading and writing in a full sync.
	StreamTimeout time.Duration
	// DialTimeout bounds connecting for a full sync.
	DialTimeout time.Duration
	// SyncInterval is the shortest time between two full syncs for a digest that differs.
	SyncInterval time.Duration
	// HealInterval is the time between two attempts to reach lost members and seeds, at first.
	HealInterval time.Duration
	// HealMax is what that time grows to while nothing changes.
	HealMax time.Duration
	// KeepGone is how long members that left or were lost stay in the view, and lost ones are tried again.
	KeepGone time.Duration
}

// profiles are made from memberlist's own defaults (its config.go, v0.7.0); what memberlist
// lacks is ours.
func profile(name string) (Tuning, bool) {
	t := Tuning{
		ProbeInterval: time.Second, ProbeTimeout: 500 * time.Millisecond, IndirectChecks: 3,
		SuspicionMult: 4, SuspicionMaxMult: 6, AwarenessMax: 8,
		GossipInterval: 200 * time.Millisecond, GossipNodes: 3, GossipToTheDead: 30 * time.Second,
		RetransmitMult: 4, PushPullInterval: 30 * time.Second, StreamTimeout: 10 * time.Second,
		DialTimeout: 2 * time.Second, SyncInterval: time.Second,
		HealInterval: time.Second, HealMax: 4 * time.Second, KeepGone: time.Hour,
	}
	switch name {
	case "lan":
	case "wan":
		t.ProbeInterval, t.ProbeTimeout, t.SuspicionMult = 5*time.Second, 3*time.Second, 6
		t.GossipInterval, t.GossipNodes, t.GossipToTheDead = 500*time.Millisecond, 4, time.Minute
		t.PushPullInterval, t.StreamTimeout, t.DialTimeout = time.Minute, 30*time.Second, 5*time.Second
		t.SyncInterval, t.HealInterval, t.HealMax = 5*time.Second, 5*time.Second, 15*time.Second
	case "local", "fast":
		t.ProbeTimeout, t.IndirectChecks, t.SuspicionMult = 200*time.Millisecond, 1, 3
		t.GossipInterval, t.GossipToTheDead, t.RetransmitMult = 100*time.Millisecond, 15*time.Second, 2
		t.PushPullInterval, t.StreamTimeout, t.DialTimeout = 15*time.Second, time.Second, time.Second
		if name == "local" {
			break
		}
		// Detection takes about 1.5 s with these, measured with 50 members.
		t.ProbeInterval, t.ProbeTimeout = 200*time.Millisecond, 100*time.Millisecond
		t.SuspicionMaxMult, t.RetransmitMult, t.GossipInterval = 3, 4, 20*time.Millisecond
		t.DialTimeout, t.SyncInterval = 500*time.Millisecond, 200*time.Millisecond
		t.HealInterval, t.HealMax = 300*time.Millisecond, 2*time.Second
	default:
		return Tuning{}, false
	}
	return t, true
}

// Profiles are the names that Profile knows.
func Profiles() []string { return []string{"lan", "wan", "local", "fast"} }

// Profile returns the timings of that name: lan, wan and local are memberlist's; fast is for tests.
func Profile(name string) (Tuning, error) {
	t, ok := profile(name)
	if !ok {
		return Tuning{}, fmt.Errorf("profile %q is not known; there are %s", name, strings.Join(Profiles(), ", "))
	}
	return t, nil
}

// Setting is one field of a Tuning, as text.
type Setting struct {
	// Name is as Set takes it, such as "probe-interval".
	Name    string
	Value   string
	Summary string
}

// field is a field of a Tuning by name; one of the two pointers is set.
type field struct {
	name    string
	time    *time.Duration
	count   *int
	least   int // of count
	most    int // of count
	summary string
}

// longest bounds each duration: a typing mistake should not look like a hanging peer.
const longest = 24 * time.Hour

func (t *Tuning) fields() []field {
	return []field{
		{name: "probe-interval", time: &t.ProbeInterval, summary: "time between two probes"},
		{name: "probe-timeout", time: &t.ProbeTimeout, summary: "how long a probe waits for an answer"},
		{name: "indirect-checks", count: &t.IndirectChecks, most: 32, summary: "how many others probe a silent member"},
		{name: "suspicion-mult", count: &t.SuspicionMult, least: 1, most: 100, summary: "how long a suspect may refute"},
		{name: "suspicion-max-mult", count: &t.SuspicionMaxMult, least: 1, most: 100, summary: "how much longer when nobody confirms"},
		{name: "awareness-max", count: &t.AwarenessMax, least: 1, most: 100, summary: "how much a doubtful node slows its probes"},
		{name: "gossip-interval", time: &t.GossipInterval, summary: "time between two rounds of gossip"},
		{name: "gossip-nodes", count: &t.GossipNodes, least: 1, most: 100, summary: "members sent to in a round"},
		{name: "gossip-to-the-dead", time: &t.GossipToTheDead, summary: "how long a lost member is still sent to"},
		{name: "retransmit-mult", count: &t.RetransmitMult, least: 1, most: 100, summary: "how often a message is sent on"},
		{name: "push-pull-interval", time: &t.PushPullInterval, summary: "time between two full syncs"},
		{name: "stream-timeout", time: &t.StreamTimeout, summary: "limit for reading and writing in a full sync"},
		{name: "dial-timeout", time: &t.DialTimeout, summary: "limit for connecting"},
		{name: "sync-interval", time: &t.SyncInterval, summary: "shortest time between full syncs for a digest that differs"},
		{name: "heal-interval", time: &t.HealInterval, summary: "time between attempts to reach the lost, at first"},
		{name: "heal-max", time: &t.HealMax, summary: "time between attempts to reach the lost, at most"},
		{name: "keep-gone", time: &t.KeepGone, summary: "how long members that are gone stay listed"},
	}
}

// Fields are all fields with their values, in a fixed order.
func (t Tuning) Fields() []Setting {
	var out []Setting
	for _, f := range t.fields() {
		out = append(out, Setting{Name: f.name, Value: f.text(), Summary: f.summary})
	}
	return out
}

func (f field) text() string {
	if f.time != nil {
		return f.time.String()
	}
	return strconv.Itoa(*f.count)
}

// Set changes one field by its name. The whole is checked by Validate.
func (t *Tuning) Set(name, value string) error {
	var names []string
	for _, f := range t.fields() {
		if f.name == name {
			return f.set(value)
		}
		names = append(names, f.name)
	}
	return fmt.Errorf("no field is called %q; there are %s", name, strings.Join(names, ", "))
}

func (f field) set(value string) error {
	if f.time != nil {
		d, err := app.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		*f.time = d
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return fmt.Errorf("%s: %q is not a whole number", f.name, value)
	}
	*f.count = n
	return nil
}

// Validate lists all that is wrong, one problem a line.
func (t Tuning) Validate() error {
	var errs []error
	for _, f := range t.fields() {
		switch {
		case f.time != nil && (*f.time <= 0 || *f.time > longest):
			errs = append(errs, fmt.Errorf("%s is %s; it must be above 0 and at most %s", f.name, f.text(), longest))
		case f.count != nil && (*f.count < f.least || *f.count > f.most):
			errs = append(errs, fmt.Errorf("%s is %s; it must be from %d to %d", f.name, f.text(), f.least, f.most))
		}
	}
	less := func(a string, x time.Duration, b string, y time.Duration) {
		errs = append(errs, fmt.Errorf("%s (%s) must be shorter than %s (%s)", a, x, b, y))
	}
	if t.ProbeTimeout >= t.ProbeInterval {
		less("probe-timeout", t.ProbeTimeout, "probe-interval", t.ProbeInterval)
	}
	if t.GossipInterval >= t.PushPullInterval {
		less("gossip-interval", t.GossipInterval, "push-pull-interval", t.PushPullInterval)
	}
	if t.HealInterval > t.HealMax {
		errs = append(errs, fmt.Errorf("heal-interval (%s) must not be longer than heal-max (%s)", t.HealInterval, t.HealMax))
	}
	return errors.Join(errs...)
}
