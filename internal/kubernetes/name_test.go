package kubernetes

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

// TestNames checks that whatever a suite is called, its job has a name that a cluster takes, and another one each time.
func TestNames(t *testing.T) {
	t.Parallel()
	for title, start := range map[string]string{
		"partition and heal":            "peerlab-partition-and-heal-",
		"8. The network is homogeneous": "peerlab-8-the-network-is-homogeneous-",
		"Ünïcode/../x":                  "peerlab-n-code-x-",
		"***":                           "peerlab-",
		strings.Repeat("long ", 50):     "peerlab-long-long-",
	} {
		name, other := newName(title), newName(title)
		if !strings.HasPrefix(name, start) || name == other {
			t.Errorf("%q: %q, %q", title, name, other)
		}
		if wrong := validation.IsDNS1123Label(name); len(wrong) > 0 || len(name) > maxName {
			t.Errorf("%q: %q has %d characters: %v", title, name, len(name), wrong)
		}
	}
}
