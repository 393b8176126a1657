package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/bootstrap/function"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
)

// newFunctionsServe runs the function in this process, for trying out before it is deployed.
func newFunctionsServe(std Stdio) *cobra.Command {
	var listen, store string
	var stream bool
	c := common{operators: true}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the function locally",
		Long: "Runs the handler that the platform runs, over Firestore. It keeps nothing but its client, drops ended leases only\n" +
			"when somebody looks, and leaves Watch to polling. " + function.EnvEmulator + "=HOST:PORT names an emulator; without it,\n" +
			"Firestore is Google's, with the default credentials of this machine.",
		Example: "  FIRESTORE_EMULATOR_HOST=127.0.0.1:8080 peerlab functions serve --store firestore://my-project/labs\n" +
			"  peerlab peer --bootstrap http://127.0.0.1:7780",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveFunction(cmd.Context(), std, &c, listen, store, stream)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:7780", "host:port of HTTP/JSON; port 0 means any")
	cmd.Flags().StringVar(&store, "store", "", "firestore://PROJECT/COLLECTION")
	cmd.Flags().BoolVar(&stream, "stream", false, "let Watch stream, as "+function.EnvStream+" does")
	c.add(cmd, "info")
	return cmd
}

func serveFunction(ctx context.Context, std Stdio, c *common, listen, store string, stream bool) (err error) {
	logs, err := c.logs(std.Err, isTerminal(std.Err))
	if err != nil {
		return err
	}
	security, err := c.load()
	if err != nil {
		return err
	}
	config, err := firestore.Parse(store)
	if err != nil {
		return exit{exitUsage, fmt.Errorf("--store: %w", err)}
	}
	config.Log, config.Endpoint = logs.Logger(), os.Getenv(function.EnvEmulator)
	f := function.New(function.Config{Open: function.Over(config), Security: security, Stream: stream, Log: logs.Logger()})
	defer func() { err = errors.Join(err, f.Close()) }()
	ctx, stop := untilSignal(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	server, err := node.StartHTTP(ctx, network.System(), security, "--listen", listen, f, logs.Logger())
	if err != nil {
		return bindError(err)
	}
	_, _ = fmt.Fprintf(std.Out, "the function serves on %s, HTTP/JSON at %s\n", server.Addr(), server.URL())
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpGrace)
	defer cancel()
	return server.Close(end)
}
