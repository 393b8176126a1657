package command

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
)

func TestCompletionKnowsTheParametersBefore(t *testing.T) {
	t.Parallel()
	table, err := New(app.Spec{
		Name: "paint", Summary: "paint", Example: "paint wall red",
		Params: []app.Param{
			{Name: "what", Kind: app.Word},
			{Name: "colour", Kind: app.Word, CompleteAfter: func(before []string) []app.Suggestion {
				return []app.Suggestion{{Text: "like-" + before[0]}}
			}},
		},
		Flags: []app.Flag{{Name: "coats", Kind: app.Int, Summary: "how often"}},
		Run:   func(context.Context, *app.Env, app.Args) (any, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"paint wall li", "paint --coats 2 wall li"} {
		offers, _ := table.Complete(line, len(line), Live{})
		if d := cmp.Diff([]app.Suggestion{{Text: "like-wall"}}, offers); d != "" {
			t.Errorf("%s:\n%s", line, d)
		}
	}
}
