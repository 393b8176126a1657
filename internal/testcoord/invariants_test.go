package testcoord

import "testing"

// TestInvariants has a suite whose steps all pass, and in which somebody who runs is declared dead.
func TestInvariants(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
invariant no-false-death
invariant views-agree within 2s
invariant no-duplicates
all init
lab sleep 3s
alice accuse bob
lab sleep 3s
`, Options{}, nil)
	if err != nil || r.OK() {
		t.Errorf("%v, %v", r.OK(), err)
	}
	wantStatuses(t, l, r, "5 ok", "6 ok", "7 ok", "8 ok", "2 FAIL", "3 FAIL", "4 ok")
	wantOutput(t, l,
		"alice declared bob lost at 3.000s, which ran", "    3.000s alice: lost peer=bob",
		"at 6.000s alice believes alice, carol to be alive, and alice, bob, carol are members",
	)
}

// TestInvariantsHold ends peers on purpose, which violates nothing, and judges although a step has failed.
func TestInvariantsHold(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
invariant no-false-death
invariant views-agree within 1s
all init
lab sleep 2s
lab kill carol
lab sleep 3s
expect alice output = nothing
alice noop
`, Options{}, nil)
	if err != nil {
		t.Error(err)
	}
	wantStatuses(t, l, r, "4 ok", "5 ok", "6 ok", "7 ok", "8 FAIL", "9 skip", "2 ok", "3 ok")
}
