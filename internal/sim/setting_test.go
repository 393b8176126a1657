package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/testcoord"
)

// loud is an application that says much.
type loud struct{}

func (loud) Name() string { return "loud" }

func (loud) Commands() []app.Spec {
	spec := func(name string, lines int, err error) app.Spec {
		return app.Spec{Name: "loud " + name, Group: "loud", Summary: "for tests", Example: "loud " + name, Run: func(_ context.Context, env *app.Env, _ app.Args) (any, error) {
			for i := range lines {
				_, _ = fmt.Fprintf(env.Out, "line %d | of %d\n", i, lines)
			}
			return nil, err
		}}
	}
	absent := errors.New("alice is not here")
	return []app.Spec{spec("pass", 30, nil), spec("fail", 30, absent), spec("break", 21, absent)}
}

func (loud) Start(context.Context, app.Peer) error { return nil }

func (loud) Stop(context.Context) error { return nil }

// noisy is a suite whose commands say much, some of them in another file, and some of them fail.
func noisy() *Spec {
	return &Spec{
		File: "some/where/noisy.lab", Seed: 1, Gossip: "fast", KeepGoing: true,
		Sources: map[string][]byte{
			"some/where/noisy.lab": []byte("peers alice bob carol\n[sim] alice echo hello\ninclude \"../more.lab\"\nrepeat 2 as i\n  ? bob,carol loud pass\n" +
				"  any loud fail\n  bob loud break\n  alice,carol loud fail\nend\nx = bob echo 5\n! carol echo 6\nbob init &\nwait\nlab kill carol\nlab restart carol\ncarol echo again\nexpect all members alive = 3\n"),
			"some/more.lab": []byte("[sim] repeat 2\n  alice echo more\n  any echo 1\n  any echo 2\n  any 2 echo 3\n  ? alice loud fail\nend\n"),
		},
	}
}

var timings = regexp.MustCompile(`\b\d+(\.\d+)?(ns|µs|ms|s)\b|\bid=\w+`)

// withoutTimes are lines without what is another in each run in a bubble.
func withoutTimes(text string) string {
	lines := strings.Split(timings.ReplaceAllString(text, "TIME"), "\n")
	for i, line := range lines {
		if !strings.Contains(line, "|") {
			line = strings.Join(strings.Fields(line), " ")
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// steps are those that an observer is told of.
type steps struct {
	testcoord.Observer
	ended []testcoord.StepRecord
}

func (*steps) RunBegins(time.Time)                 {}
func (s *steps) StepEnds(rec testcoord.StepRecord) { s.ended = append(s.ended, rec) }

// direct runs a spec as it is, and through a guest in this process.
func direct(ctx context.Context, spec *Spec, out io.Writer) (*Outcome, error) {
	return Run(ctx, spec, []func() app.App{func() app.App { return loud{} }}, out)
}

func throughGuest(ctx context.Context, spec *Spec, out io.Writer) (*Outcome, error) {
	in, reader, err := Send(spec, out)
	if err != nil {
		return nil, err
	}
	if err := Guest(bytes.NewReader(in), reader, func(spec *Spec) (*Outcome, error) { return direct(ctx, spec, io.Discard) }); err != nil {
		return nil, err
	}
	return reader.Outcome()
}

// TestView checks that what a guest tells is shown as what a coordinator shows that was told what the user wants.
func TestView(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ verbose, color bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			t.Parallel()
			var texts [2]string
			var outcomes [2]*Outcome
			for i, how := range []func(context.Context, *Spec, io.Writer) (*Outcome, error){direct, throughGuest} {
				synctest.Test(t, func(t *testing.T) {
					spec := noisy()
					spec.Verbose, spec.Color = tt.verbose, tt.color
					var out bytes.Buffer
					var err error
					if outcomes[i], err = how(t.Context(), spec, &out); err != nil {
						t.Fatal(err)
					}
					texts[i] = withoutTimes(out.String())
					<-time.After(Settle)
				})
			}
			if d := cmp.Diff(texts[0], texts[1]); d != "" {
				t.Error(d)
			}
			if a, b := outcomes[0].Result, outcomes[1].Result; a.File != b.File || a.Suite != b.Suite || a.Failed == 0 {
				t.Error(a, b)
			}
			if a, b := lives(outcomes[0]), lives(outcomes[1]); a != b || !strings.Contains(a, "carol 1") {
				t.Errorf("lives of which there are events: %s, through a guest: %s", a, b)
			}
			for i, s := range outcomes[0].Result.Steps {
				if got := outcomes[1].Result.Steps[i]; got.File != s.File || withoutTimes(strings.Join(got.Details, "\n")) != withoutTimes(strings.Join(s.Details, "\n")) {
					t.Errorf("%s: %s\n%s", s.Text, cmp.Diff(s.Details, got.Details), got.File)
				}
			}
		})
	}
}

// lives are those of which an outcome has events.
func lives(o *Outcome) string {
	var out []string
	for _, e := range o.Log.Entries {
		out = append(out, fmt.Sprintf("%s %d", e.Peer, e.Life))
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

// TestSetting checks that a guest gets the same, whoever looks and wherever the suite lies, unless the suite itself says where it lies.
func TestSetting(t *testing.T) {
	t.Parallel()
	one := noisy()
	other := noisy()
	other.Verbose, other.Color, other.Observer = true, true, &steps{}
	other.File = "/elsewhere/where/louder.lab"
	other.Sources = map[string][]byte{other.File: one.Sources[one.File], "/elsewhere/more.lab": one.Sources["some/more.lab"]}
	a, _, errA := Send(one, io.Discard)
	b, _, errB := Send(other, io.Discard)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("%v %v\n%s\n%s", errA, errB, a, b)
	}
	fixed := []byte("peers alice\n[sim] include \"/elsewhere/more.lab\"\n")
	other.Sources[other.File] = fixed
	if in, _, err := Send(other, io.Discard); err != nil || !bytes.Contains(in, []byte("louder.lab")) {
		t.Errorf("%v\n%s", err, in)
	}
}

// turning is a suite in suites whose files go up and come back into their own folder, which is included without such a turn, too.
var turning = map[string]string{
	"suites/top.lab":        "peers alice\ninclude \"../lib/common.lab\"\ninclude \"base.lab\"\n",
	"lib/common.lab":        "param here = ../suites\ninclude \"../suites/base.lab\"\ninclude \"$here/deep/other.lab\"\n",
	"suites/base.lab":       "alice echo base\n",
	"suites/deep/other.lab": "include \"../../suites/deep/../base.lab\"\nalice echo other\n",
}

// TestTurning runs a suite that goes up and comes back, from several places: a guest gets the same, and the user has their own names.
func TestTurning(t *testing.T) {
	root := t.TempDir()
	for _, lab := range []string{"one", "another"} {
		write(t, filepath.Join(root, lab), turning)
	}
	var first []byte
	for _, tt := range []struct{ from, file string }{
		{"", "one/suites/top.lab"}, {"one", "suites/top.lab"}, {"one/suites", "top.lab"}, {"another/suites/deep", "../top.lab"},
		{"", filepath.Join(root, "another", "suites", "top.lab")},
	} {
		t.Chdir(filepath.Join(root, tt.from))
		spec := specOf(t, tt.file, nil)
		in, _, err := Send(spec, io.Discard)
		if first == nil {
			first = in
		}
		if err != nil || !bytes.Equal(first, in) {
			t.Errorf("%s from %q: %v\n%s\n%s", tt.file, tt.from, err, first, in)
		}
		sameNames(t, spec)
	}
}

// sameNames runs a spec as it is and through a guest, and compares which files its steps stand in.
func sameNames(t *testing.T, spec *Spec) {
	t.Helper()
	var files [2][]string
	for i, how := range []func(context.Context, *Spec, io.Writer) (*Outcome, error){direct, throughGuest} {
		synctest.Test(t, func(t *testing.T) {
			o, err := how(t.Context(), spec, io.Discard)
			if err != nil || !o.Result.OK() {
				t.Fatal(spec.File, err, o)
			}
			for _, s := range o.Result.Steps {
				files[i] = append(files[i], s.File)
			}
			<-time.After(Settle)
		})
	}
	if d := cmp.Diff(files[0], files[1]); d != "" || len(files[0]) == 0 {
		t.Error(spec.File, files[0], d)
	}
}

// TestTurningAbsolutely includes by an absolute path what goes up and comes back; the path may be the value of a variable.
func TestTurningAbsolutely(t *testing.T) {
	root := t.TempDir()
	write(t, root, turning)
	t.Chdir(root)
	common := filepath.ToSlash(filepath.Join(root, "lib", "common.lab"))
	for i, src := range []string{
		"include " + command.Quote(common), "param at = " + command.Quote(path.Dir(common)) + "\ninclude $at/common.lab", "param at = nowhere\ninclude $at/common.lab",
	} {
		file := fmt.Sprintf("suites/absolute%d.lab", i)
		write(t, root, map[string]string{file: "peers alice\n" + src + "\ninclude \"../suites/base.lab\"\n"})
		var params map[string]string
		if strings.Contains(src, "nowhere") {
			params = map[string]string{"at": path.Dir(common)}
		}
		sameNames(t, specOf(t, file, params))
		sameNames(t, specOf(t, filepath.Join(root, file), params))
	}
}

// write writes files into a folder.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTurns looks for files by paths that go up and come back: the longest that is there is meant.
func TestTurns(t *testing.T) {
	t.Parallel()
	s := &Spec{Sources: map[string][]byte{"b.lab": []byte("b"), "../x/b.lab": []byte("x/b"), "../../y/c.lab": []byte("y/c"), "deep/b.lab": []byte("deep")}}
	for name, want := range map[string]string{
		"b.lab": "b", "../here/b.lab": "b", "../../up/here/b.lab": "b", "../x/b.lab": "x/b", "../../up/x/b.lab": "x/b", "../../y/c.lab": "y/c",
		"../here/deep/b.lab": "deep", "../c.lab": "", "../": "", "..": "", "here/b.lab": "", "../../b.lab": "", "../b.lab": "",
	} {
		if got, err := s.read(name); string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
