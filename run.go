//go:build !wasip1

package peerlab

import (
	"context"
	"os"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/cli"
)

func run(args []string, apps []func() app.App) int {
	return cli.Run(context.Background(), args, cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, apps)
}
