package report

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// picturesEnv names a folder in which tests leave what they saw, for people to look at.
const picturesEnv = "PEERLAB_PICTURES"

// tab is a browser with one page, and what that page complained about or asked for.
type tab struct {
	t        testing.TB
	ctx      context.Context
	mu       sync.Mutex
	trouble  []string // guarded by mu
	requests []string // guarded by mu
}

// openTab starts a browser of its own, with a new folder for its data; both end with the test.
func openTab(t testing.TB, width, height int64) *tab {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds to start")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		const why = "no browser: there is no chromium in PATH (Debian: apt-get install chromium)"
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatal(why + ", and .ci/run installs it")
		}
		t.Skip(why)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // not the test's, which ends before the browser can
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(int(width), int(height)), chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits for the browser to end
			t.Logf("end of the browser: %v", err)
		}
		end()
		stop()
	})
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, network.Enable, network.EnableParams{})
	call(b, runtime.Enable, cdp.Empty{})
	b.size(width, height)
	return b
}

func (b *tab) hear(e any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := e.(type) {
	case *log.EventEntryAdded:
		b.trouble = append(b.trouble, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventExceptionThrown:
		what := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			what += " " + e.ExceptionDetails.Exception.Description
		}
		b.trouble = append(b.trouble, what)
	case *runtime.EventConsoleAPICalled:
		b.trouble = append(b.trouble, fmt.Sprintf("console.%s: %v", e.Type, e.Args))
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// do runs one action in the page.
func do[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.t.Fatalf("%v; the page said %q", err, b.trouble)
	}
	return out
}

// call sends a command of the browser's protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) size(width, height int64) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// eval evaluates an expression in the page.
func eval[T any](b *tab, js string) T {
	b.t.Helper()
	return do(b, chromedp.Evaluate[T](js))
}

// open shows a page and waits until its script has drawn everything; it returns how long that took.
func (b *tab) open(url string) time.Duration {
	b.t.Helper()
	begin := time.Now()
	do(b, chromedp.Navigate(url))
	do(b, chromedp.WaitReady(chromedp.CSS(`html[data-ready="yes"]`)))
	b.frames()
	return time.Since(begin)
}

// frames waits until what was asked for is on the screen.
func (b *tab) frames() {
	b.t.Helper()
	const js = `new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(true))))`
	do(b, chromedp.Evaluate[bool](js, chromedp.EvalAwaitPromise))
}

func (b *tab) scheme(dark bool) {
	b.t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}})
	b.frames()
}

// picture takes a picture of the whole page, and keeps it where people want to look at it.
func (b *tab) picture(name string) {
	b.t.Helper()
	b.frames()
	png := do(b, chromedp.FullScreenshot(100))
	if dir := os.Getenv(picturesEnv); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
			b.t.Error(err)
		}
	}
	if len(png) < 10_000 {
		b.t.Errorf("picture %s has %d bytes: it cannot show anything", name, len(png))
	}
}

// quiet fails the test if the page complained, or asked for something else than what it may.
func (b *tab) quiet(allowed string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.trouble {
		b.t.Errorf("the page complained: %s", s)
	}
	for _, url := range b.requests {
		if !strings.HasPrefix(url, allowed) && !strings.HasPrefix(url, "data:") {
			b.t.Errorf("the page asked for %s", url)
		}
	}
}

// pageOf writes the page of a run into a file, and returns its URL.
func pageOf(t testing.TB, r *Run) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), FilePage)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := WritePage(f, r); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}
