package sim

import (
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

// display is one call of a screen, but for the summary, which is made of the outcome. One of the fields is set.
type display struct {
	Say, Section, Note, Problem string                `json:",omitempty"`
	Tail                        []string              `json:",omitempty"` // of Problem
	Step, Block                 *testcoord.StepRecord `json:",omitempty"`
}

// teller is the observer and the screen in a guest, which has one thread: its calls are one after the other.
type teller struct{ to io.Writer }

func (t *teller) send(w told)    { t.frame(frameTold, w) }
func (t *teller) show(d display) { t.frame(frameShown, d) }

func (t *teller) frame(kind byte, call any) {
	data, err := json.Marshal(call)
	if err == nil {
		_ = writeFrame(t.to, kind, data) // a host that reads no more ends the guest
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

func (t *teller) Say(text string)      { t.show(display{Say: text}) }
func (t *teller) Section(title string) { t.show(display{Section: title}) }
func (t *teller) Note(text string)     { t.show(display{Note: text}) }
func (t *teller) Problem(what string, l []string) {
	t.show(display{Problem: what, Tail: l})
}
func (t *teller) Step(s testcoord.StepRecord)  { t.show(display{Step: &s}) }
func (t *teller) Block(s testcoord.StepRecord) { t.show(display{Block: &s}) }
func (t *teller) Summary(*testcoord.Result)    {}

// tell hands on what a guest has sent.
func (r *Reader) tell(data []byte) error {
	if r.to == nil {
		return nil
	}
	var w told
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("the simulation told something that cannot be read: %w", err)
	}
	switch o := r.to; {
	case w.Run != nil:
		o.RunBegins(*w.Run)
	case w.LifeBegins != nil:
		o.LifeBegins(*w.LifeBegins)
	case w.LifeEnds != nil:
		o.LifeEnds(*w.LifeEnds)
	case w.StepBegins != nil:
		o.StepBegins(r.view.step(*w.StepBegins))
	case w.StepEnds != nil:
		o.StepEnds(r.view.step(*w.StepEnds))
	case w.Event != nil:
		e, err := w.Event.entry()
		if err != nil {
			return err
		}
		o.EventTaken(e)
	}
	return nil
}

// show shows what a guest has sent.
func (r *Reader) show(data []byte) error {
	var s display
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("the simulation shows something that cannot be read: %w", err)
	}
	switch {
	case s.Step != nil:
		r.screen.Step(r.view.step(*s.Step))
	case s.Block != nil:
		r.screen.Block(r.view.step(*s.Block))
	case s.Problem != "":
		r.screen.Problem(s.Problem, s.Tail)
	case s.Note != "":
		r.screen.Note(s.Note)
	case s.Say != "":
		r.screen.Say(s.Say)
	default: // a section may be called anything
		r.screen.Section(s.Section)
	}
	return nil
}
