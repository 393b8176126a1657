package report

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// keptPages is how many pages of runs that have ended a site keeps: each may take 5 MB. The index keeps all.
const keptPages = 16

// alone is the link to the page of a run that stands alone.
const alone = "./"

// Site shows the runs of a session while they go on: each on a page of its own, and all of them in an index. Where each run
// stands alone, and only comes again, the site is the page of the newest. It is an http.Handler that only reads, and safe for
// concurrent use.
type Site struct {
	known func(host string) bool

	mu      sync.Mutex
	many    bool          // guarded by mu; "/" is the index
	index   Index         // guarded by mu
	runs    int           // guarded by mu; how many have begun
	pages   []*Shown      // guarded by mu; in the order of their numbers
	single  *Live         // guarded by mu; what "/" is while there are not many
	wake    chan struct{} // guarded by mu; closed and replaced when the index has changed
	readers int           // guarded by mu; of the index
	closed  chan struct{}
	once    sync.Once
}

// Shown is a run on a site.
type Shown struct {
	// Live takes what happens in the run.
	*Live
	site   *Site
	number int
	name   string
	status Status // guarded by Site.mu
	link   string // where its page is, from the index
	up     string // where the index is, from its page
}

// NewSite returns a site without a run. known says which names of this machine, beside those of the loopback interface, it may be asked
// for by; nil is none. A name that anybody could have made point here must not be among them, since a website could then make
// its visitors' browsers read the runs by that name.
func NewSite(known func(host string) bool) *Site {
	return &Site{
		known:  func(host string) bool { return loopbackHost(host) || known != nil && known(host) },
		single: NewLive(), wake: make(chan struct{}), closed: make(chan struct{}),
	}
}

// Expect says whether the runs that follow are several, which are listed, or one that stands alone.
func (s *Site) Expect(many bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.many == many {
		return
	}
	s.many = many
	for i := range s.index.entries {
		if s.index.entries[i].Link == alone {
			s.index.entries[i].Link = "" // that page is no more
		}
	}
	s.single.Begin(&Run{Suite: "no run has begun"}) // whoever follows it looks again
	s.changed()
}

// Begin shows a run, of which everything but steps and events is known. name tells it from others. The caller tells
// what happens, and at last calls Finish.
func (s *Site) Begin(r *Run, name string) *Shown {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs++
	out := &Shown{site: s, number: s.runs, name: name, status: Running}
	if s.many {
		out.Live, out.link, out.up = NewLive(), fmt.Sprintf("runs/%d/", s.runs), "../../"
		s.pages = append(s.pages, out)
		s.forget()
	} else {
		out.Live, out.link = s.single, alone
	}
	out.Live.Begin(r)
	s.index.Put(EntryOf(r, out.number, name, out.link, true))
	s.changed()
	return out
}

// forget drops pages of runs that have ended when there are too many, first those that passed. The lock is held.
func (s *Site) forget() {
	over := func(p *Shown) bool { return p.status != Running }
	if ended := len(slices.DeleteFunc(slices.Clone(s.pages), func(p *Shown) bool { return !over(p) })); ended <= keptPages {
		return
	}
	at := slices.IndexFunc(s.pages, func(p *Shown) bool { return p.status == Passed })
	if at < 0 {
		at = slices.IndexFunc(s.pages, over)
	}
	gone := s.pages[at]
	s.pages = slices.Delete(s.pages, at, at+1)
	gone.Live.Close()
	if i := slices.IndexFunc(s.index.entries, func(e Entry) bool { return e.Number == gone.number }); i >= 0 {
		s.index.entries[i].Link = ""
	}
}

// Finish shows what the run was like. r is nil for one that could not be made; err says why, where r does not.
func (p *Shown) Finish(r *Run, err error) {
	if r == nil {
		r, _, _ = p.snapshot()
		r.Interrupted = err == nil
	}
	if err != nil && r.OK() {
		failed := *r
		failed.Problems = append(slices.Clone(r.Problems), Problem{Text: err.Error()})
		r = &failed
	}
	p.Live.Finish(r)
	s := p.site
	s.mu.Lock()
	defer s.mu.Unlock()
	e := EntryOf(r, p.number, p.name, p.link, false)
	p.status = e.Status
	s.index.Put(e)
	s.changed()
}

// changed wakes those who follow the index. The lock is held.
func (s *Site) changed() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// Close ends all streams, so that the server can end.
func (s *Site) Close() {
	s.once.Do(func() {
		close(s.closed)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.single.Close()
		for _, p := range s.pages {
			p.Live.Close()
		}
	})
}

// ServeHTTP serves the index or the run at "/", and each of several runs at "/runs/N/".
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !admit(w, r, s.known) {
		return
	}
	s.mu.Lock()
	many, single := s.many, s.single
	s.mu.Unlock()
	rest, isRun := strings.CutPrefix(r.URL.Path, "/runs/")
	switch {
	case isRun:
		s.serveRun(w, r, rest)
	case r.URL.Path == "/" && many:
		s.serveIndex(w)
	case r.URL.Path == "/events" && r.URL.Query().Has("index"):
		s.serveChanges(w, r)
	default:
		single.serve(w, r, r.URL.Path, "")
	}
}

// serveRun serves what stands below "/runs/".
func (s *Site) serveRun(w http.ResponseWriter, r *http.Request, rest string) {
	name, path, slash := strings.Cut(rest, "/")
	number, err := strconv.Atoi(name)
	s.mu.Lock()
	at := slices.IndexFunc(s.pages, func(p *Shown) bool { return p.number == number })
	var page *Shown
	if at >= 0 {
		page = s.pages[at]
	}
	known := err == nil && s.many && number > 0 && number <= s.runs
	s.mu.Unlock()
	switch {
	case page == nil && known:
		http.Error(w, "the page of this run is not kept any more: --report DIR writes those of all runs", http.StatusGone)
	case page == nil || name != strconv.Itoa(number):
		http.NotFound(w, r)
	case !slash:
		http.Redirect(w, r, "/runs/"+name+"/", http.StatusMovedPermanently)
	default:
		page.Live.serve(w, r, "/"+path, page.up)
	}
}

func (s *Site) serveIndex(w http.ResponseWriter) {
	data, _, _, err := s.list()
	a, assetsErr := loadIndexAssets()
	var page bytes.Buffer
	if err == nil {
		err = assetsErr
	}
	if err == nil {
		err = a.renderIndex(&page, data, true)
	}
	servePage(w, a, &page, err)
}

// list is the index as it is now; wake is closed when it is another.
func (s *Site) list() (data []byte, many bool, wake <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err = s.index.data(true)
	return data, s.many, s.wake, err
}

// serveChanges sends the whole index each time it has changed.
func (s *Site) serveChanges(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, "too many pages follow the runs", http.StatusServiceUnavailable)
		return
	}
	defer s.exit()
	stream, ok := openStream(w, r)
	for going := ok; going; {
		data, many, wake, err := s.list()
		switch {
		case err != nil:
			return
		case !many:
			_ = stream.send("event: resync\ndata: {}\n\n") // it comes back, or not
			return
		case stream.send("event: runs\ndata: "+string(data)+"\n\n") != nil:
			return
		}
		going = stream.wait(r.Context(), wake, s.closed)
	}
}

func (s *Site) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers >= maxReaders {
		return false
	}
	s.readers++
	return true
}

func (s *Site) exit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers--
}
