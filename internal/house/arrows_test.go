package house

import (
	"slices"
	"strings"
	"testing"
)

// arrows says which packages of ours a package may import, beside generated
// protobuf. Paths are below the module's root, "" being the root package; a "*"
// at the end allows all that start so. A package without a line is an error: a
// new package states its place. Tests may import what they need.
var arrows = map[string][]string{
	"":                        {"app", "internal/cli", "internal/sim"},
	"cmd/peerlab":             {"", "app", "internal/chat"},
	"internal/cli":            {"*"}, // roles are wired here, nowhere else
	"internal/peer":           {"app", "internal/command", "internal/event", "internal/membership", "internal/network", "internal/node"},
	"internal/lab":            {"app", "internal/bootstrap", "internal/bootstrap/store/memory", "internal/command", "internal/config", "internal/console", "internal/event", "internal/membership", "internal/network", "internal/node", "internal/peer"},
	"internal/testcoord":      {"app", "internal/command", "internal/event", "internal/invariant", "internal/network", "internal/node"}, // sees peers through gRPC only
	"internal/console":        {"app", "internal/atomicfile", "internal/command", "internal/event"},                                     // never a role
	"internal/config":         {"app", "internal/atomicfile", "internal/command"},                                                       // never a role: it gets targets
	"internal/bootstrap":      {"internal/event", "internal/node"},
	"internal/chat":           {"app"}, // has no private door: an application of yours can do the same
	"internal/membership":     {"app", "internal/network"},
	"internal/command":        {"app"},
	"internal/node":           {"internal/event", "internal/network"},
	"internal/event":          {},
	"internal/invariant":      {"internal/event"},
	"internal/report":         {"internal/atomicfile", "internal/command", "internal/event"}, // is filled by the coordinator, and knows nothing of it
	"internal/metrics":        {"internal/bootstrap", "internal/node"},                       // told through their interfaces; neither knows it
	"internal/network":        {},
	"internal/netns":          {"internal/network"}, // a place to run peers in; knows no role
	"internal/kubernetes":     {},                   // talks to a cluster, and knows nothing of what it runs
	"internal/deploy":         {},                   // talks to Google Cloud, and knows nothing of what it deploys
	"app":                     {},
	"internal/atomicfile":     {},
	"internal/sim":            {"app", "internal/bootstrap", "internal/config", "internal/console", "internal/event", "internal/invariant", "internal/lab", "internal/network", "internal/node", "internal/peer", "internal/testcoord"}, // a composition root, as cli is
	"internal/explore":        {"internal/command", "internal/sim", "internal/testcoord"},
	"internal/study":          {"internal/predict", "internal/report", "internal/sim", "internal/testcoord"},
	"internal/sim/fast":       {"app", "internal/sim"},
	"internal/sim/guest":      {"internal/atomicfile", "internal/sockaddr"},
	"internal/sim/guest/pack": {"internal/sim/guest"},
	"internal/sim/host":       {"internal/sim"},
	"internal/sockaddr":       {},
	"internal/predict":        {"internal/membership"}, // arithmetic on its timings
	"internal/house":          {"internal/sim/guest"},

	"internal/console/term":              {"app", "internal/command", "internal/console"},
	"internal/console/term/ptytest":      {}, // a terminal for tests of other packages
	"internal/bootstrap/apitest":         {}, // tests of each way to reach the service
	"internal/bootstrap/function":        {"internal/bootstrap", "internal/bootstrap/gateway", "internal/bootstrap/store/firestore", "internal/network", "internal/node"},
	"internal/bootstrap/gateway":         {}, // between a connection and a handler; knows no store and no rule
	"internal/bootstrap/store/bolt":      {"internal/bootstrap", "internal/bootstrap/store/*"},
	"internal/bootstrap/store/etcd":      {"internal/bootstrap", "internal/bootstrap/store/*"},
	"internal/bootstrap/store/firestore": {"internal/bootstrap", "internal/bootstrap/store/*"},
	// A server of the Firestore protocol for tests, also those of other packages.
	"internal/bootstrap/store/firestore/fakefirestore": {"internal/bootstrap/store/storetest"},
	"internal/bootstrap/store/memory":                  {"internal/bootstrap", "internal/bootstrap/store/*"},
	"internal/bootstrap/store/snapshot":                {"internal/bootstrap", "internal/bootstrap/store/*"},
	"internal/deploy/fakefunctions":                    {}, // Google Cloud, for tests
	// Tests that every store runs.
	"internal/bootstrap/store/storetest": {"internal/bootstrap", "internal/bootstrap/store/*"},
}

// allowed reports whether one of the arrows permits the import of a package.
func allowed(arrows []string, short string) bool {
	return slices.ContainsFunc(arrows, func(arrow string) bool {
		folder, all := strings.CutSuffix(arrow, "*")
		return arrow == short || all && strings.HasPrefix(short, folder)
	})
}

// TestArrows checks that imports point only where the table allows, and that
// the table names no package that is gone.
func TestArrows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range packages(t) {
		from := p.short()
		seen[from] = true
		if generated(from) {
			continue
		}
		to, ok := arrows[from]
		if !ok {
			t.Errorf("package %q has no line in the table of arrows", from)
			continue
		}
		for _, file := range p.code(t) {
			for _, imported := range file.imports() {
				short, ours := strings.CutPrefix(imported, modulePath)
				short = strings.TrimPrefix(short, "/")
				if ours && !generated(short) && !allowed(to, short) {
					t.Errorf("%s imports %s: package %q may import %q", file.name, imported, from, to)
				}
			}
		}
	}
	for from := range arrows {
		if !seen[from] {
			t.Errorf("the table of arrows names package %q, which is not there", from)
		}
	}
}

// TestNames refuses packages that have no subject.
func TestNames(t *testing.T) {
	t.Parallel()
	noSubject := []string{"base", "common", "helper", "helpers", "misc", "shared", "types", "util", "utils"}
	for _, p := range packages(t) {
		if slices.Contains(noSubject, p.Name) {
			t.Errorf("package %s: %q says nothing of what it is for", p.ImportPath, p.Name)
		}
	}
}
