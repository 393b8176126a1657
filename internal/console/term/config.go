package term

import "peerlab.example/peerlab/internal/console"

// Config is what a prompt works with.
type Config struct {
	// Backend runs and completes the lines.
	Backend console.Backend
	// Output is where lines of the process go; while the prompt is open, above it.
	Output *console.Output
	// Prefix is what stands in front of the line; asked anew for each frame.
	Prefix func() string
	// History are the lines typed before, and gets those typed now.
	History *console.History
}
