package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/testcoord"
)

// told is one call of an observer, as a guest sends it. One of the fields is set.
type told struct {
	Run                  *time.Time            `json:",omitempty"`
	LifeBegins, LifeEnds *invariant.Life       `json:",omitempty"`
	Event                *wireEvent            `json:",omitempty"`
	StepBegins, StepEnds *testcoord.StepRecord `json:",omitempty"`
}

// teller is the observer in a guest, which has one thread: its calls are one after the other.
type teller struct{ to io.Writer }

func (t *teller) send(w told) {
	data, err := json.Marshal(w)
	if err == nil {
		_ = writeFrame(t.to, frameTold, data) // a host that reads no more ends the guest
	}
}

func (t *teller) RunBegins(start time.Time)         { t.send(told{Run: &start}) }
func (t *teller) LifeBegins(l invariant.Life)       { t.send(told{LifeBegins: &l}) }
func (t *teller) LifeEnds(l invariant.Life)         { t.send(told{LifeEnds: &l}) }
func (t *teller) StepBegins(s testcoord.StepRecord) { t.send(told{StepBegins: &s}) }
func (t *teller) StepEnds(s testcoord.StepRecord)   { t.send(told{StepEnds: &s}) }

func (t *teller) EventTaken(e invariant.Entry) {
	if w, err := eventOf(e); err == nil {
		t.send(told{Event: &w})
	}
}

// tell hands on what a guest has sent.
func (r *Reader) tell(data []byte) error {
	var w told
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("the simulation told something that cannot be read: %w", err)
	}
	r.view.know(&w)
	if r.to == nil {
		return nil
	}
	switch o := r.to; {
	case w.Run != nil:
		o.RunBegins(*w.Run)
	case w.LifeBegins != nil:
		o.LifeBegins(*w.LifeBegins)
	case w.LifeEnds != nil:
		o.LifeEnds(*w.LifeEnds)
	case w.StepBegins != nil:
		o.StepBegins(*w.StepBegins)
	case w.StepEnds != nil:
		o.StepEnds(*w.StepEnds)
	case w.Event != nil:
		e, err := w.Event.entry()
		if err != nil {
			return err
		}
		o.EventTaken(e)
	}
	return nil
}

// know takes in what the view must know, and puts steps as the user wants them.
func (v *view) know(w *told) {
	switch {
	case w.LifeBegins != nil:
		v.peers[w.LifeBegins.Peer] = true
	case w.StepBegins != nil:
		w.StepBegins.File = cmp.Or(v.names[w.StepBegins.File], w.StepBegins.File)
	case w.StepEnds != nil:
		*w.StepEnds = v.step(*w.StepEnds)
	}
}
