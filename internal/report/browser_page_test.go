package report

import (
	"testing"
)

func TestPageInBrowserOfFive(t *testing.T) {
	b := openTab(t, 1280, 900)
	url := pageOf(t, partitionRun())
	b.open(url)
	b.picture("five-light")
	b.scheme(true)
	b.picture("five-dark")
	b.quiet(url)
}

func TestPageInBrowserOfHundred(t *testing.T) {
	b := openTab(t, 1400, 900)
	url := pageOf(t, churnRun(100_000))
	t.Logf("drawn after %s", b.open(url))
	b.picture("hundred-light")
	b.scheme(true)
	b.picture("hundred-dark")
	b.quiet(url)
}
