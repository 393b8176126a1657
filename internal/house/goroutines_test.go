package house

import (
	"go/ast"
	"testing"
)

// withoutLeakTest are packages that start goroutines and whose tests cannot
// look for lost ones in the test binary.
var withoutLeakTest = map[string]string{
	"internal/bootstrap/store/storetest": "it has no tests, it is tests: each store runs them in its own",
	"internal/console/term/ptytest":      "it has no tests, it is for tests: those of internal/console/term look for leaks",

	"internal/cli": "a role ends with its process; its tests run the binary (cmd/peerlab)",
	"cmd/peerlab":  "its tests run the binary as other processes",
}

// TestLeaksAreLookedFor checks that a package that starts goroutines ends its
// tests with goleak.VerifyTestMain.
func TestLeaksAreLookedFor(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		started := ""
		for _, file := range p.code(t) {
			if ast.IsGenerated(file.ast) {
				continue
			}
			if at := startsGoroutine(file); at != "" {
				started = at
				break
			}
		}
		if started == "" || withoutLeakTest[p.short()] != "" || looksForLeaks(p.tests(t)) {
			continue
		}
		t.Errorf("%s starts a goroutine: the tests of package %s end with goleak.VerifyTestMain", started, p.short())
	}
}

// startsGoroutine tells where a file starts a goroutine, or "". It knows the go
// statement, time.AfterFunc, context.AfterFunc, and the Go method of
// errgroup.Group and sync.WaitGroup, by its name.
func startsGoroutine(f goFile) string {
	at := ""
	time, context := f.localName("time", "time"), f.localName("context", "context")
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			at = f.line(n)
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if ok && (sel.Sel.Name == "Go" || refersTo(sel, time, "AfterFunc") || refersTo(sel, context, "AfterFunc")) {
				at = f.line(n)
			}
		}
		return at == ""
	})
	return at
}

// looksForLeaks reports whether one of the files calls goleak.VerifyTestMain.
func looksForLeaks(files []goFile) bool {
	found := false
	for _, f := range files {
		goleak := f.localName("go.uber.org/goleak", "goleak")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			found = found || refersTo(n, goleak, "VerifyTestMain")
			return !found
		})
	}
	return found
}
