package membership

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/network"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

func TestProfilesAreValid(t *testing.T) {
	t.Parallel()
	for _, name := range Profiles() {
		p, err := Profile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// What Fields gives, Set takes.
		var copied Tuning
		for _, f := range p.Fields() {
			if f.Summary == "" {
				t.Errorf("%s has no summary", f.Name)
			}
			if err := copied.Set(f.Name, f.Value); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if d := cmp.Diff(p, copied); d != "" {
			t.Errorf("%s is another after Fields and Set:\n%s", name, d)
		}
	}
	if _, err := Profile("moon"); err == nil || !strings.Contains(err.Error(), "lan, wan, local, fast") {
		t.Errorf("unknown profile: %v", err)
	}
}

func TestTuningSetAndValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		settings []string // field=value
		set      string   // part of the error of Set
		validate []string // parts of the error of Validate
	}{
		{settings: []string{"probe-interval=200ms", "probe-timeout=0.1"}},
		{settings: []string{"probe-timeout=1s"}, validate: []string{"probe-timeout (1s) must be shorter than probe-interval (1s)"}},
		{settings: []string{"probe-timeout=2s"}, validate: []string{"probe-timeout (2s) must be shorter than probe-interval (1s)"}},
		{settings: []string{"gossip-interval=0"}, validate: []string{"gossip-interval is 0s; it must be above 0"}},
		{settings: []string{"gossip-interval=1m"}, validate: []string{"gossip-interval (1m0s) must be shorter than push-pull-interval (30s)"}},
		{settings: []string{"stream-timeout=25h"}, validate: []string{"at most 24h0m0s"}},
		{settings: []string{"heal-interval=5s"}, validate: []string{"heal-interval (5s) must not be longer than heal-max (4s)"}},
		{
			settings: []string{"suspicion-mult=0", "gossip-nodes=-1", "retransmit-mult=1000"},
			validate: []string{"suspicion-mult is 0; it must be from 1 to 100", "gossip-nodes is -1", "retransmit-mult is 1000"},
		},
		{settings: []string{"indirect-checks=0"}},
		{settings: []string{"probe-interval=fast"}, set: `probe-interval: "fast" is not a duration`},
		{settings: []string{"probe-interval=-1s"}, set: "not a duration"},
		{settings: []string{"gossip-nodes=many"}, set: `gossip-nodes: "many" is not a whole number`},
		{settings: []string{"warp=9"}, set: `no field is called "warp"; there are probe-interval, `},
	} {
		tuning, _ := Profile("lan")
		for _, s := range tt.settings {
			name, value, _ := strings.Cut(s, "=")
			err := tuning.Set(name, value)
			if (err == nil) != (tt.set == "") || err != nil && !strings.Contains(err.Error(), tt.set) {
				t.Errorf("set %s: %v, want %q", s, err, tt.set)
			}
		}
		err := tuning.Validate()
		if (err == nil) != (tt.validate == nil) {
			t.Errorf("%v: %v, want %q", tt.settings, err, tt.validate)
		}
		for _, want := range tt.validate {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v, want %q", tt.settings, err, want)
			}
		}
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Name = "" }, "name is empty"},
		{func(c *Config) { c.Name = strings.Repeat("n", 65) }, "name has 65 bytes; 64 is the most"},
		{func(c *Config) { c.Name = "a\x1b[31m" }, "do not print"},
		{func(c *Config) { c.Name = "a\u202eb" }, "do not print"},
		{func(c *Config) { c.Name = "\xff" }, "not valid UTF-8"},
		{func(c *Config) { c.Name = "älice with a blank" }, ""},
		{func(c *Config) { c.Group = "" }, "group is empty"},
		{func(c *Config) { c.Group = strings.Repeat("g", 129) }, "group has 129 bytes"},
		{func(c *Config) { c.ID = "short" }, "id"},
		{func(c *Config) { c.Key = make([]byte, 17) }, "gossip key has 17 bytes; it must have 16, 24 or 32"},
		{func(c *Config) { c.BindAddr = "nonsense" }, "missing port"},
		{func(c *Config) { c.BindAddr = "localhost:1" }, "not an IP address"},
		{func(c *Config) { c.BindAddr = "127.0.0.1:http" }, "is not a port"},
		{func(c *Config) { c.BindAddr = "127.0.0.1:65536" }, "is not a port"},
		{func(c *Config) { c.BindAddr = "[::1]:0" }, ""},
		{func(c *Config) { c.BindAddr = "0.0.0.0:0" }, "names no host that others can reach"},
		{func(c *Config) { c.BindAddr = ":0" }, "names no host"},
		{func(c *Config) { c.BindAddr, c.Advertise = ":0", "10.1.2.3" }, ""},
		{func(c *Config) { c.Advertise = "0.0.0.0" }, "not the IP address of a host"},
		{func(c *Config) { c.Tuning = Tuning{} }, "probe-interval is 0s"},
	} {
		c := DefaultConfig()
		c.ID, c.Name = "12345678-1234", "alice"
		tt.change(&c)
		_, err := New(c, network.NewMemory().Host("10.0.0.1"), zerolog.Nop())
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

// node is memberlist's node with that announcement.
func node(t *testing.T, name string, meta *membershipv1.Meta) *memberlist.Node {
	t.Helper()
	b, err := proto.Marshal(meta)
	if err != nil {
		t.Fatal(err)
	}
	return &memberlist.Node{Name: name, Addr: net.IPv4(10, 0, 0, 1), Port: 7946, Meta: b}
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	const id = "12345678-1234"
	good := membershipv1.Meta{Id: id, Name: "alice", RpcAddr: "10.0.0.1:7000", JoinedAt: 7, Apps: []string{"chat"}}
	d := &delegate{}
	for _, tt := range []struct {
		what   string
		name   string
		change func(*membershipv1.Meta)
		ok     bool
	}{
		{"good", "alice~12345678", func(*membershipv1.Meta) {}, true},
		{"other node", "bob~12345678", func(*membershipv1.Meta) {}, false},
		{"no meta", "alice~12345678", func(m *membershipv1.Meta) { proto.Reset(m) }, false},
		{"short id", "alice~1", func(m *membershipv1.Meta) { m.Id = "1" }, false},
		{"control characters in the name", "a\x1bb~12345678", func(m *membershipv1.Meta) { m.Name = "a\x1bb" }, false},
		{"control characters in the address", "alice~12345678", func(m *membershipv1.Meta) { m.RpcAddr = "\r\n" }, false},
		{"control characters in an application", "alice~12345678", func(m *membershipv1.Meta) { m.Apps = []string{"\a"} }, false},
		{"many applications", "alice~12345678", func(m *membershipv1.Meta) { m.Apps = slices.Repeat([]string{"a"}, 33) }, false},
	} {
		meta := proto.CloneOf(&good)
		tt.change(meta)
		if err := d.NotifyAlive(node(t, tt.name, meta)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
	m, err := decodeMeta(node(t, "alice~12345678", &good))
	want := app.Member{
		ID: id, Name: "alice", Addr: "10.0.0.1:7946", RPCAddr: "10.0.0.1:7000", State: app.Alive,
		JoinedAt: time.Unix(0, 7), Apps: []string{"chat"},
	}
	if d := cmp.Diff(want, m); err != nil || d != "" {
		t.Errorf("%v, (-want +got):\n%s", err, d)
	}
}

func FuzzObserver(f *testing.F) {
	f.Add([]byte{244, 1, 'x', 7, 1, 0, 2, 3, 0x80})
	f.Add([]byte{7, 255, 0})
	f.Add([]byte{12, 0, 0, 0, 0, 3, 0x81, 0xa4, 'N', 'o', 'd', 'e', 0xa1, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, key := range [][]byte{nil, make([]byte, 16)} {
			o, err := newObserver(key, func(rumour) {})
			if err != nil {
				t.Fatal(err)
			}
			o.sent(b)
			o.came(b)
		}
	})
}

func TestLogOfMemberlist(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, level, message string }{
		{"[DEBUG] memberlist: Stream connection from=x", "debug", "Stream connection from=x"},
		{"[INFO] memberlist: Suspect bob~1 has failed", "info", "Suspect bob~1 has failed"},
		{"[WARN] memberlist: Refuting a suspect message", "warn", "Refuting a suspect message"},
		{"[ERR] memberlist: Failed to send ping", "error", "Failed to send ping"},
		{"[ERROR] memberlist: Failed to compress", "error", "Failed to compress"},
		{"Err: Could not set the deadline", "warn", "Err: Could not set the deadline"},
		{"[ERR", "warn", "[ERR"},
		{"", "warn", ""},
	} {
		var out bytes.Buffer
		newLogger(zerolog.New(&out)).Printf("%s", tt.line)
		var got struct{ Level, Message string }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Level != tt.level || got.Message != tt.message {
			t.Errorf("%q became %+v", tt.line, got)
		}
	}
	var out bytes.Buffer
	l := newLogger(zerolog.New(&out).Level(zerolog.WarnLevel))
	l.Print("[INFO] memberlist: not shown")
	if out.Len() > 0 {
		t.Errorf("below the level: %s", out.String())
	}
	if l := newLogger(zerolog.Nop()); l.Writer() == (&log.Logger{}).Writer() {
		t.Error("no writer")
	}
}

func TestListMembers(t *testing.T) {
	t.Parallel()
	s := NewService(func() []app.Member {
		return []app.Member{
			{ID: "1", Name: "alice", Addr: "a:1", RPCAddr: "a:2", State: app.Suspect, Apps: []string{"chat"}, RTT: time.Millisecond, Self: true},
			{ID: "2", State: app.Left}, {ID: "3", State: app.Lost}, {ID: "4", State: app.Alive}, {ID: "5"},
		}
	})
	resp, err := s.ListMembers(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var states []membershipv1.State
	for _, m := range resp.GetMembers() {
		states = append(states, m.GetState())
	}
	want := []membershipv1.State{2, 3, 4, 1, 0}
	if d := cmp.Diff(want, states); d != "" {
		t.Error(d)
	}
	if m := resp.GetMembers()[0]; m.GetRttNs() != 1e6 || !m.GetSelf() || m.GetRpcAddr() != "a:2" || m.GetApps()[0] != "chat" {
		t.Errorf("got %v", m)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	a, b := newDigester(), newDigester()
	same := func(what string, want bool) {
		t.Helper()
		if got := a.get() == b.get(); got != want {
			t.Errorf("%s: the same is %t, want %t", what, got, want)
		}
	}
	a.list("x", nil)
	a.list("y", nil)
	b.list("y", nil)
	same("one is missing", false)
	b.list("x", nil)
	same("in another order", true)
	b.list("x", []byte("announcement"))
	same("another announcement", false)
	a.list("x", []byte("announcement"))
	same("the same announcement", true)
	a.suspect("x")
	same("suspect to one", false)
	b.suspect("x")
	same("suspect to both", true)
	a.remove("x")
	a.clear("x")
	same("gone to one, suspect to the other", true)
	if a.members() != 1 || b.members() != 2 {
		t.Errorf("members are %d and %d, want 1 and 2", a.members(), b.members())
	}
	b.clear("x")
	same("refuted to one", false)
	data := func(until int64) uint64 { return uint64(until) + 1 }
	for _, tt := range []struct {
		what          string
		ack           []byte
		members, data bool
	}{
		{"the same", a.get().encode(8, 7), false, false},
		{"other members", b.get().encode(8, 7), true, false},
		{"other data", a.get().encode(9, 7), false, true},
		{"as of another time", a.get().encode(8, -7), false, true},
		{"nothing", nil, false, false},
		{"no digest", []byte("\xff\xff"), false, false},
		{"that of a member of a version without data", []byte("\x10\x05"), true, false},
	} {
		members, entries := a.get().compare(tt.ack, data)
		if members != tt.members || entries != tt.data {
			t.Errorf("%s: differ %t, %t; want %t, %t", tt.what, members, entries, tt.members, tt.data)
		}
	}
}
