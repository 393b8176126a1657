package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browse opens a page in a browser of its own.
func browse(t *testing.T, where string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // not the test's, which ends before the browser can
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits for the browser to end
			t.Logf("end of the browser: %v", err)
		}
		end()
		stop()
	})
	if _, err := chromedp.Run(ctx, chromedp.Navigate(where)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// TestBrowserWatchesARealRun has a page follow a run of real peers, from its first step to its verdict.
func TestBrowserWatchesARealRun(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes seconds to start")
	}
	need(t, "chromium", "a browser looks at the page (Debian: apt-get install chromium)")
	t.Parallel()
	file := filepath.Join(t.TempDir(), "one.lab")
	write := func(suite string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(suite), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The first run is there before the browser; it comes to the second by itself.
	write("suite \"the first\"\nalice echo hi\n")
	ctx := browse(t, serveRuns(t, file))
	see := func(js string) {
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil { // a page that loads again interrupts what was asked
			if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](js)); err == nil && ok {
				return
			}
			<-tick.C
		}
		t.Fatalf("never seen: %s", js)
	}
	see(`document.querySelector("h1").textContent === "the first" && document.querySelector("#verdict").textContent === "✓ passed"`)
	write(`suite "watched"
peers alice bob carol
all init
expect all within 10s members alive = 3
bob msg "<img src=x onerror=alert(1)>"
lab freeze carol
alice within 60s sleep 10s &
expect alice,bob within 60s members lost = 1
wait
lab kill carol
lab sleep 10s
`)
	const row = `(line) => [...document.querySelectorAll("tr.step")].find(r => r.cells[3].textContent === line)?.dataset.status`
	see(`(` + row + `)("7") === "running" && document.querySelector("#verdict").textContent === "▸ running"`)
	see(`/1 frozen/.test(document.querySelector("#now").textContent) && /waits for alice/.test(document.querySelector("#now").textContent)`)
	see(`document.querySelectorAll("#diagram .origin").length >= 1 && document.querySelectorAll("#diagram .band").length >= 1`)
	see(`[...document.querySelectorAll("#matrix td")].some(c => c.textContent === "X")`)
	see(`(` + row + `)("11") === "running" && (` + row + `)("7") === "passed" && /1 killed/.test(document.querySelector("#now").textContent)`)
	see(`document.querySelectorAll("#diagram .mark-kill").length === 1 && document.querySelectorAll("img").length === 0`)
	see(`document.querySelector("#verdict").textContent === "✓ passed" && document.querySelectorAll("tr.step").length === 9 && !document.querySelector("#now").checkVisibility()`)
}

// serveRuns serves the runs of a suite until the end of the test, and returns where.
func serveRuns(t *testing.T, file string) string {
	t.Helper()
	var output lockedBuffer
	cmd := exec.Command("peerlab", "coordinator", "serve", "--watch", file)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), homeAt(filepath.Dir(file))...), &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the coordinator wrote\n%s", output.String())
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1500 { // half a minute
		if at := url.FindString(output.String()); at != "" {
			return at + "/"
		}
		<-tick.C
	}
	t.Fatal("no address was told")
	return ""
}
