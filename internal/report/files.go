package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"peerlab.example/peerlab/internal/atomicfile"
)

// The files of a report.
const (
	FileRun    = "run.json"
	FileEvents = "events.jsonl"
	FileJUnit  = "junit.xml"
	FileTAP    = "report.tap"
	FilePage   = "report.html"
)

// Write writes all files of a report into dir, which is made when it is missing. A file is there in full or not
// at all, so that nobody reads half a page; one that cannot be written does not keep the others from it.
func Write(r *Run, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var errs []error
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{FileEvents, func(w io.Writer) error { return WriteEvents(w, InOrder(r.Events)) }},
		{FileRun, func(w io.Writer) error { return writeRun(w, r) }},
		{FileJUnit, func(w io.Writer) error { return WriteJUnit(w, r) }},
		{FileTAP, func(w io.Writer) error { return WriteTAP(w, r) }},
		{FilePage, func(w io.Writer) error { return WritePage(w, r) }},
	} {
		if err := writeFile(filepath.Join(dir, f.name), f.write); err != nil {
			errs = append(errs, fmt.Errorf("report: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Read reads a report from the files run.json and events.jsonl in dir.
func Read(dir string) (*Run, error) {
	text, err := os.ReadFile(filepath.Join(dir, FileRun))
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	r := &Run{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("report: %s: %w", FileRun, err)
	}
	f, err := os.Open(filepath.Join(dir, FileEvents))
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer f.Close()
	if r.Events, err = ReadEvents(f); err != nil {
		return nil, fmt.Errorf("report: %s: %w", FileEvents, err)
	}
	return r, nil
}

func writeRun(w io.Writer, r *Run) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// writeFile writes one of the files of a report.
func writeFile(path string, write func(io.Writer) error) error {
	return atomicfile.Write(path, 0o600, false, func(w io.Writer) error {
		if err := write(w); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		return nil
	})
}
