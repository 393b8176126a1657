package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/sockaddr"
)

// Build builds the guest of a program, which is named by its import path, with the Go toolchain. The working directory must
// be inside the program's module.
func Build(ctx context.Context, program, file string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(file), "build-")
	if err != nil {
		return fmt.Errorf("build the guest of the simulation: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	b, err := prepare(ctx, program, tmp)
	if err != nil {
		return err
	}
	out, err := b.build(ctx)
	if err != nil {
		return err
	}
	if err := os.Rename(out, file); err != nil {
		return fmt.Errorf("build the guest of the simulation: %w", err)
	}
	return nil
}

// builder builds the guest of a program that is known to be there.
type builder struct {
	program string
	root    string // of the module around the working directory
	mod     string // what is built with instead of its go.mod
	tmp     string
}

// prepare finds the toolchain and the source of the program, which is quick: who is about to say that a build takes long knows then that there
// will be one. tmp is an empty folder, which the caller deletes when the guest is where it belongs.
func prepare(ctx context.Context, program, tmp string) (*builder, error) {
	if program == "" || program == "command-line-arguments" {
		return nil, errors.New("the guest of the simulation cannot be built: this program does not know its package; build it by its import path, not by files")
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	mod, err := Modfile(root, tmp)
	if err != nil {
		return nil, fmt.Errorf("build the guest of the simulation: %w", err)
	}
	b := &builder{program: program, root: root, mod: mod, tmp: tmp}
	return b, b.run(ctx, "list", "-find", "-modfile="+mod, program)
}

// build returns the path of the guest, in the folder that prepare was given.
func (b *builder) build(ctx context.Context) (string, error) {
	out := filepath.Join(b.tmp, guestFile)
	return out, b.run(ctx, "build", "-modfile="+b.mod, "-trimpath", "-ldflags=-s -w", "-o", out, b.program)
}

func (b *builder) run(ctx context.Context, args ...string) error {
	cmd := goCommand(ctx, args...)
	cmd.Dir = b.root
	cmd.Env = Environ(os.Environ())
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the guest of the simulation: %w\n%s\n%s", err, bytes.TrimSpace(text), hint(b.program))
	}
	return nil
}

// Environ is an environment in which go builds a guest.
func Environ(environ []string) []string {
	return append(environ, "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
}

func hint(program string) string {
	return fmt.Sprintf("the working directory must be in the module of %s; or give a guest with --guest", program)
}

// moduleRoot is the folder of the module around the working directory.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := goCommand(ctx, "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("this program was built without the guest of its simulation, and there is no Go to build it with: %w; install Go, or take a program that `task build` built", err)
	}
	mod := string(bytes.TrimSpace(out))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("this program was built without the guest of its simulation, which can be built only where its source is: run it in its module, or take a program that `task build` built")
	}
	return filepath.Dir(mod), nil
}

// goCommand is a run of the go command that ends with ctx.
func goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the toolchain of the user, with arguments of ours
	cmd.WaitDelay = time.Second
	return cmd
}

// Modfile writes a mod file into dir with which the module at root can be built for wasip1: that module's own, with one
// dependency replaced that does not build there. It returns its path; the sums, if there are any, are beside it.
func Modfile(root, dir string) (string, error) {
	replacement := filepath.Join(dir, "sockaddr")
	if err := os.Mkdir(replacement, 0o700); err != nil {
		return "", err
	}
	files, err := fs.ReadDir(sockaddr.Source, ".")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		data, err := sockaddr.Source.ReadFile(f.Name())
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(replacement, f.Name()), data, 0o600); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(replacement, "go.mod"), []byte("module "+sockaddr.Module+"\n\ngo 1.24\n"), 0o600); err != nil {
		return "", err
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	mod = append(mod, "\nreplace "+sockaddr.Module+" => "+strconv.Quote(replacement)+"\n"...)
	path := filepath.Join(dir, "guest.mod")
	if err := os.WriteFile(path, mod, 0o600); err != nil {
		return "", err
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if errors.Is(err, fs.ErrNotExist) { // a module that depends on nothing has none; of another one, go says which sums it misses
		return path, nil
	}
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(strings.TrimSuffix(path, "mod")+"sum", sums, 0o600)
}
