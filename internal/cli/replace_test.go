//go:build unix

package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// folder is a folder in which nothing must be left that nobody named.
func folder(t *testing.T) (in func(name string) string, write func(name, text string, mode fs.FileMode)) {
	t.Helper()
	dir := t.TempDir()
	in = func(name string) string { return filepath.Join(dir, name) }
	write = func(name, text string, mode fs.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(in(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(in(name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(in(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, pattern := range []string{".*", "*/.*"} {
			if left, err := filepath.Glob(in(pattern)); err != nil || len(left) > 0 {
				t.Errorf("%q were left (%v)", left, err)
			}
		}
	})
	return in, write
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

// holds checks what stands at a path itself, not behind it.
func holds(t *testing.T, path, want string, mode fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != want || info.Mode() != mode {
		t.Errorf("%s: %q with mode %s (%v), want %q with %s", path, text, info.Mode(), err, want, mode)
	}
}

func stillALink(t *testing.T, path, to string) {
	t.Helper()
	if got, err := os.Readlink(path); err != nil || got != to {
		t.Errorf("%s leads to %q (%v), want %q", path, got, err, to)
	}
}

func TestReplaceFile(t *testing.T) {
	t.Parallel()
	in, write := folder(t)
	replace := func(name string) {
		t.Helper()
		if err := replaceFile(in(name), []byte("new")); err != nil {
			t.Error(err)
		}
	}
	replace("made")
	holds(t, in("made"), "new", 0o600)
	write("old", "old", 0o640)
	write("old.new", "mine", 0o600)
	replace("old")
	holds(t, in("old"), "new", 0o640)
	holds(t, in("old.new"), "mine", 0o600)

	write("there/target", "old", 0o644)
	link(t, "../there/target", in("links/one"))
	link(t, in("links/one"), in("links/two"))
	replace("links/two")
	holds(t, in("there/target"), "new", 0o644)
	stillALink(t, in("links/one"), "../there/target")
	stillALink(t, in("links/two"), in("links/one"))

	// A link may lead to what is not there yet, and through a folder that is a link itself.
	link(t, in("there"), in("links/folder"))
	link(t, "folder/../later", in("links/three"))
	replace("links/three")
	holds(t, in("later"), "new", 0o600)
	stillALink(t, in("links/three"), "folder/../later")
}

func TestReplaceFileFails(t *testing.T) {
	t.Parallel()
	in, write := folder(t)
	write("file", "old", 0o600)
	write("full/file", "old", 0o600)
	link(t, "loop", in("loop"))
	link(t, "nowhere/file", in("lost"))
	for name, want := range map[string]string{
		"full":                       "is a directory",
		"file/below":                 "not a directory",
		"nowhere/file":               "no such file",
		"loop":                       "too many levels",
		"lost":                       "no such file",
		strings.Repeat("long", 1000): "too long",
	} {
		if err := replaceFile(in(name), []byte("new")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v, want %q", name, err, want)
		}
	}
	holds(t, in("file"), "old", 0o600)
	holds(t, in("full/file"), "old", 0o600)
	stillALink(t, in("lost"), "nowhere/file")
}

// What is no regular file is written to, also behind a link.
func TestReplaceFileWritesIntoAPipe(t *testing.T) {
	t.Parallel()
	in, _ := folder(t)
	pipe := in("pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link(t, "pipe", in("link"))
	for _, name := range []string{"pipe", "link"} {
		// Who has both ends waits for nobody, and what was written is read though the writer is gone.
		both, err := os.OpenFile(pipe, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := replaceFile(in(name), []byte("new")); err != nil {
			t.Error(err)
		}
		if info, err := os.Lstat(pipe); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
			t.Fatalf("the pipe is %v (%v)", info.Mode(), err)
		}
		got := make([]byte, 10)
		if n, err := both.Read(got); err != nil || string(got[:n]) != "new" {
			t.Errorf("%s: %q came (%v)", name, got[:n], err)
		}
		if err := both.Close(); err != nil {
			t.Error(err)
		}
	}
	stillALink(t, in("link"), "pipe")
}

// A file that has lost its name is found as that of a descriptor, and has none by which it could be replaced.
func TestReplaceFileWithoutAName(t *testing.T) {
	t.Parallel()
	in, write := folder(t)
	write("gone", "longer than what comes", 0o600)
	f, err := os.OpenFile(in("gone"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := os.Remove(in("gone")); err != nil {
		t.Fatal(err)
	}
	path := "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no such folder: %v", err)
	}
	if err := replaceFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "new" {
		t.Errorf("%q (%v)", text, err)
	}
}

func TestFormatFollowsLinks(t *testing.T) {
	t.Parallel()
	in, write := folder(t)
	ragged, aligned := "suite \"a\"\nalice echo yes\n", "suite   \"a\"\nalice   echo yes\n"
	write("there/a.lab", ragged, 0o644)
	write("l.lab.new", "mine", 0o600)
	link(t, "there/a.lab", in("l.lab"))
	if changed, err := formatFile(Stdio{}, in("l.lab"), true, false); err != nil || !changed {
		t.Fatalf("changed: %v, %v", changed, err)
	}
	stillALink(t, in("l.lab"), "there/a.lab")
	holds(t, in("there/a.lab"), aligned, 0o644)
	holds(t, in("l.lab.new"), "mine", 0o600)
}
