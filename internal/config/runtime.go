package config

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"peerlab.example/peerlab/internal/command"
)

// Target is a part of what runs whose fields can change. Its methods are called by one goroutine at a time.
type Target interface {
	// Keys are the fields that it has, always the same.
	Keys() []string
	// Get is the value that a field has now.
	Get(key string) string
	// Later names the fields that it cannot give the values of want now, and says how they can be changed. With a field
	// it also names the one that the field inherits that value from.
	Later(want func(key string) string) (keys []string, how string)
	// Apply gives all fields their values, or none.
	Apply(want func(key string) string) error
}

// Single is a Target of one field that can change at any time.
type Single struct {
	Key  string
	Read func() string
	Set  func(value string) error
}

// Keys is the one field.
func (s Single) Keys() []string { return []string{s.Key} }

// Get reads it.
func (s Single) Get(string) string { return s.Read() }

// Later names nothing.
func (Single) Later(func(string) string) ([]string, string) { return nil, "" }

// Apply sets it.
func (s Single) Apply(want func(string) string) error { return s.Set(want(s.Key)) }

// Runtime are the values of a role that runs. Its methods may be called from any goroutine.
type Runtime struct {
	table   *Table
	targets []Target
	of      map[string]Target // by key

	mu     sync.Mutex // held while values are replaced
	values atomic.Pointer[Values]
}

// NewRuntime begins with values that hold already.
func NewRuntime(v Values, targets ...Target) *Runtime {
	r := &Runtime{table: v.table, targets: targets, of: map[string]Target{}}
	for _, t := range targets {
		for _, key := range t.Keys() {
			r.of[key] = t
		}
	}
	r.values.Store(&v)
	return r
}

// Values are what holds now, changes by other ways than this included.
func (r *Runtime) Values() Values {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.observe()
}

// peek is as Values, but does not wait for a change that is being made: it answers at once.
func (r *Runtime) peek() Values {
	if !r.mu.TryLock() {
		return *r.values.Load()
	}
	defer r.mu.Unlock()
	return r.observe()
}

// observe takes over what was changed by other commands, with mu held. The table's order matters: a field that
// others inherit from comes before them.
func (r *Runtime) observe() Values {
	values := *r.values.Load()
	for _, f := range r.table.fields {
		t := r.of[f.Key]
		if t == nil {
			continue
		}
		now := f.settle(t.Get(f.Key))
		if now == values.Get(f.Key) {
			continue
		}
		values = values.with(Said{f.Key: {Text: now, Layer: Console}})
		if values.unsaid(f.Key).Text == now {
			delete(values.said, f.Key) // with has made a new map
		}
	}
	r.values.Store(&values)
	return values
}

// Change is what became of one field that should change.
type Change struct {
	Key, Was, Value string
	// Later says how the field can be changed; it has not been. Empty when it has.
	Later string
}

// Apply changes what can change now, all of it or, with an error, nothing. With strict, it is an error that a field
// cannot. Fields that have the value already are no change.
func (r *Runtime) Apply(said Said, strict bool) ([]Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.observe()
	if err := before.with(said).validate(); err != nil {
		return nil, err
	}
	changes, now := r.plan(before, said)
	if strict {
		for _, c := range changes {
			if c.Later != "" {
				return nil, fmt.Errorf("%s: needs restart: %s", c.Key, c.Later)
			}
		}
	}
	after := before.with(now)
	if err := after.validate(); err != nil {
		return nil, fmt.Errorf("with what cannot change now: %w", err)
	}
	if err := r.apply(before, after); err != nil {
		return nil, err
	}
	r.values.Store(&after)
	return changes, nil
}

// plan divides what is said into what can be changed now, and what cannot.
func (r *Runtime) plan(before Values, said Said) (changes []Change, now Said) {
	later := map[string]string{}
	now = Said{}
	for key, value := range said {
		switch {
		case r.of[key] != nil:
			now[key] = value // be it the same: it may be what the field only inherits until now
		case value.Text != before.Get(key):
			later[key] = fmt.Sprintf("end it and start it again with --%s=%s, or with a file that says so", key, command.Quote(value.Text))
		}
	}
	// Without a field that has to wait, others may no longer have to, or may.
	for again := true; again; {
		again = false
		want := before.with(now).Get
		for _, t := range r.targets {
			keys, how := t.Later(want)
			for _, key := range keys {
				if _, ok := now[key]; ok {
					delete(now, key)
					later[key] = how
					again = true
				}
			}
		}
	}
	for _, key := range r.table.Keys() {
		value, ok := said[key]
		if !ok || value.Text == before.Get(key) {
			continue
		}
		changes = append(changes, Change{Key: key, Was: before.Get(key), Value: value.Text, Later: later[key]})
	}
	return changes, now
}

// apply brings the targets from before to after. When one fails, those that were changed go back.
func (r *Runtime) apply(before, after Values) error {
	differs := func(key string) bool { return before.Get(key) != after.Get(key) }
	var changed []Target
	for _, t := range r.targets {
		if !slices.ContainsFunc(t.Keys(), differs) {
			continue
		}
		if err := t.Apply(after.Get); err != nil {
			errs := []error{err}
			for _, done := range slices.Backward(changed) {
				errs = append(errs, done.Apply(before.Get))
			}
			return errors.Join(errs...)
		}
		changed = append(changed, t)
	}
	return nil
}
