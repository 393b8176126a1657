package etcd_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]etcd.Config{
		"etcd://127.0.0.1:2379": {Endpoints: []string{"127.0.0.1:2379"}},
		"etcd://a:1,b:2,[::1]:3/labs/mine/": {
			Endpoints: []string{"a:1", "b:2", "[::1]:3"},
			Prefix:    "labs/mine",
		},
		"etcd://peer%40lab:p%3A%2F%25@a:1/": {Endpoints: []string{"a:1"}, Username: "peer@lab", Password: "p:/%"},
	} {
		got, err := etcd.Parse(spec)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(zerolog.Logger{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", spec, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ spec, want string }{
		{"", "must begin with etcd://"},
		{"http://127.0.0.1:2379", "must begin with etcd://, as in etcd://[user:password@]host:port"},
		{"etcd://", `endpoint "" must be host:port, as in 127.0.0.1:2379`},
		{"etcd://127.0.0.1", `endpoint "127.0.0.1" must be host:port`},
		{"etcd://a:1,", `endpoint "" must be host:port`},
		{"etcd://:2379", "must be host:port"},
		{"etcd://a:0", `endpoint "a:0" must have a port of 1 to 65535`},
		{"etcd://a:65536", "must have a port of 1 to 65535"},
		{"etcd://a:http", "must have a port of 1 to 65535"},
		{"etcd://a b:1", "has a host with a character that no host has"},
		{"etcd://a:1?x=y", "must have a port"},
		{"etcd://a:1/x?y=z", `prefix "x?y=z" must have only the characters`},
		{"etcd://a:1//x", `prefix "/x" must not begin or end with a slash`},
		{"etcd://a:1/x//y", "two in a row"},
		{"etcd://a:1/x/groups", `prefix "x/groups" must not have an element "groups"`},
		{"etcd://a:1/" + strings.Repeat("x", 257), "must have at most 256 characters"},
		{"etcd://secret@a:1", "before the @ there must be user:password"},
		{"etcd://:secret@a:1", "before the @ there must be user:password"},
		{"etcd://u:secret%zz@a:1", "write %25 for %"},
		{"etcd://u:secret@a:1,b", `endpoint "b" must be host:port`},
		{"etcd://u:secret@", `endpoint "" must be host:port`},
		{"etcd://u:secret/x@a:1", "a / in user or password must be written %2F"},
	}
	for _, tt := range tests {
		_, err := etcd.Parse(tt.spec)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", tt.spec, err, tt.want)
		}
	}
}

func TestValidateTellsAll(t *testing.T) {
	t.Parallel()
	err := etcd.Config{Prefix: "/", MaxGroups: -1, CallTimeout: -1, Username: "u"}.Validate()
	for _, want := range []string{"an endpoint", "prefix", "limit of groups", "timeout", "go together"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
