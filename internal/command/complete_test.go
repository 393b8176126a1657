package command

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// A completer that hangs is waited for a moment, once: until its call has ended, it offers nothing and is not called again.
func TestCompleterThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		blocked := make(chan struct{})
		hang := func() []app.Suggestion {
			calls.Add(1)
			<-blocked
			return []app.Suggestion{{Text: "late"}}
		}
		table, err := New(app.Spec{
			Name: "paint", Summary: "paint", Example: "paint wall",
			Params: []app.Param{{Name: "what", Kind: app.Word, CompleteAfter: func([]string) []app.Suggestion { return hang() }}},
			Flags: []app.Flag{
				{Name: "colour", Kind: app.Word, Summary: "which", Complete: hang},
				{Name: "coats", Kind: app.Enum, Values: []string{"one", "two"}, Summary: "how many", Complete: func() []app.Suggestion { panic("trapped") }},
			},
			Run: func(context.Context, *app.Env, app.Args) (any, error) { return nil, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		complete := func(line string) (offers []app.Suggestion, took time.Duration) {
			start := time.Now()
			offers, _ = table.Complete(line, len(line), Live{})
			return offers, time.Since(start)
		}
		for _, tt := range []struct {
			line  string
			calls int64
			took  time.Duration
		}{{"paint ", 1, askFor}, {"paint l", 1, 0}, {"paint --colour ", 2, askFor}, {"paint --colour=l", 2, 0}} {
			if _, took := complete(tt.line); took != tt.took || calls.Load() != tt.calls {
				t.Errorf("%q: %v and %d calls, want %v and %d", tt.line, took, calls.Load(), tt.took, tt.calls)
			}
		}
		if offers, _ := complete("paint --coats "); len(offers) != 2 {
			t.Errorf("beside a completer that panics: %v", offers)
		}
		close(blocked)
		synctest.Wait()
		if offers, _ := complete("paint l"); len(offers) != 1 || offers[0].Text != "late" || calls.Load() != 3 {
			t.Errorf("after the call has ended: %v, %d calls", offers, calls.Load())
		}
	})
}
