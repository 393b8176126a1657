package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/report"
)

// stepRounds is how many steps are timed of each kind: enough for a 99th percentile.
const stepRounds = 1000

// BenchmarkSteps is what the coordinator adds to commands at peers that are processes, all through the command line: an
// operation is a run of a suite with 1,000 steps of a command that does nothing but write one word at one peer, and 1,000
// at all of them. The times are those of the run's report. They are taken twice, as what the peers do meanwhile counts:
// before they join, and with a group whose gossip goes on.
func BenchmarkSteps(b *testing.B) {
	path := buildBinary(b)
	for _, n := range []int{1, 10, 50} {
		for _, joined := range []bool{false, true} {
			b.Run(fmt.Sprintf("peers=%d/joined=%t", n, joined), func(b *testing.B) { benchmarkSteps(b, path, n, joined) })
		}
	}
}

func benchmarkSteps(b *testing.B, path string, n int, joined bool) {
	times := map[string][]time.Duration{}
	spans := map[string]time.Duration{}
	for b.Loop() {
		run := runForReport(b, path, stepsSuite(n, joined))
		for _, s := range run.Steps {
			if strings.HasPrefix(s.Text, "p1 echo") || strings.HasPrefix(s.Text, "all echo") {
				times[s.Section] = append(times[s.Section], s.Duration)
			}
		}
		for _, s := range run.Sections {
			spans[s.Title] += s.Duration
		}
	}
	for _, what := range []string{"one", "all"} {
		took := times[what]
		if len(took) == 0 || len(took)%stepRounds != 0 {
			b.Fatalf("%d steps %s", len(took), what)
		}
		slices.Sort(took)
		b.ReportMetric(ms(took[len(took)/2]), what+"-p50-ms")
		b.ReportMetric(ms(took[len(took)*99/100]), what+"-p99-ms")
		b.ReportMetric(float64(len(took))/spans[what].Seconds(), what+"-steps/s")
	}
}

// stepsSuite is the suite of benchmarkSteps. Its first rounds are in a section of their own that is not counted.
func stepsSuite(n int, joined bool) string {
	var s strings.Builder
	fmt.Fprintf(&s, "peers p[1..%d]\n", n)
	if joined {
		fmt.Fprintf(&s, "all init\nexpect all within 1m members alive = %d\n", n)
	}
	s.WriteString("section \"first\"\nrepeat 20\n  all echo x\nend\n")
	for _, who := range [][2]string{{"one", "p1"}, {"all", "all"}} {
		fmt.Fprintf(&s, "section %q\nrepeat %d\n  %s echo x\nend\n", who[0], stepRounds, who[1])
	}
	return s.String()
}

// runForReport runs a suite with processes, and returns what its report says.
func runForReport(b *testing.B, path, suite string, flags ...string) *report.Run {
	b.Helper()
	dir := b.TempDir()
	file := filepath.Join(dir, "bench.lab")
	if err := os.WriteFile(file, []byte(suite), 0o600); err != nil {
		b.Fatal(err)
	}
	args := append([]string{"coordinator", "run", "--report", filepath.Join(dir, "report")}, flags...)
	if out, err := exec.Command(path, append(args, file)...).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report", "run.json"))
	if err != nil {
		b.Fatal(err)
	}
	var run report.Run
	if err := json.Unmarshal(text, &run); err != nil {
		b.Fatal(err)
	}
	events, err := os.Open(filepath.Join(dir, "report", "events.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	defer events.Close()
	if run.Events, err = report.ReadEvents(events); err != nil {
		b.Fatal(err)
	}
	return &run
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
