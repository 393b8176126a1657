package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// framework is the package that the buildpack's main function imports. It must be among the vendored ones:
// https://cloud.google.com/functions/docs/writing/specifying-dependencies-go.
const framework = "github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

// BuildArchive makes the archive of the module in a folder. It needs the Go toolchain, and the network where modules are
// not in the module cache yet. The folder is only read.
//
// The archive has the module's Go files without tests, the files they embed, go.mod and go.sum, and vendor/. With a
// vendor folder the buildpack downloads nothing and "go build" uses that folder alone, so that a replace directive in
// go.mod may point to a folder that is not in the archive, as long as vendor/modules.txt repeats it:
// https://cloud.google.com/functions/docs/writing/specifying-dependencies-go and https://go.dev/ref/mod#vendoring.
func BuildArchive(ctx context.Context, folder string) (*Archive, error) {
	s, err := openSource(folder)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "peerlab-deploy-")
	if err != nil {
		return nil, fmt.Errorf("folder for the archive: %w", err)
	}
	a, err := s.build(ctx, tmp)
	if removed := os.RemoveAll(tmp); removed != nil {
		err = errors.Join(err, fmt.Errorf("folder of the archive: %w", removed))
	}
	if err != nil {
		return nil, fmt.Errorf("archive of %s: %w", folder, err)
	}
	return a, nil
}

// source is a module that is to be archived.
type source struct {
	dir   string            // absolute
	goCmd string            // path of the go command
	files map[string]string // Go files for the archive: path in it, place on disk
	tests []string          // absolute paths of the tests, which are left out
}

// openSource looks at the folder without running anything.
func openSource(folder string) (*source, error) {
	dir, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("--source %s: %w", folder, err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // as the go command names folders
		return nil, fmt.Errorf("--source %s: no such folder: give that of the functions module, such as functions/ in a checkout of peerlab", folder)
	}
	if info, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("--source %s is no Go module: it has no go.mod; give the folder of the functions module, such as functions/ in a checkout of peerlab", folder)
	}
	s := &source{dir: dir, files: map[string]string{}}
	s.goCmd, err = exec.LookPath("go")
	if err != nil {
		return nil, errors.New("the go command is not in PATH, and the archive of the function is made with it: install Go from https://go.dev/dl")
	}
	return s, s.collect()
}

// collect finds the Go files of the module, and its tests.
func (s *source) collect() error {
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if path != s.dir && (nested == nil || name == "vendor" || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		switch {
		case !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_"):
		case strings.HasSuffix(name, "_test.go"):
			s.tests = append(s.tests, path)
		default:
			return s.add(path)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("--source: %w", err)
	}
	return nil
}

// add puts a file of the module into the archive.
func (s *source) add(path string) error {
	inside, err := filepath.Rel(s.dir, path)
	if err != nil {
		return err
	}
	s.files[filepath.ToSlash(inside)] = path
	return nil
}

// build makes the archive with tmp as its workshop.
func (s *source) build(ctx context.Context, tmp string) (*Archive, error) {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, test := range s.tests {
		overlay.Replace[test] = "" // as if it were not there, so that what only tests import is not vendored
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		return nil, err
	}
	overlayFile := filepath.Join(tmp, "overlay.json")
	if err := os.WriteFile(overlayFile, b, 0o600); err != nil {
		return nil, err
	}
	// With files of its own for go.mod and go.sum, the go command never writes into the source.
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(s.dir, name))
		if errors.Is(err, fs.ErrNotExist) && name == "go.sum" {
			continue // a module without dependencies has none
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(tmp, name), b, 0o600)
		}
		if err != nil {
			return nil, err
		}
		s.files[name] = filepath.Join(s.dir, name)
	}
	flags := []string{"-modfile=" + filepath.Join(tmp, "go.mod"), "-overlay=" + overlayFile}
	version, err := s.inspect(ctx, flags)
	if err != nil {
		return nil, err
	}
	vendor := filepath.Join(tmp, "vendor")
	if _, err := s.run(ctx, append([]string{"mod", "vendor", "-o", vendor}, flags...)...); err != nil {
		return nil, err
	}
	if err := s.addVendor(vendor); err != nil {
		return nil, err
	}
	a, err := pack(s.files, maxArchive)
	if err != nil {
		return nil, err
	}
	a.GoVersion = version
	return a, nil
}

// goPackage is what "go list -json" tells of a package.
type goPackage struct {
	Dir, ImportPath, Name string
	EmbedFiles, Deps      []string
	Module                struct{ GoVersion string }
}

// inspect checks that the module is one that the buildpack can build, adds the files that it embeds, and
// returns the version of Go that it needs.
func (s *source) inspect(ctx context.Context, flags []string) (string, error) {
	args := append([]string{"list", "-mod=readonly", "-json=Dir,ImportPath,Name,EmbedFiles,Deps,Module"}, flags...)
	out, err := s.run(ctx, append(args, "./...")...)
	if err != nil {
		return "", err
	}
	version, found, framed := "", false, false
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p goPackage
		if err := decoder.Decode(&p); err != nil {
			return "", fmt.Errorf("go list: %w", err)
		}
		for _, file := range p.EmbedFiles {
			if err := s.add(filepath.Join(p.Dir, filepath.FromSlash(file))); err != nil {
				return "", err
			}
		}
		framed = framed || slices.Contains(p.Deps, framework)
		if p.Dir != s.dir {
			continue
		}
		found, version = true, p.Module.GoVersion
		if p.Name == "main" {
			return "", fmt.Errorf("package %s is a program: the folder of a function has a package that is not main, "+
				"which registers the function; give the folder of the functions module", p.ImportPath)
		}
	}
	switch {
	case !found:
		return "", errors.New("the folder has no Go package; give the folder of the functions module")
	case !framed:
		return "", fmt.Errorf("no package of the module imports %s, which the build needs among the vendored packages; "+
			"give the folder of the functions module, or add the import with a _ in front", framework)
	}
	return version, nil
}

// addVendor puts the vendored files into the archive.
func (s *source) addVendor(vendor string) error {
	return filepath.WalkDir(vendor, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		inside, err := filepath.Rel(filepath.Dir(vendor), path)
		if err != nil {
			return err
		}
		s.files[filepath.ToSlash(inside)] = path
		return nil
	})
}

// run runs the go command in the source, for the platform that functions run on.
func (s *source) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.goCmd, args...) //nolint:gosec // the go command, with arguments from here
	cmd.Dir = s.dir
	// What the user has set for building other things must not leak into the archive.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOOS=linux", "GOARCH=amd64", "PWD="+s.dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
