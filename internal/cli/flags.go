package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"peerlab.example/peerlab/internal/node"
)

// common are the flags that every role has.
type common struct {
	security  node.SecurityConfig
	logLevel  string
	logFormat string
	logFile   string
}

func (c *common) add(cmd *cobra.Command, level string) {
	f := cmd.Flags()
	f.StringVar(&c.logLevel, "log-level", level, "lowest level of the log on standard error: trace, debug, info, warn, error, disabled")
	f.StringVar(&c.logFormat, "log-format", "auto", "auto (console on a terminal, else json), json or console")
	f.StringVar(&c.logFile, "log-file", "", "append the log to this file too")
	f.StringVar(&c.security.TokenFile, "token-file", "", "file with the secret of the lab: calls carry it, and gossip is encrypted with a key derived from it")
	f.StringVar(&c.security.CertFile, "tls-cert", "", "PEM certificate of this node's gRPC server")
	f.StringVar(&c.security.KeyFile, "tls-key", "", "PEM key of the certificate")
	f.StringVar(&c.security.CAFile, "tls-ca", "", "PEM certificates to verify others with; with it, servers demand client certificates")
	f.BoolVar(&c.security.Insecure, "insecure", false, "allow to bind addresses that other machines can reach without TLS and token")
}

// logs opens the log on w, which is a terminal or not.
func (c *common) logs(w io.Writer, terminal bool) (*node.Logs, error) {
	l, err := node.NewLogs(w, c.logFormat, c.logLevel, terminal, terminal && wantColor())
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	if c.logFile != "" {
		if err := l.ToFile(c.logFile); err != nil {
			return nil, exit{exitUsage, err}
		}
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
