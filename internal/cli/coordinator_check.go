package cli

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/testcoord"
)

func newCoordinatorCheck(std Stdio, apps []func() app.App) *cobra.Command {
	var opt testcoord.ParseOptions
	var set []string
	cmd := &cobra.Command{
		Use:   "check SUITE|FOLDER…",
		Short: "check suites against the table of commands, without running them",
		Long: "Reads suites and all that they include, and tells all that is wrong with them at once: each mistake with its place. Nothing is\n" +
			"started. Exit code: 0 nothing is wrong, 2 something is.",
		Example: "  peerlab coordinator check examples\n" +
			"  peerlab coordinator check --runner netns --set n=50 my.lab",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, paths []string) (err error) {
			if !slices.Contains(testcoord.Runners(), opt.Runner) {
				return exit{exitUsage, fmt.Errorf("--runner %q: is none of %s", opt.Runner, strings.Join(testcoord.Runners(), ", "))}
			}
			if opt.Params, err = params(set); err != nil {
				return err
			}
			files, err := suiteFiles(paths)
			if err != nil {
				return err
			}
			opt.Read = os.ReadFile
			suites, err := parseSuites(std, apps, files, opt)
			for _, s := range suites {
				_, _ = fmt.Fprintf(std.Out, "%s: %s, %s\n", s.File, counted(len(s.Peers), "peer"), counted(s.Lines(), "step"))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&opt.Runner, "runner", "process", "check also that this runner can do what the suites want: "+strings.Join(testcoord.Runners(), ", "))
	cmd.Flags().StringArrayVar(&set, "set", nil, "NAME=VALUE: the value of a param; may be repeated")
	return cmd
}

// params reads the NAME=VALUE of --set.
func params(set []string) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range set {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, exit{exitUsage, fmt.Errorf("--set %q: must be NAME=VALUE", s)}
		}
		out[name] = value
	}
	return out, nil
}

// readOnce reads files, and each of them once: what is simulated is what was checked, and a pipe has no more to give.
type readOnce struct {
	mu    sync.Mutex
	files map[string][]byte // guarded by mu; by path
}

func (r *readOnce) file(path string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if data, ok := r.files[path]; ok {
		return data, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if r.files == nil {
		r.files = map[string][]byte{}
	}
	r.files[path] = data
	return data, nil
}

// parseSuites reads all files before anything is started, and prints all errors of all.
func parseSuites(std Stdio, apps []func() app.App, files []string, opt testcoord.ParseOptions) ([]*testcoord.Suite, error) {
	table, err := lab.Table(apps)
	if err != nil {
		return nil, err
	}
	opt.Table = table
	var suites []*testcoord.Suite
	failed := false
	for _, file := range files {
		src, err := opt.Read(file)
		if err != nil {
			return suites, exit{exitUsage, fmt.Errorf("suite: %w", err)}
		}
		suite, err := testcoord.ParseWith(file, src, opt)
		if err != nil {
			_, _ = fmt.Fprintln(std.Err, err)
			failed = true
			continue
		}
		suites = append(suites, suite)
	}
	if failed {
		return suites, exit{code: exitUsage}
	}
	return suites, nil
}

// facts are what conditions of suites may ask of this system.
func facts() []string {
	var out []string
	if runtime.GOOS == "linux" {
		out = append(out, "linux")
	}
	if os.Geteuid() == 0 {
		out = append(out, "root")
	}
	return out
}

func newCoordinatorFmt(std Stdio) *cobra.Command {
	var write, check bool
	cmd := &cobra.Command{
		Use:   "fmt SUITE|FOLDER…",
		Short: "align the second column of suites, and change nothing else",
		Long: "Writes the suites to the standard output as they should be. With -w the files are changed, with --check only those are named that\n" +
			"would change. Exit code: 0, with --check 1 when a file would change, 2 when one cannot be read.",
		Example: "  peerlab coordinator fmt -w examples\n" +
			"  peerlab coordinator fmt --check examples",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, paths []string) error {
			files, err := suiteFiles(paths)
			if err != nil {
				return err
			}
			differ := false
			for _, file := range files {
				changed, err := formatFile(std, file, write, check)
				if err != nil {
					return err
				}
				differ = differ || changed
			}
			if check && differ {
				return exit{code: exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&write, "write", "w", false, "change the files")
	cmd.Flags().BoolVar(&check, "check", false, "name the files that would change, and fail if there are any")
	exclusive(cmd, "write", "check")
	return cmd
}

// formatFile reports whether the file is, or was, other than it should be.
func formatFile(std Stdio, file string, write, check bool) (changed bool, err error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return false, exit{exitUsage, fmt.Errorf("suite: %w", err)}
	}
	formatted := testcoord.Format(src)
	changed = !bytes.Equal(src, formatted)
	switch {
	case check && changed:
		_, err = fmt.Fprintln(std.Out, file)
	case check || write && !changed:
	case write:
		if err = replaceFile(file, formatted); err != nil {
			err = fmt.Errorf("format %s: %w", file, systemSays(err))
		}
	default:
		_, err = std.Out.Write(formatted)
	}
	return changed, err
}
