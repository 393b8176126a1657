package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"peerlab.example/peerlab/app"
)

// wild are commands of an application that does what it should not.
func wild(t *testing.T, blocked <-chan struct{}) *Executor {
	t.Helper()
	spec := func(name string, run func(ctx context.Context, env *app.Env) (any, error)) app.Spec {
		return app.Spec{
			Name: name, Summary: "s", Example: name,
			Run: func(ctx context.Context, env *app.Env, _ app.Args) (any, error) { return run(ctx, env) },
		}
	}
	table, err := New(
		spec("flood", func(ctx context.Context, env *app.Env) (any, error) {
			line := strings.Repeat("x", 1<<16) + "\n"
			for ctx.Err() == nil {
				if _, err := io.WriteString(env.Out, line); err != nil {
					return nil, err
				}
			}
			return nil, ctx.Err()
		}),
		spec("hang", func(_ context.Context, env *app.Env) (any, error) {
			_, _ = fmt.Fprintln(env.Out, "hanging")
			<-blocked // whatever its context says
			_, _ = fmt.Fprintln(env.Out, "too late")
			return "too late", nil
		}),
		spec("slow", func(ctx context.Context, _ *app.Env) (any, error) {
			<-ctx.Done()
			<-time.After(time.Second) // it ends late, but it does
			return nil, errors.New("ended late")
		}),
		spec("huge", func(context.Context, *app.Env) (any, error) { return strings.Repeat("é", MaxOutput), nil }),
		spec("trap", func(context.Context, *app.Env) (any, error) { return trap{}, nil }),
		spec("rows", func(context.Context, *app.Env) (any, error) {
			return app.Table{Columns: []string{"a"}, Rows: [][]any{{1, 2}}}, nil // more values than columns
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return &Executor{Table: table}
}

type trap struct{}

func (trap) String() string { panic("trapped") }

// Whatever a command does, Execute returns, and what the user gets is bounded.
func TestWildCommandsAreContained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		blocked := make(chan struct{})
		x := wild(t, blocked)
		var out bytes.Buffer
		do := func(line string, f Format) (Outcome, time.Duration) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out.Reset()
			start := time.Now()
			if line != "flood" {
				time.AfterFunc(time.Second, cancel)
			}
			w := io.Writer(&out)
			if line == "flood" {
				w = writerFunc(func(p []byte) (int, error) {
					if out.Len()+len(p) > MaxOutput { // as a user who has seen enough
						cancel()
					}
					return out.Write(p)
				})
			}
			o := x.ExecuteAs(ctx, line, &app.Env{Out: w}, Rendering{Format: f, To: &out})
			return o, time.Since(start)
		}
		if o, _ := do("flood", ""); !errors.Is(o.Err, context.Canceled) || out.Len() > MaxOutput+200 || !strings.HasSuffix(out.String(), cutNotice+"\n") {
			t.Errorf("flood: %v, %d bytes", o.Err, out.Len())
		}
		o, took := do("hang", "")
		if took != time.Second+abandonAfter || !errors.Is(o.Err, context.Canceled) || !strings.Contains(o.Err.Error(), "hang has not stopped 3s after it was cancelled") {
			t.Errorf("hang: %v after %v", o.Err, took)
		}
		close(blocked)
		synctest.Wait()
		if out.String() != "hanging\n" {
			t.Errorf("an abandoned command wrote %q", out.String())
		}
		if o, took := do("slow", ""); took != 2*time.Second || o.Err == nil || o.Err.Error() != "ended late" {
			t.Errorf("slow: %v after %v", o.Err, took)
		}
		if o, _ := do("huge", FormatTable); o.Err != nil || out.Len() > MaxOutput+200 || !strings.HasSuffix(out.String(), cutNotice+"\n") {
			t.Errorf("huge: %v, %d bytes", o.Err, out.Len())
		}
		if o, _ := do("huge", FormatJSON); o.Err == nil || o.Err.Error() != "the result is larger than 8 MiB" || out.Len() > 0 {
			t.Errorf("huge as JSON: %v, %d bytes", o.Err, out.Len())
		}
		for _, line := range []string{"trap", "rows"} {
			var p *PanicError
			if o, _ := do(line, FormatJSON); !errors.As(o.Err, &p) || out.Len() > 0 {
				t.Errorf("%s: %v, %q", line, o.Err, out.String())
			}
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestRender(t *testing.T) {
	t.Parallel()
	table := &app.Table{Columns: []string{"name", "on", "rtt", "n"}, Rows: [][]any{
		{"yes", true, time.Millisecond, 1}, {"a: \"b\"\x1b", false, nil, 2.5},
	}}
	for _, tt := range []struct {
		result any
		format Format
		want   string
	}{
		{nil, FormatJSON, ""},
		{table, FormatJSON, `[{"name":"yes","on":true,"rtt":"1ms","n":1},{"name":"a: \"b\"\u001b","on":false,"rtt":null,"n":2.5}]` + "\n"},
		{table, FormatJSONL, `{"name":"yes","on":true,"rtt":"1ms","n":1}` + "\n" + `{"name":"a: \"b\"\u001b","on":false,"rtt":null,"n":2.5}` + "\n"},
		{table, FormatYAML, "---\n- name: \"yes\"\n  \"on\": true\n  rtt: 1ms\n  \"n\": 1\n- name: \"a: \\\"b\\\"\\e\"\n  \"on\": false\n  rtt: null\n  \"n\": 2.5\n"},
		{app.Record{{Name: "b", Value: []string{"x", "1"}}, {Name: "a", Value: app.Record{}}}, FormatYAML, "---\nb:\n  - x\n  - \"1\"\na: {}\n"},
		{"two\nlines", FormatYAML, "---\n|-\n  two\n  lines\n"},
		{app.Table{}, FormatJSONL, ""},
		{"x", FormatJSONL, "\"x\"\n"},
	} {
		var b bytes.Buffer
		if err := Render(&b, tt.result, tt.format); err != nil || b.String() != tt.want {
			t.Errorf("%v as %s: %v\n%s\nwant\n%s", tt.result, tt.format, err, b.String(), tt.want)
		}
	}
	if _, err := ParseFormat("xml"); err == nil || !strings.Contains(err.Error(), "table, json, jsonl, yaml") {
		t.Error(err)
	}
}
