package cli

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/node"
)

// common are the settings that every role has.
type common struct {
	security      node.SecurityConfig
	logLevel      string
	logFormat     string
	logFile       string
	logComponents map[string]string
	components    []string // those of the role's log
	operators     bool     // whether the role knows operators
	logColor      string   // auto, always or never; empty is auto
}

// add gives a command that has no other settings those of every role, from flags and environment.
func (c *common) add(cmd *cobra.Command, level string) {
	addSettings(cmd, newTable("peerlab "+cmd.Name(), c.fields(level), nil), func(v config.Values) error { c.fill(v); return nil })
}

// fields are the common settings; level is the role's default of the log, and components are what its log has.
func (c *common) fields(level string, components ...string) []config.Field {
	c.components = components
	return lab.CommonFields(level, c.operators, components...)
}

// fill takes the values of fields.
func (c *common) fill(v config.Values) {
	c.logLevel, c.logFormat, c.logFile = v.Get("log-level"), v.Get("log-format"), v.Get("log-file")
	if len(c.components) > 0 {
		c.logComponents = config.ParseLevels(v.Get("log-components"))
	}
	c.security = node.SecurityConfig{
		CertFile: v.Get("tls-cert"), KeyFile: v.Get("tls-key"), CAFile: v.Get("tls-ca"), CAKeyFile: v.Get("tls-ca-key"),
		TokenFile: v.Get("token-file"), Insecure: v.Get("insecure") == "true",
	}
	if c.operators {
		c.security.OperatorTokenFile = v.Get("operator-token-file")
	}
}

// logs opens the log on w, which is a terminal or not.
func (c *common) logs(w io.Writer, terminal bool) (*node.Logs, error) {
	l, err := node.NewLogs(w, c.logFormat, c.logLevel, terminal, colored(c.logColor, terminal), c.components...)
	if err == nil {
		err = l.SetComponentLevels(c.logComponents)
	}
	if err == nil && c.logFile != "" {
		err = l.ToFile(c.logFile)
	}
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	return l, nil
}

func (c *common) load() (*node.Security, error) {
	s, err := node.LoadSecurity(c.security)
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	return s, nil
}

// isTerminal reports whether it is a terminal, or something that writes to one.
func isTerminal(w any) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantColor follows https://no-color.org.
func wantColor() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// exclusive refuses flags that exclude each other, before the command runs.
func exclusive(cmd *cobra.Command, names ...string) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		var set []string
		for _, name := range names {
			if cmd.Flags().Changed(name) {
				set = append(set, "--"+name)
			}
		}
		if len(set) > 1 {
			return exit{exitUsage, fmt.Errorf("%s exclude each other", strings.Join(set, " and "))}
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

// stateDir is the folder of peerlab in the user's state directory (XDG Base Directory Specification).
func stateDir() (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no state directory: %w; set XDG_STATE_HOME", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	dir := filepath.Join(base, "peerlab")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	return dir, nil
}

// hostOf is the host of host:port; empty for what is none.
func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	return host
}
