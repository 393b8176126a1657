package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/membership"
)

// defaultProfile is that of a peer which is not told another.
const defaultProfile = "local"

// peerSettings are all settings of "peerlab peer" with these applications.
func peerSettings(c *common, apps []func() app.App) *config.Table {
	components := []string{"membership", "node", "peer"}
	for _, a := range apps {
		components = append(components, a().Name())
	}
	slices.Sort(components)
	c.operators = true
	fields := slices.Concat(identitySettings(), membershipSettings(), c.fields("warn", components...), consoleSettings())
	return newTable("peerlab peer", fields, checkTuning)
}

// identitySettings say who the peer is, and where.
func identitySettings() []config.Field {
	b := make([]byte, 2)
	_, _ = rand.Read(b) // never fails: crypto/rand
	fields := []config.Field{
		{
			Key: "name", Kind: app.Text, Default: "peer-" + hex.EncodeToString(b), DefaultDoc: "peer-XXXX",
			Summary: "name of the peer, unique among the live members",
		},
		{Key: "group", Kind: app.Text, Default: "default", Summary: "group of peers that find each other"},
		{
			Key: "bootstrap", Kind: app.Text, Check: checkEndpoints,
			Summary: "bootstrap service: host:port (gRPC) or http(s)://HOST (HTTP/JSON); several replicas with commas; empty for none",
		},
		{
			Key: "bootstrap-timeout", Kind: app.Duration, Default: "0s",
			Summary: "give up when the bootstrap service is not reached in this time; 0 means never",
		},
		{Key: "listen", Kind: app.Addr, Default: "127.0.0.1:0", Summary: "host:port of gRPC; port 0 means any"},
		{Key: "gossip", Kind: app.Addr, Default: "127.0.0.1:0", Summary: "host:port of gossip, UDP and TCP; port 0 means any"},
		{Key: "advertise", Kind: app.Text, Summary: "IP address that others are told, when --listen and --gossip bind all (0.0.0.0)"},
		{
			Key: "init", Kind: app.Enum, Values: []string{"auto", "yes", "no"}, Default: "auto",
			Summary: "join the group at the start; auto is no with -e, -f and --coordinator, else yes",
		},
	}
	for i := range fields {
		fields[i].Live, fields[i].Group = config.AtStart, "peer"
	}
	return fields
}

// membershipSettings are the profile and all timings.
func membershipSettings() []config.Field {
	fields := []config.Field{{
		Key: "profile", Kind: app.Enum, Values: membership.Profiles(), Default: defaultProfile,
		Live: config.WhileStopped, Group: "membership",
		Summary: "gossip timings, of which single ones can be changed",
	}}
	of := map[string]map[string]string{} // the timings of each profile
	for _, name := range membership.Profiles() {
		of[name] = map[string]string{}
		for _, s := range timings(name) {
			of[name][s.Name] = s.Value
		}
	}
	for _, s := range timings(defaultProfile) {
		f := config.Field{
			Key: s.Name, Kind: app.Duration, Summary: s.Summary, Live: config.WhileStopped, Group: "membership", Hidden: true,
			Inherit: func(get func(string) string) (value, from string) {
				profile := get("profile")
				return of[profile][s.Name], "profile " + profile
			},
		}
		if _, err := strconv.Atoi(s.Value); err == nil {
			f.Kind = app.Int
		}
		if slices.Contains(membership.LiveFields(), s.Name) {
			f.Live = config.Always
		}
		fields = append(fields, f)
	}
	return fields
}

// timings are those of a profile; none for one that does not exist.
func timings(profile string) []membership.Setting {
	t, err := membership.Profile(profile)
	if err != nil {
		return nil
	}
	return t.Fields()
}

// consoleSettings are those of the console in the peer.
func consoleSettings() []config.Field {
	return append(lookSettings(),
		config.Field{
			Key: "no-console", Kind: app.Bool, Default: "false", Live: config.AtStart, Group: "console",
			Summary: "no console: run until a signal",
		},
		config.Field{
			Key: "allow-shell", Kind: app.Bool, Default: "false", Live: config.AtStart, Group: "console",
			Summary: "let consoles elsewhere and coordinators run shell scripts here",
		},
	)
}

// tuningOf makes timings of settings.
func tuningOf(get func(key string) string) (membership.Tuning, error) {
	t, err := membership.Profile(get("profile"))
	if err != nil {
		return t, err
	}
	for _, s := range t.Fields() {
		if err := t.Set(s.Name, get(s.Name)); err != nil {
			return t, err
		}
	}
	return t, nil
}

// checkTuning finds what is wrong with timings together.
func checkTuning(get func(key string) string) []config.Trouble {
	t, err := tuningOf(get)
	if err != nil {
		return []config.Trouble{{Key: "profile", Err: err}}
	}
	var all interface{ Unwrap() []error }
	if !errors.As(t.Validate(), &all) {
		return nil
	}
	var out []config.Trouble
	for _, err := range all.Unwrap() {
		key, _, _ := strings.Cut(err.Error(), " ") // each begins with the field
		out = append(out, config.Trouble{Key: key, Err: err})
	}
	return out
}

// tuneFlag is --tune, another way to write the flags of timings.
type tuneFlag struct{ settings *settings }

// String is the default.
func (*tuneFlag) String() string { return "" }

// Type is shown in the help.
func (*tuneFlag) Type() string { return "field=value" }

// Set takes FIELD=VALUE.
func (f *tuneFlag) Set(text string) error {
	field, value, ok := strings.Cut(text, "=")
	names := timingNames()
	switch {
	case !ok:
		f.settings.wrong = append(f.settings.wrong, fmt.Errorf("--tune %q is not FIELD=VALUE, such as probe-interval=200ms", text))
	case !slices.Contains(names, field):
		hint := ""
		if near := command.Nearest(field, names); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		f.settings.wrong = append(f.settings.wrong, fmt.Errorf("--tune: no timing is called %q%s", field, hint))
	default:
		f.settings.given = append(f.settings.given, config.Given{Key: field, Text: value, Flag: "--tune " + field})
	}
	return nil
}

func timingNames() []string {
	var names []string
	for _, s := range timings(defaultProfile) {
		names = append(names, s.Name)
	}
	return names
}
