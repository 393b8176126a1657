package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/config"
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
	text := func(key, summary string) config.Field {
		return config.Field{Key: key, Kind: app.File, Summary: summary, Live: config.AtStart, Group: "security"}
	}
	fields := []config.Field{
		{
			Key: "log-level", Kind: app.Enum, Values: node.LogLevels, Default: level, Live: config.Always, Group: "log",
			Summary: "lowest level of the log on standard error",
		},
		{
			Key: "log-format", Kind: app.Enum, Values: node.LogFormats, Default: "auto", Live: config.AtStart, Group: "log",
			Summary: "how lines of the log are written; auto is console on a terminal, else json",
		},
		{Key: "log-file", Kind: app.File, Live: config.Always, Group: "log", Summary: "append the log to this file too"},
	}
	if len(components) > 0 {
		fields = append(fields, config.Field{
			Key: "log-components", Kind: config.Levels, Names: components, Values: node.LogLevels, Live: config.Always, Group: "log",
			Summary: "levels of single components, such as " + components[0] + "=debug; there are " + strings.Join(components, ", "),
		})
	}
	fields = append(fields,
		text("token-file", "file with the secret of the lab: calls carry it, and gossip is encrypted with a key derived from it"))
	if c.operators {
		fields = append(fields,
			text("operator-token-file", "file with the secret of operators, who alone may reset a roster or change its configuration when there is a token"))
	}
	return append(fields,
		text("tls-cert", "PEM certificate of this node's gRPC server"),
		text("tls-key", "PEM key of the certificate"),
		text("tls-ca", "PEM certificates to verify others with; with it, servers demand client certificates"),
		config.Field{
			Key: "insecure", Kind: app.Bool, Default: "false", Live: config.AtStart, Group: "security",
			Summary: "allow to bind addresses that other machines can reach without TLS and token",
		},
	)
}

// fill takes the values of fields.
func (c *common) fill(v config.Values) {
	c.logLevel, c.logFormat, c.logFile = v.Get("log-level"), v.Get("log-format"), v.Get("log-file")
	if len(c.components) > 0 {
		c.logComponents = config.ParseLevels(v.Get("log-components"))
	}
	c.security = node.SecurityConfig{
		CertFile: v.Get("tls-cert"), KeyFile: v.Get("tls-key"), CAFile: v.Get("tls-ca"),
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

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantColor follows https://no-color.org.
func wantColor() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

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
