package netns

import (
	"errors"
	"os"
	"strings"
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

// needLab skips the test where there can be no namespaces, and tells why. In CI as root it fails where only a command is missing,
// since .ci/run installs those there.
func needLab(t *testing.T) Abilities {
	t.Helper()
	a, err := Check(t.Context())
	var missing *MissingError
	if errors.As(err, &missing) {
		if strings.HasPrefix(missing.What, "the command ") && os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("%v; .ci/run installs it", err)
		}
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
