package report

import (
	"bytes"
	"io"
	"testing"
)

// BenchmarkPage is a page of 100 peers and 100,000 events: its size, and the time of writing.
func BenchmarkPage(b *testing.B) {
	r := churnRun(100_000)
	var page bytes.Buffer
	for b.Loop() {
		page.Reset()
		if err := WritePage(&page, r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(page.Len()), "bytes/page")
}

func BenchmarkEvents(b *testing.B) {
	r := churnRun(100_000)
	for b.Loop() {
		if err := WriteEvents(io.Discard, r.Events); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLiveEvent(b *testing.B) {
	l := NewLive()
	r := churnRun(10_000)
	for i := 0; b.Loop(); i++ {
		if i%PageEvents == 0 {
			l.Begin(&Run{Suite: "x"})
		}
		l.Event(r.Events[i%len(r.Events)])
	}
}

// BenchmarkBrowser is the time from asking for that page, a file, until all of it is drawn.
func BenchmarkBrowser(b *testing.B) {
	url := pageOf(b, churnRun(100_000))
	page := openTab(b, 1400, 900)
	for b.Loop() {
		page.open(url)
	}
}
