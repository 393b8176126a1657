package lab

import (
	"errors"
	"fmt"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/peer"
)

// settingCommands are the commands on settings, of a peer that has these.
func settingCommands(v config.Values, targets ...config.Target) []app.Spec {
	r := config.NewRuntime(v, targets...)
	membership := append([]string{"profile"}, TimingNames()...)
	return append(r.Commands(), r.CommandsFor("member", "memberlist", "the profile and the timings of membership", membership)...)
}

// liveSettings are the settings of this peer that can change while it runs.
func (l *Lab) liveSettings(logs *node.Logs) []config.Target {
	return []config.Target{
		&tuningTarget{peer: l.Peer, profile: l.values.Get("profile")},
		config.Single{Key: "log-file", Read: logs.File, Set: logs.ToFile},
		config.Single{Key: "log-level", Read: logs.Level, Set: logs.SetLevel},
		config.Single{
			Key:  "log-components",
			Read: func() string { return config.FormatLevels(logs.ComponentLevels()) },
			Set:  func(value string) error { return logs.SetComponentLevels(config.ParseLevels(value)) },
		},
		config.Single{
			Key:  "output",
			Read: func() string { return l.Session.Option("output") },
			Set:  func(value string) error { return l.Session.SetOption("output", value) },
		},
	}
}

// tuningTarget are the profile and the timings of a peer's membership.
type tuningTarget struct {
	peer *peer.Peer
	// profile is what the timings were made from; they may be others.
	profile string
}

// Keys are the profile and all timings.
func (*tuningTarget) Keys() []string { return append([]string{"profile"}, TimingNames()...) }

// Get is one of them. The profile is that whose timings hold, if there is one.
func (t *tuningTarget) Get(key string) string {
	now := t.peer.Tuning()
	if key == "profile" {
		for _, name := range membership.Profiles() {
			if p, err := membership.Profile(name); err == nil && p == now {
				return name
			}
		}
		return t.profile
	}
	for _, s := range now.Fields() {
		if s.Name == key {
			return s.Value
		}
	}
	return ""
}

// Later are the timings that a running membership cannot change.
func (t *tuningTarget) Later(want func(string) string) (keys []string, how string) {
	tuning, err := Tuning(want)
	if err != nil {
		return nil, "" // Apply says so
	}
	if keys = t.peer.NeedsRestart(tuning); len(keys) > 0 && want("profile") != t.Get("profile") {
		keys = append(keys, "profile")
	}
	return keys, "member leave, then this again, then init"
}

// Apply changes all timings.
func (t *tuningTarget) Apply(want func(string) string) error {
	tuning, err := Tuning(want)
	if err != nil {
		return err
	}
	before := t.peer.Tuning()
	_, later, err := t.peer.Configure(tuning)
	if err != nil {
		return err
	}
	if len(later) > 0 { // membership was started since Later was asked
		_, _, err := t.peer.Configure(before)
		return errors.Join(fmt.Errorf("%s: cannot change now, membership has just been started", strings.Join(later, ", ")), err)
	}
	t.profile = want("profile")
	return nil
}

// members are those that are completed.
func (l *Lab) members() []app.Member { return l.Peer.Members() }
