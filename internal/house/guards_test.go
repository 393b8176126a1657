package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// parseText parses a file that exists only in a test.
func parseText(t *testing.T, text string) goFile {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "text.go", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return goFile{name: "text.go", fset: fset, ast: file}
}

// TestGuards checks the checks: what they find, and what they leave alone.
func TestGuards(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text          string
		opens, starts bool
	}{
		"nothing":             {`package p; import "net"; var l net.Listener; var c net.Conn`, false, false},
		"listen":              {`package p; import "net"; var l, _ = net.Listen("tcp", ":0")`, true, false},
		"another name":        {`package p; import n "net"; var l, _ = n.ListenPacket("udp", ":0")`, true, false},
		"dialer":              {`package p; import "net"; var d net.Dialer`, true, false},
		"listen config":       {`package p; import "net"; var d = &net.ListenConfig{}`, true, false},
		"lookup":              {`package p; import "net"; var d = net.LookupHost`, true, false},
		"another package":     {`package p; import "x/net"; var l = net.Listen`, false, false},
		"go":                  {`package p; func f() { if true { go f() } }`, false, true},
		"group":               {`package p; func f() { g.Go(f) }`, false, true},
		"after":               {`package p; import "time"; var t = time.AfterFunc(1, nil)`, false, true},
		"a channel and timer": {`package p; import "time"; var t = time.NewTimer(1); var c chan int`, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := parseText(t, test.text)
			net, found := file.localName("net", "net"), false
			ast.Inspect(file.ast, func(n ast.Node) bool {
				found = found || opens(n, net)
				return true
			})
			if found != test.opens {
				t.Errorf("opens = %v, want %v", found, test.opens)
			}
			if at := startsGoroutine(file); (at != "") != test.starts {
				t.Errorf("startsGoroutine = %q, want one: %v", at, test.starts)
			}
		})
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	stores := []string{"app", "internal/store/*"}
	tests := []struct {
		arrows []string
		short  string
		want   bool
	}{
		{stores, "app", true},
		{stores, "internal/store/bolt", true},
		{stores, "internal/stores", false},
		{stores, "", false},
		{[]string{""}, "", true},
		{[]string{""}, "app", false},
		{[]string{"*"}, "internal/peer", true},
		{nil, "app", false},
	}
	for _, test := range tests {
		if got := allowed(test.arrows, test.short); got != test.want {
			t.Errorf("allowed(%q, %q) = %v, want %v", test.arrows, test.short, got, test.want)
		}
	}
}
