package console_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/lab"
)

// Every offer of the commands of a peer, put in its place, is taken, and so are those behind it. What help offers is looked up.
func TestOffersOfAPeerAreTaken(t *testing.T) {
	t.Parallel()
	table, err := lab.Table([]func() app.App{func() app.App { return chat.New() }})
	if err != nil {
		t.Fatal(err)
	}
	live := command.Live{Members: func() []app.Member {
		return []app.Member{{Name: "alice", State: app.Alive, Self: true}, {Name: "bob", State: app.Suspect}}
	}}
	run := command.Executor{Table: table}
	seen := map[string]bool{}
	var walk func(line string, words int)
	walk = func(line string, words int) {
		offers, start := table.Complete(line, len(line), live)
		for _, o := range offers {
			filled := line[:start] + o.Text
			if seen[filled] = true; strings.HasPrefix(filled, "help ") {
				if o := run.Execute(context.Background(), filled, &app.Env{Out: io.Discard}); o.Err != nil {
					t.Errorf("%q is offered: %v", filled, o.Err)
				}
			}
			_, err := table.Parse(filled)
			var usage *command.UsageError
			if errors.As(err, &usage) && usage.Col == start+1 && !strings.Contains(usage.Msg, "missing") && !strings.Contains(usage.Msg, "needs") {
				t.Errorf("%q is offered: %v", filled, err)
			}
			if words > 1 {
				walk(filled+" ", words-1)
			}
		}
	}
	walk("", 4)
	for _, want := range []string{"help", "help member info", "help chat ping", "help development", "member info bob", "member list --state alive"} {
		if !seen[want] {
			t.Errorf("%q is not offered", want)
		}
	}
	for _, no := range []string{"help memberconfigure", "help member init", "help member development", "config set listen"} {
		if seen[no] {
			t.Errorf("%q is offered", no)
		}
	}
}
