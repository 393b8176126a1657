package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inModule makes a module without a go.sum the working directory. So these tests are not parallel.
func inModule(t *testing.T, module string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no Go to build with")
	}
	dir := t.TempDir()
	write(t, []byte("module "+module+"\n\ngo 1.24\n"), dir, "go.mod")
	write(t, []byte("package main\n\nfunc main() {}\n"), dir, "main.go")
	t.Chdir(dir)
}

// TestBuildInAnotherModule checks that the user is told where to build, and not that it is done.
func TestBuildInAnotherModule(t *testing.T) {
	inModule(t, "other.example/other")
	c, said := cacheOf(t.TempDir())
	_, err := c.built(t.Context(), embeddedFor)
	if err == nil || !strings.Contains(err.Error(), "the working directory must be in the module of "+embeddedFor) || strings.Contains(err.Error(), "go.sum") {
		t.Error(err)
	}
	if said.Len() > 0 {
		t.Errorf("said %q", said)
	}
}

// TestBuildWithoutGo checks that nothing is announced that cannot be.
func TestBuildWithoutGo(t *testing.T) {
	inModule(t, "tiny.example/tiny")
	t.Setenv("PATH", t.TempDir())
	c, said := cacheOf(t.TempDir())
	if _, err := c.built(t.Context(), "tiny.example/tiny"); err == nil || !strings.Contains(err.Error(), "install Go") {
		t.Error(err)
	}
	if said.Len() > 0 {
		t.Errorf("said %q", said)
	}
}

// TestBuiltOnce checks that a module which depends on nothing needs no sums, that its guest is built once, and again only when it was damaged.
func TestBuiltOnce(t *testing.T) {
	inModule(t, "tiny.example/tiny")
	c, said := cacheOf(t.TempDir())
	build := func() *Guest {
		t.Helper()
		said.Reset()
		g, err := c.built(t.Context(), "tiny.example/tiny")
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	building := func() bool { return strings.Contains(said.String(), "building the guest") }
	g := build()
	want, err := os.ReadFile(g.File)
	if err != nil || !building() {
		t.Errorf("%v; said %q", err, said)
	}
	if build(); building() {
		t.Error("it is built twice")
	}
	damaged := []byte(strings.Repeat("x", len(want)))
	write(t, damaged, g.File)
	if build(); !building() || !whole(filepath.Dir(g.File)) {
		t.Errorf("it is still damaged; said %q", said)
	}
}
