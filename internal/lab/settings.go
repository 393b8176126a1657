package lab

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/membership"
)

// DefaultProfile is that of a peer which is not told another.
const DefaultProfile = "local"

// Settings are all settings of "peerlab peer" with these applications. checkBootstrap says what is wrong with the address
// of a bootstrap service.
func Settings(apps []func() app.App, checkBootstrap func(string) error) *config.Table {
	components := Components(apps)
	fields := slices.Concat(identitySettings(checkBootstrap), membershipSettings(), CommonFields("warn", true, components...), consoleSettings())
	table, err := config.New("peerlab peer", fields, checkTuning)
	if err != nil {
		panic(err) // a mistake of the programmer
	}
	return table
}

// Components are the parts of a peer whose log may have a level of its own, sorted.
func Components(apps []func() app.App) []string {
	components := []string{"membership", "node", "peer"}
	for _, a := range apps {
		components = append(components, a().Name())
	}
	slices.Sort(components)
	return components
}

// identitySettings say who the peer is, and where.
func identitySettings(checkBootstrap func(string) error) []config.Field {
	b := make([]byte, 2)
	_, _ = rand.Read(b) // never fails: crypto/rand
	fields := []config.Field{
		{
			Key: "name", Kind: app.Text, Default: "peer-" + hex.EncodeToString(b), DefaultDoc: "peer-XXXX",
			Summary: "name of the peer, unique among the live members",
		},
		{Key: "group", Kind: app.Text, Default: "default", Summary: "group of peers that find each other"},
		{
			Key: "bootstrap", Kind: app.Text, Check: checkBootstrap,
			Summary: "bootstrap service: host:port (gRPC) or http(s)://HOST (HTTP/JSON); several replicas with commas; empty for none",
		},
		{
			Key: "bootstrap-timeout", Kind: app.Duration, Default: "0s",
			Summary: "give up when the bootstrap service is not reached in this time, and no member of an earlier start is remembered; 0 means never",
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
		Key: "profile", Kind: app.Enum, Values: membership.Profiles(), Default: DefaultProfile,
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
	for _, s := range timings(DefaultProfile) {
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
	return append(LookFields(),
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

// Tuning makes timings of settings.
func Tuning(get func(key string) string) (membership.Tuning, error) {
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
	t, err := Tuning(get)
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

// TimingNames are the settings that are timings of membership, in their order.
func TimingNames() []string {
	var names []string
	for _, s := range timings(DefaultProfile) {
		names = append(names, s.Name)
	}
	return names
}
