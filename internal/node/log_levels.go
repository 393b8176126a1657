package node

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rs/zerolog"
)

// LogLevels are the levels of a log, the lowest first.
var LogLevels = []string{"trace", "debug", "info", "warn", "error", "disabled"}

// levels say what is written. They are replaced as a whole, so that reading them takes no lock.
type levels struct {
	base  zerolog.Level            // of components that are not in own
	own   map[string]zerolog.Level // by component
	least zerolog.Level            // the lowest of all
}

func (v *levels) settle() *levels {
	v.least = v.base
	for _, own := range v.own {
		v.least = min(v.least, own)
	}
	return v
}

// writes decides on a rendered line. Only when components have levels of their own does it look into it.
func (v *levels) writes(level zerolog.Level, line []byte) bool {
	if len(v.own) == 0 {
		return level >= v.base
	}
	if own, ok := v.own[string(componentOf(line))]; ok {
		return level >= own
	}
	return level >= v.base
}

// wanted drops lines that no component wants, before they are rendered. The component is not known to a zerolog.Sampler: lines that
// one component wants and another does not are rendered, and dropped by WriteLevel.
type wanted struct{ logs *Logs }

// Sample makes wanted a zerolog.Sampler.
func (w wanted) Sample(level zerolog.Level) bool { return level >= w.logs.levels.Load().least }

// componentOf finds the component of a line without parsing it. It is the first field behind the level: each
// package adds it to its logger before all others.
func componentOf(line []byte) []byte {
	rest, ok := bytes.CutPrefix(line, []byte(`{"`+zerolog.LevelFieldName+`":"`))
	if ok {
		if _, rest, ok = bytes.Cut(rest, []byte(`",`)); !ok {
			return nil
		}
	} else {
		rest = bytes.TrimPrefix(line, []byte("{"))
	}
	name, ok := bytes.CutPrefix(rest, []byte(`"component":"`))
	if !ok {
		return nil
	}
	return name[:max(0, bytes.IndexByte(name, '"'))]
}

// Level is the lowest level that is written of components without one of their own.
func (l *Logs) Level() string { return l.levels.Load().base.String() }

// SetLevel changes the lowest level that is written: trace, debug, info, warn, error or disabled.
func (l *Logs) SetLevel(level string) error {
	lv, err := parseLevel(level)
	if err != nil {
		return err
	}
	l.set.Lock()
	defer l.set.Unlock()
	l.levels.Store((&levels{base: lv, own: l.levels.Load().own}).settle())
	return nil
}

// Components are the names that may have a level of their own, sorted.
func (l *Logs) Components() []string { return l.components }

// ComponentLevels are the levels of the components that have one of their own. It is a copy.
func (l *Logs) ComponentLevels() map[string]string {
	out := map[string]string{}
	for name, level := range l.levels.Load().own {
		out[name] = level.String()
	}
	return out
}

// SetComponentLevel gives a component a level of its own; an empty one takes it away.
func (l *Logs) SetComponentLevel(name, level string) error {
	l.set.Lock()
	defer l.set.Unlock()
	want := l.ComponentLevels()
	want[name] = level
	if level == "" {
		delete(want, name)
	}
	return l.replace(want, name)
}

// SetComponentLevels makes these the only components with a level of their own.
func (l *Logs) SetComponentLevels(want map[string]string) error {
	l.set.Lock()
	defer l.set.Unlock()
	return l.replace(want, slices.Sorted(maps.Keys(want))...)
}

// replace is called with l.set held. It checks that the names are components.
func (l *Logs) replace(want map[string]string, names ...string) error {
	for _, name := range names {
		if !slices.Contains(l.components, name) {
			return fmt.Errorf("no component of the log is called %q; there are %s", name, strings.Join(l.components, ", "))
		}
	}
	next := &levels{base: l.levels.Load().base, own: map[string]zerolog.Level{}}
	for name, level := range want {
		lv, err := parseLevel(level)
		if err != nil {
			return err
		}
		next.own[name] = lv
	}
	l.levels.Store(next.settle())
	return nil
}

func parseLevel(level string) (zerolog.Level, error) {
	lv, err := zerolog.ParseLevel(level)
	if err != nil || !slices.Contains(LogLevels, level) {
		return 0, fmt.Errorf("log level %q is none of %s", level, strings.Join(LogLevels, ", "))
	}
	return lv, nil
}
