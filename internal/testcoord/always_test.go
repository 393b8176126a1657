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
		"expect all always 5s members alive = 2 &\nlab stop bob":                   "(stop)", // bob is ending, or has ended
	} {
		l, r, err := run(t, "peers alice bob\nall init\n"+src+"\n", Options{}, nil)
		if err != nil || r.OK() {
			t.Errorf("%q passed: %v", src, err)
		}
		wantOutput(t, l, want, "wanted  always for 5s")
	}
}
