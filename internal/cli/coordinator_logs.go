package cli

import (
	"io"
	"path/filepath"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/report"
)

// writeEventLogs writes what each peer has logged, as far as the coordinator knows, as JSON lines: NAME.events.jsonl, a file for each peer in any
// runner. The folder exists; without one, nothing is written.
func writeEventLogs(dir string, peers []string, known invariant.Log) error {
	if dir == "" {
		return nil
	}
	of := map[string][]invariant.Entry{}
	for _, e := range known.Entries {
		of[e.Peer] = append(of[e.Peer], e)
	}
	for _, name := range peers {
		events := alignedEvents(invariant.Log{Entries: of[name]})
		err := writeTo("--logs", filepath.Join(dir, name+".events.jsonl"), func(w io.Writer) error { return report.WriteEvents(w, events) })
		if err != nil {
			return err
		}
	}
	return nil
}
