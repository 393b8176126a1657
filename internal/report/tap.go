package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"peerlab.example/peerlab/internal/command"
)

// WriteTAP writes a run as TAP version 14 (testanything.org/tap-version-14-specification.html): a test point for each step,
// problem and invariant, with a YAML diagnostic below it. Several runs are subtests of one document.
func WriteTAP(w io.Writer, runs ...*Run) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "TAP version 14")
	if len(runs) == 1 {
		tapRun(out, "", runs[0])
		return out.Flush()
	}
	fmt.Fprintf(out, "1..%d\n", len(runs))
	for i, r := range runs {
		name := tapText(orElse(r.Suite, r.File))
		fmt.Fprintf(out, "# Subtest: %s\n", name)
		tapRun(out, "    ", r)
		fmt.Fprintf(out, "%s %d - %s\n", tapVerdict(r.OK()), i+1, name)
	}
	return out.Flush()
}

func tapRun(out io.Writer, indent string, r *Run) {
	cases := r.cases()
	fmt.Fprintf(out, "%s1..%d\n", indent, len(cases))
	group := ""
	for i, c := range cases {
		if c.group != group {
			group = c.group
			fmt.Fprintf(out, "%s# %s\n", indent, tapText(group))
		}
		fmt.Fprintf(out, "%s%s %d - %s", indent, tapVerdict(c.status != Failed), i+1, tapText(c.name))
		if c.status == Skipped {
			fmt.Fprintf(out, " # SKIP %s", tapText(c.err))
		}
		fmt.Fprintln(out)
		tapDiagnostic(out, indent+"  ", c)
	}
}

// tapDiagnostic writes YAML whose strings are JSON strings, which YAML 1.2 reads as they are.
func tapDiagnostic(out io.Writer, indent string, c testCase) {
	if c.status == Skipped {
		return
	}
	fmt.Fprintf(out, "%s---\n%sduration_ms: %.3f\n", indent, indent, float64(c.duration.Nanoseconds())/1e6)
	if c.status == Failed {
		severity := "fail"
		if c.outside {
			severity = "error"
		}
		fmt.Fprintf(out, "%sseverity: %s\n%smessage: %s\n", indent, severity, indent, yamlText(c.err))
	}
	if c.line > 0 && c.status == Failed {
		fmt.Fprintf(out, "%sat:\n%s  file: %s\n%s  line: %d\n", indent, indent, yamlText(c.file), indent, c.line)
	}
	if len(c.details) > 0 {
		fmt.Fprintf(out, "%sdetails:\n", indent)
		for _, d := range c.details {
			fmt.Fprintf(out, "%s  - %s\n", indent, yamlText(d))
		}
	}
	fmt.Fprintf(out, "%s...\n", indent)
}

func tapVerdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "not ok"
}

// tapText is a description: on one line, and without a directive.
func tapText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `#`, `\#`).Replace(command.Clean(s))
}

func yamlText(s string) string {
	b, _ := json.Marshal(command.Clean(s)) // a string always has a form
	return string(b)
}
