package cli

import (
	"net"
	"testing"
)

func TestShellWord(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"127.0.0.1:7700": "127.0.0.1:7700", "a b": "'a b'", "": "''", "it's": `'it'\''s'`, "[::1]:7": "'[::1]:7'", "$HOME": "'$HOME'",
	} {
		if got := shellWord(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

// TestReach checks which address peers are told.
func TestReach(t *testing.T) {
	t.Parallel()
	f := &attachFlags{advertise: "lab.example"}
	for bound, want := range map[string]string{
		"127.0.0.1:7700": "127.0.0.1:7700", "[::]:7700": "lab.example:7700", "0.0.0.0:1": "lab.example:1", "[::1]:7": "[::1]:7",
	} {
		if got := f.reach(bound); got != want {
			t.Errorf("%s: %s, want %s", bound, got, want)
		}
	}
	// Without advice it is an address of this machine; one that has none is told as it is bound.
	host, port, err := net.SplitHostPort((&attachFlags{}).reach("[::]:7700"))
	if err != nil || port != "7700" || net.ParseIP(host) == nil || net.ParseIP(host).IsLoopback() {
		t.Errorf("%s:%s %v", host, port, err)
	}
}
