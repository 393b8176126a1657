package deploy

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// labSource is a module of the same shape as functions/, which needs nothing that is not in testdata.
const labSource = "testdata/lab/functions"

func TestArchiveHasTheSourceVendoredAndNothingElse(t *testing.T) {
	t.Parallel()
	a, err := BuildArchive(t.Context(), labSource)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range a.Files {
		got = append(got, f.Path)
	}
	want := []string{
		"function.go", "go.mod", "go.sum", "static/page.txt",
		"vendor/github.com/GoogleCloudPlatform/functions-framework-go/funcframework/funcframework.go",
		"vendor/github.com/GoogleCloudPlatform/functions-framework-go/functions/functions.go",
		"vendor/modules.txt",
		"vendor/peerlab.example/peerlab/greet/greet.go",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if a.GoVersion != "1.26.0" {
		t.Errorf("Go version %q", a.GoVersion)
	}
	for name, body := range unzip(t, a.Zip, t.TempDir()) {
		if strings.Contains(body, "never-upload-this") {
			t.Errorf("%s has the content of a hidden file", name)
		}
	}
}

func TestSameSourceMakesTheSameArchive(t *testing.T) {
	t.Parallel()
	dir := copyLab(t)
	a, err := BuildArchive(t.Context(), filepath.Join(dir, "functions"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := BuildArchive(t.Context(), labSource) // another folder, other times
	if err != nil {
		t.Fatal(err)
	}
	if a.SHA256() != b.SHA256() || !bytes.Equal(a.Zip, b.Zip) {
		t.Error("two archives of the same source differ")
	}
}

// TestArchiveBuildsAsTheBuildpackDoes unzips an archive into an empty folder and builds it there without any other
// module, first as it is and then with the main function that the go/functions_framework buildpack adds.
func TestArchiveBuildsAsTheBuildpackDoes(t *testing.T) {
	t.Parallel()
	a, err := BuildArchive(t.Context(), labSource)
	if err != nil {
		t.Fatal(err)
	}
	buildOffline(t, a, "peerlab.example/peerlab/functions")
}

// TestArchiveOfTheRealFunction does the same with the function of this repository.
func TestArchiveOfTheRealFunction(t *testing.T) {
	t.Parallel()
	const dir = "../../functions"
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Skip("no functions/ in this checkout")
	}
	if testing.Short() {
		t.Skip("compiles the Firestore client")
	}
	a, err := BuildArchive(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %s", len(a.Files), megabytes(int64(len(a.Zip))))
	buildOffline(t, a, "peerlab.example/peerlab/functions")
}

// buildOffline builds an archive where there is nothing but the archive, and the standard library.
func buildOffline(t *testing.T, a *Archive, module string) {
	t.Helper()
	dir := t.TempDir()
	unzip(t, a.Zip, dir)
	goOffline(t, dir, "build", "-trimpath", "./...") // so that what was compiled is found again, in another folder
	// The buildpack asks for the module and for the version of the framework, and builds a package that it puts into
	// the module: cmd/go/functions_framework of https://github.com/GoogleCloudPlatform/buildpacks.
	if got := strings.TrimSpace(goOffline(t, dir, "list", "-m")); got != module {
		t.Errorf("module %q, want %q", got, module)
	}
	if got := goOffline(t, dir, "list", "-m", "-f", "{{.Version}}", "github.com/GoogleCloudPlatform/functions-framework-go"); !strings.HasPrefix(got, "v") {
		t.Errorf("version of the framework %q", got)
	}
	app := filepath.Join(dir, "functions.local", "app")
	if err := os.MkdirAll(app, 0o750); err != nil {
		t.Fatal(err)
	}
	main := "package main\n\nimport (\n\t_ \"" + module + "\"\n\t\"" + framework + "\"\n)\n\nfunc main() { panic(funcframework.Start(\"0\")) }\n"
	if err := os.WriteFile(filepath.Join(app, "main.go"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	goOffline(t, dir, "build", "-trimpath", "-o", filepath.Join(t.TempDir(), "main"), app)
}

// goOffline runs the go command with no module cache and no proxy.
func goOffline(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=vendor", "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local",
		"GOMODCACHE="+filepath.Join(t.TempDir(), "empty"), "PWD="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

func TestSourcesThatAreRefused(t *testing.T) {
	t.Parallel()
	write := func(files map[string]string) string {
		dir := t.TempDir()
		for name, body := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	const mod = "module example.com/f\n\ngo 1.26\n"
	for name, test := range map[string]struct{ dir, want string }{
		"no folder":       {filepath.Join(t.TempDir(), "none"), "no such folder"},
		"no module":       {write(nil), "has no go.mod"},
		"no package":      {write(map[string]string{"go.mod": mod}), "no Go package"},
		"a program":       {write(map[string]string{"go.mod": mod, "main.go": "package main\n\nfunc main() {}\n"}), "is a program"},
		"no framework":    {write(map[string]string{"go.mod": mod, "f.go": "package f\n"}), "no package of the module imports " + framework},
		"does not parse":  {write(map[string]string{"go.mod": mod, "f.go": "package f\nimport {\n"}), "f.go"},
		"bad go.mod":      {write(map[string]string{"go.mod": "modul x\n", "f.go": "package f\n"}), "unknown directive"},
		"missing require": {write(map[string]string{"go.mod": mod, "f.go": "package f\nimport _ \"" + framework + "\"\n"}), "no required module"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := BuildArchive(t.Context(), test.dir)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestWithoutTheGoCommandTheErrorSaysHowToGetIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := BuildArchive(t.Context(), labSource)
	if err == nil || !strings.Contains(err.Error(), "install Go") {
		t.Errorf("error %v", err)
	}
}

func TestArchiveThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "noise")
	noise := make([]byte, 1<<20)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223 // does not compress
		noise[i] = byte(x >> 24)
	}
	if err := os.WriteFile(path, noise, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pack(map[string]string{"vendor/big/noise.go": path, "f.go": path}, 1<<20)
	if err == nil || !strings.Contains(err.Error(), "vendor/big (1.0 MB)") {
		t.Errorf("error %v", err)
	}
}

func TestBuildingLeavesTheSourceAlone(t *testing.T) {
	t.Parallel()
	dir := copyLab(t)
	before := tree(t, dir)
	if _, err := BuildArchive(t.Context(), filepath.Join(dir, "functions")); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, tree(t, dir)); d != "" {
		t.Errorf("the source changed:\n%s", d)
	}
}

// copyLab copies testdata/lab to a folder of the test.
func copyLab(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/lab")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tree is the content of all files below a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// unzip writes an archive into a folder and returns its files.
func unzip(t *testing.T, b []byte, dir string) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	var names []string
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(body)
		names = append(names, f.Name)
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("files are not sorted: %v", names)
	}
	return files
}
