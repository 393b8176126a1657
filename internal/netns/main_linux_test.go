package netns

import (
	"errors"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(proberMode); mode != "" {
		os.Exit(prober(mode, os.Args[1:]))
	}
	// memberlist does not wait for its last probe, which lasts no longer than the probe interval.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// needLab skips the test where there can be no namespaces, and tells why.
func needLab(t *testing.T) Abilities {
	t.Helper()
	a, err := Check(t.Context())
	var missing *MissingError
	if errors.As(err, &missing) {
		t.Skipf("skipped: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// needNetem skips the test where the kernel lacks netem.
func needNetem(t *testing.T) {
	t.Helper()
	if a := needLab(t); a.Netem != nil {
		t.Skipf("skipped: %v", a.Netem)
	}
}
