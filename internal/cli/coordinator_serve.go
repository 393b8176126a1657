package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/report"
)

// uiFlags say whether the runs are shown in browsers.
type uiFlags struct {
	addr string // host:port; empty for nowhere
	stay bool   // until somebody ends it
}

func newCoordinatorServe(std Stdio, apps []func() app.App) *cobra.Command {
	f := runFlags{ui: uiFlags{stay: true}}
	cmd := &cobra.Command{
		Use:   "serve SUITE|FOLDER…",
		Short: "run suites, and show the runs in a browser while they go on",
		Long: "Runs suites as \"peerlab coordinator run\" does, with the same flags, and serves the page of the report while a run goes on;\n" +
			"of several runs, a page each and a list of them. The pages can only be looked at. They stay after the end until Ctrl-C;\n" +
			"the exit code is that of the runs.",
		Example: "  peerlab coordinator serve --ui 127.0.0.1:7790 examples/first.lab\n" +
			"  peerlab coordinator serve --watch examples/first.lab\n" +
			"  peerlab coordinator serve --repeat 20 --keep-going examples",
	}
	return runCommand(cmd, std, &f, apps, "127.0.0.1:0")
}

func (f *uiFlags) add(cmd *cobra.Command, addr string) {
	cmd.Flags().StringVar(&f.addr, "ui", addr, "host:port where browsers see the runs while they go on; port 0 means any")
}

// check refuses an address before anything is started.
func (f *uiFlags) check(s *node.Security) error {
	if f.addr == "" {
		if f.stay {
			return exit{exitUsage, errors.New("--ui: where to serve the pages? --ui 127.0.0.1:7790")}
		}
		return nil
	}
	if err := s.CheckBind("--ui", f.addr); err != nil {
		return exit{exitUsage, err}
	}
	return nil
}

// ui is a server of the site of an audience.
type ui struct {
	site   *report.Site
	server *node.HTTPServer
}

// startUI serves pages; they show nothing yet.
func startUI(ctx context.Context, f *uiFlags, s *node.Security, log zerolog.Logger) (*ui, error) {
	u := &ui{}
	var encrypted atomic.Bool
	host, _, _ := net.SplitHostPort(f.addr) // it was checked
	u.site = report.NewSite(func(name string) bool {
		// Whoever has the browser's trust by a certificate is who it asked for, by whatever name.
		return encrypted.Load() || ownName(host, name)
	})
	server, err := node.StartHTTP(ctx, network.System(), s, "--ui", f.addr, s.GuardPages(u.site), log)
	if err != nil {
		return nil, bindError(fmt.Errorf("--ui: %w", err))
	}
	u.server = server
	encrypted.Store(strings.HasPrefix(server.URL(), "https:"))
	return u, nil
}

// ownName reports whether a page that is bound to a host may be asked for by a name. Names that others control must
// not be among them; an address is nobody's name.
func ownName(bound, name string) bool {
	if ip, err := netip.ParseAddr(bound); bound == "localhost" || err == nil && ip.IsLoopback() {
		return false // none beside those of the loopback interface
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	own, err := os.Hostname()
	return strings.EqualFold(name, bound) || err == nil && strings.EqualFold(name, own)
}

// uiGrace is how long a page that is just being sent may take when the server ends.
const uiGrace = 2 * time.Second

// Close ends all streams and the server.
func (u *ui) Close() error {
	u.site.Close()
	ctx, cancel := context.WithTimeout(context.Background(), uiGrace)
	defer cancel()
	return u.server.Close(ctx)
}

// stay keeps the pages up after the runs, until ctx ends. What went wrong is told before, since nobody would wait for it; err
// is that of the runs, and so is what stay returns.
func (s *session) stay(ctx context.Context, err error) error {
	var e exit
	if interrupted(ctx) != nil || errors.As(err, &e) && e.code == exitUsage {
		return err
	}
	if err != nil && (!errors.As(err, &e) || e.err != nil) {
		_, _ = fmt.Fprintln(s.std.Err, "peerlab: error:", command.Clean(err.Error()))
		if e.err = nil; e.code == 0 {
			e.code = exitFailed
		}
		err = e
	}
	_, _ = fmt.Fprintf(s.std.Out, "the runs stay at %s/ until Ctrl-C\n", s.ui.server.URL())
	<-ctx.Done()
	return err
}
