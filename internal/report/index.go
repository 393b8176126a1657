package report

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// FileIndex lists several runs, in the folder that the folders of their reports are in.
const FileIndex = "index.html"

// indexRows is how many runs an index lists. Beyond that, the oldest that passed are only counted.
const indexRows = 2000

// Entry is one run in an index.
type Entry struct {
	// Number is its place among all runs, from 1.
	Number int `json:"n"`
	// Name is what tells it from the others, such as "chat, round 2".
	Name   string `json:"name"`
	File   string `json:"file"`
	Runner string `json:"runner"`
	Seed   uint64 `json:"seed,string"` // as text: numbers of JavaScript have 53 bits
	Peers  int    `json:"peers"`
	// Status is Running, Passed or Failed.
	Status Status `json:"status"`
	Counts Counts `json:"counts"`
	// First is what failed first, and why; empty when nothing did.
	First string    `json:"first"`
	Start time.Time `json:"start"`
	// Duration is 0 while the run goes on.
	Duration time.Duration `json:"ns"`
	// Link is where its page is, relative to that of the index; empty when it is nowhere.
	Link string `json:"link"`
}

// EntryOf is a run that has ended, or with going one that has not.
func EntryOf(r *Run, number int, name, link string, going bool) Entry {
	e := Entry{
		Number: number, Name: bounded(orElse(name, r.Suite)), File: bounded(r.File), Runner: bounded(r.Runner), Seed: r.Seed, Peers: len(r.Peers),
		Status: Running, Start: r.Start, Link: link,
	}
	if going {
		return e
	}
	e.Counts, e.Duration, e.Status = r.Count(), r.Duration, Failed
	if r.OK() {
		e.Status = Passed
	}
	for _, c := range r.cases() {
		if c.status == Failed {
			e.First = bounded(c.name)
			if c.err != c.name {
				e.First = bounded(c.name + ": " + c.err)
			}
			break
		}
	}
	return e
}

// LinkTo is the link to the page of a run whose report is in that folder, below the index.
func LinkTo(folder string) string {
	return (&url.URL{Path: "./" + folder + "/" + FilePage}).String()
}

// Index is a list of runs. The zero value is empty.
type Index struct {
	entries []Entry
	left    int
}

// Put adds a run, or puts it in the place of the one with its number.
func (x *Index) Put(e Entry) {
	if i := slices.IndexFunc(x.entries, func(o Entry) bool { return o.Number == e.Number }); i >= 0 {
		x.entries[i] = e
		return
	}
	if x.entries = append(x.entries, e); len(x.entries) <= indexRows {
		return
	}
	gone := max(slices.IndexFunc(x.entries, func(o Entry) bool { return o.Status == Passed }), 0)
	x.entries = slices.Delete(x.entries, gone, gone+1)
	x.left++
}

// indexView is what the template of the index is filled with.
type indexView struct {
	Style  template.CSS
	Script template.JS
	CSP    string
	Data   template.JS
}

// indexData is what the script of the index reads.
type indexData struct {
	Rows []Entry `json:"rows"`
	Left int     `json:"left"` // runs that are not listed
	Live bool    `json:"live"`
}

// data is the index as the page reads it.
func (x *Index) data(live bool) ([]byte, error) {
	return json.Marshal(indexData{Rows: append([]Entry{}, x.entries...), Left: x.left, Live: live})
}

// WriteIndex writes an index as one HTML file that needs nothing else but the pages that it links to.
func WriteIndex(w io.Writer, x *Index) error {
	data, err := x.data(false)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	a, err := loadIndexAssets()
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return a.renderIndex(w, data, false)
}

func (a assets) renderIndex(w io.Writer, data []byte, live bool) error {
	v := indexView{Style: template.CSS(a.style), Script: template.JS(a.script), CSP: a.policy(live), Data: template.JS(data)} // json escapes <, > and &
	if err := a.page.Execute(w, v); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

func loadIndexAssets() (assets, error) { return loadPage("index.html", "dom.js", "index.js") }

// WriteIndexFile writes an index into a folder, in full or not at all.
func WriteIndexFile(x *Index, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := writeFile(filepath.Join(dir, FileIndex), func(w io.Writer) error { return WriteIndex(w, x) }); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
