package testcoord

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWords says of each kind of line whom it names, and what it does there.
func TestWords(t *testing.T) {
	t.Parallel()
	all := []string{"alice", "bob"}
	for _, tt := range []struct {
		line string
		want Words
	}{
		{"alice init", Words{Peers: all[:1], Sure: true, Command: "init"}},
		{"all within 10s init", Words{Peers: all, Sure: true, Command: "init"}},
		{"[linux] ? some /init", Words{Peers: all[1:], Command: "init"}},
		{"x = alice init", Words{Peers: all[:1], Sure: true, Command: "init"}},
		{"alice within 10s member leave", Words{Peers: all[:1], Sure: true, Command: "member leave"}},
		{"others msg init", Words{Peers: all, Others: true, Command: "msg"}},
		{"any msg one &", Words{Peers: all, Command: "msg", Background: true}},
		{"wait", Words{Waits: true}},
		{"[linux] wait", Words{}},
		{"expect alice output = 3", Words{Peers: all[:1], Sure: true, Judges: true}},
		{"expect others within 3s json . = 3", Words{Peers: all, Others: true, Judges: true}},
		{"expect bob event message text=output", Words{Peers: all[1:], Sure: true}},
		{"expect $n = 1", Words{Peers: all}},
		{"lab kill bob", Words{Peers: all[1:], Sure: true, Lab: "kill"}},
		{"lab loss 5% for 1s", Words{}},
		{"lab sleep 1s", Words{}},
		{"$n init", Words{Peers: all, Command: "init"}},
		{"[linux] ! any 2 within 5s sleep ${n}s &", Words{Peers: all, Command: "sleep", Background: true}},
		{"y = alice echo $n", Words{Peers: all, Command: "echo"}},
		{"others msg $n", Words{Peers: all, Others: true, Command: "msg"}},
		{"expect alice output = $n", Words{Peers: all, Judges: true}},
		{"lab restart $n", Words{Peers: all, Lab: "restart"}},
		{"alice $how", Words{Peers: all[:1], Sure: true, Command: "init"}},
		{"$n $how", Words{Peers: all, Command: "init"}},
	} {
		s, err := Parse("words.lab", []byte("param how = init\npeers alice bob\ngroup some = bob\nalice echo 1 &\nn = alice echo 1\n"+tt.line+"\nwait\n"), fakeTable(nil))
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
			continue
		}
		if d := cmp.Diff(tt.want, s.Words(s.Steps[2])); d != "" {
			t.Errorf("%s: %s", tt.line, d)
		}
	}
}
