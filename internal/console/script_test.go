package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/command"
)

func TestRunScript(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, script, out, err string
	}{
		{name: "empty"},
		{"lines and comments", "# a comment\n\necho one # two\n  /echo \"# three\"\r\n", "one\n# three\n", ""},
		{"byte order mark", "\ufeffecho one", "one\n", ""},
		{"quit ends with success", "echo one\nquit\nfail", "one\n", ""},
		{"first failure", "echo one\n  fail\necho two", "one\n", "s:2:3: it failed"},
		{"unknown command", "ehco one", "", `s:1:1: unknown command "ehco"; did you mean "echo"?`},
		{"wrong argument", "\n member info bob --format=lang", "", `s:2:18: member info: format: "lang" is none of long, short; did you mean "long"?`},
		{"unclosed quote", "echo 'one", "", "s:1:6: this ' is never closed"},
		{"panic", "crash", "", "s:1:1: the command panicked: crashed"},
		{"no line end", "part\necho one", "part of a line\none\n", ""},
		{"binary", "echo one\n\x00\n", "one\n", "s:2:1: control character U+0000 in the line"},
		{"too long", "echo " + strings.Repeat("x", maxScriptLine), "", fmt.Sprintf("s:1:1: the line is longer than %d bytes", maxScriptLine)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, _, _ := newTestBackend(t)
			var out bytes.Buffer
			w := NewOutput(&out, io.Discard).Command()
			err := b.RunScript(context.Background(), "s", strings.NewReader(tc.script), w)
			if diff := cmp.Diff(tc.out, out.String()); diff != "" {
				t.Error(diff)
			}
			if got := message(err); !strings.HasPrefix(got, tc.err) || tc.err == "" && got != "" {
				t.Errorf("error %q, want %q", got, tc.err)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRunLines(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		lines, out, err string
	}{
		{"echo one; echo 'two; three';", "one\ntwo; three\n", ""},
		{"echo one; quit; fail", "one\n", ""},
		{"echo one; fail", "one\n", "-e:1:11: it failed"},
		{"echo one;  sleep soon", "one\n", `-e:1:18: sleep: duration: "soon" is not a duration such as 300ms, 1.5s or 2m; usage: sleep DURATION`},
		{";;", "", ""},
		{"echo one\necho two; echo three\r\nquit\nfail", "one\ntwo\nthree\n", ""},
		{"# all of this; is 'a comment\necho two", "two\n", ""},
		{"echo one # two; fail\n\n echo three;fail", "one\nthree\n", "-e:3:13: it failed"},
		{"echo one\necho 'two; three\necho four'", "one\n", "-e:2:6: this ' is never closed"},
	} {
		b, _, _ := newTestBackend(t)
		var out bytes.Buffer
		err := b.RunLines(context.Background(), "-e", tc.lines, &out)
		if out.String() != tc.out || message(err) != tc.err {
			t.Errorf("%q: printed %q, error %q; want %q and %q", tc.lines, out.String(), message(err), tc.out, tc.err)
		}
	}
}

func TestScriptEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b, _, _ := newTestBackend(t)
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	r, w := io.Pipe()
	defer func() { _ = w.Close() }()
	ended := make(chan error)
	go func() { ended <- b.RunScript(ctx, "stdin", r, io.Discard) }()
	if _, err := io.WriteString(w, "echo one\n"); err != nil {
		t.Fatal(err)
	}
	cancel(stop) // while it waits for a line that never comes
	if err := <-ended; !errors.Is(err, stop) {
		t.Errorf("it ended with %v", err)
	}
}

func TestCommandEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, _, _ := newTestBackend(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if o := b.Execute(ctx, "sleep 1h", io.Discard); !errors.Is(o.Err, context.DeadlineExceeded) {
			t.Errorf("sleep ended with %v", o.Err)
		}
		start := time.Now()
		if o := b.Execute(t.Context(), "sleep 1.5", io.Discard); o.Err != nil || time.Since(start) != 1500*time.Millisecond {
			t.Errorf("sleep 1.5 ended with %v after %v", o.Err, time.Since(start))
		}
	})
}

func TestExecute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	inner := write("inner.txt", "echo inner\n  member inf bob\n")
	outer := write("outer.txt", "echo outer\n execute "+inner+"\n")
	loop := filepath.Join(dir, "loop.txt")
	write("loop.txt", "echo again\nexecute "+loop+"\n")
	quit := write("quit.txt", "quit\n")
	b, exec, _ := newTestBackend(t)
	run := func(line string) (string, command.Outcome) {
		var out bytes.Buffer
		o := b.Execute(context.Background(), line, &out)
		return out.String(), o
	}
	out, o := run("execute " + outer)
	want := outer + ":2:2: " + inner + `:2:10: unknown command "member inf"; did you mean "member info"?`
	if out != "outer\ninner\n" || message(o.Err) != want {
		t.Errorf("printed %q, error %q, want %q", out, message(o.Err), want)
	}
	if o.Usage() {
		t.Error("a wrong line in a file makes execute a wrong line")
	}
	for _, verb := range []string{"execute ", "play --pause 0 "} {
		if out, o = run(verb + loop); strings.Count(out, "again") > 2 || message(o.Err) != loop+":2:1: "+errEndless.Error() {
			t.Errorf("a script that executes itself: printed %q, error %v", out, o.Err)
		}
	}
	deep := quit
	for i := range maxDepth {
		deep = write(fmt.Sprint("deep", i), "execute "+deep+"\n")
	}
	if _, o = run("execute " + deep); !o.Quit {
		t.Errorf("%d scripts in each other: %+v", maxDepth+1, o)
	}
	if _, o = run("execute " + write("deeper.txt", "execute "+deep+"\n")); !strings.HasSuffix(message(o.Err), "scripts are nested more than 8 deep") {
		t.Errorf("one more: %+v", o)
	}
	if _, o = run("execute " + dir); message(o.Err) != "open "+dir+": this is a folder, not a script" {
		t.Errorf("a folder: %v", o.Err)
	}
	if _, o = run("execute " + quit); !o.Quit {
		t.Errorf("quit in a file: %+v", o)
	}
	if _, o = run("execute " + filepath.Join(dir, "none.txt")); !errors.Is(o.Err, os.ErrNotExist) && !strings.Contains(message(o.Err), "no such file") {
		t.Errorf("a file that is not there: %v", o.Err)
	}
	if exec.Table.Lookup("execute") == nil {
		t.Error("execute is gone")
	}
}
