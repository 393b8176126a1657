package house

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// core are the packages to which time and the network are all there is. What
// they need of the operating system is given to them.
var core = []string{
	"app",
	"internal/bootstrap",
	"internal/chat",
	"internal/command",
	"internal/event",
	"internal/membership",
	"internal/peer",
}

// outside are the packages with which the core would reach around what it was
// given: files, environment, processes, other people's sockets.
var outside = []string{"io/ioutil", "net/http", "os", "os/exec", "os/signal", "syscall"}

// TestCore checks that no core package imports one of outside or opens a
// socket itself.
func TestCore(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range packages(t) {
		if !slices.Contains(core, p.short()) {
			continue
		}
		found++
		for _, file := range p.code(t) {
			for _, imported := range file.imports() {
				if slices.Contains(outside, imported) {
					t.Errorf("%s imports %s: a core package is given what it needs", file.name, imported)
				}
			}
			net := file.localName("net", "net")
			ast.Inspect(file.ast, func(n ast.Node) bool {
				if opens(n, net) {
					t.Errorf("%s opens a socket itself: it goes through network.Network", file.line(n))
				}
				return true
			})
		}
	}
	if found != len(core) {
		t.Errorf("%d of %d core packages found in %q", found, len(core), core)
	}
}

// opens reports whether n refers to a function or type of package net that
// opens sockets or asks the system's resolver. The type net.Listener is fine.
func opens(n ast.Node, net string) bool {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok || !refersTo(n, net, sel.Sel.Name) {
		return false
	}
	name := sel.Sel.Name
	if name == "Listener" {
		return false
	}
	for _, prefix := range []string{"Listen", "Dial", "Lookup", "Interface", "DefaultResolver", "Resolve"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
