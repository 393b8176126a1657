package testcoord

import "testing"

func TestAlways(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
alice,bob init
alice msg one
expect alice,bob always 200ms members alive = 2
expect bob always 200ms event message from=alice x 1
expect alice,bob always 100ms members exclude carol
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
}

func TestAlwaysFails(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"expect all always 5s members alive = 3":                                   "members alive = 3 is false at alice",
		"alice sleep 100ms &\nexpect all always 5s event message x 0 &\nbob msg x": "event message x 0 became false at alice",
		"expect bob always 5s members alive = 2 &\nlab stop bob":                   "(stop)", // bob is ending, or has ended
		"expect all always 5s members alive = 2 &\nlab stop bob":                   "members alive = 2 became false at alice",
	} {
		l, r, err := run(t, "peers alice bob\nall init\n"+src+"\n", Options{}, nil)
		if err != nil || r.OK() {
			t.Errorf("%q passed: %v", src, err)
		}
		wantOutput(t, l, want, "wanted  always for 5s")
	}
}

// TestWhoIsEndedIsJudgedNoMore ends peers while something is watched of several.
func TestWhoIsEndedIsJudgedNoMore(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
group some = bob carol
all init
expect all never 2s event suspected &
expect some never 2s event message &
expect alice,bob always 2s members include alice &
expect all never 2s metric heard_total{from="alice"} > 0 &
lab kill bob
lab restart carol
lab stop carol
expect all never 100ms event message
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
}

// TestWhoElseIsJudged has reasons to fail beside peers that the suite ends.
func TestWhoElseIsJudged(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"expect all never 2s event lost &\nlab kill bob":        "event lost became true at alice",
		"expect bob never 2s event lost &\nlab kill bob":        "bob ",
		"lab kill bob\nexpect alice,bob never 1s event message": "bob was killed by the suite",
		"expect all within 2s event message &\nlab kill bob":    "bob ",
	} {
		l, r, err := run(t, "peers alice bob\nall init\n"+src+"\n", Options{}, nil)
		if err != nil || r.OK() {
			t.Errorf("%q passed: %v", src, err)
		}
		wantOutput(t, l, "FAIL", want)
	}
}
