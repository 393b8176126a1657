package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"peerlab.example/peerlab/internal/command"
)

// statement is a line that was read.
type statement struct {
	// line is for the engine; empty when only a value is to be set.
	line string
	// capture is the variable that takes the result, or value.
	capture, value string
	quoted         bool // whether value was typed between quotes, or is that of a variable
	target         target
	// moved are the columns of the words of line, in it and in what was typed; none when these are the same.
	moved []moved
}

type moved struct{ now, typed int }

// column is where in the typed line a column of line comes from.
func (st *statement) column(now int) int {
	for i := len(st.moved) - 1; i >= 0; i-- {
		if now >= st.moved[i].now {
			return st.moved[i].typed
		}
	}
	return now
}

// target is where the result of a statement goes.
type target struct {
	kind targetKind
	what string // a path, or a command of the shell
	add  bool   // append to the file
}

type targetKind int

const (
	toScreen targetKind = iota
	toVariable
	toFile
	toPipe
)

// maxAliases is how many aliases may lead to each other.
const maxAliases = 8

// read understands a line. It returns nil for an empty one.
func (s *Session) read(line string) (*statement, error) {
	aliased, err := s.expandAlias(line)
	if err != nil {
		return nil, err
	}
	st, err := s.statement(aliased)
	if aliased != line && st != nil {
		// What is wrong stands in the alias, if it is not in a word that was typed.
		first := len(line) - len(strings.TrimLeft(line, " \t")) + 1
		st.moved = []moved{{now: 1, typed: first}}
	}
	return st, err
}

// expandAlias puts the line of an alias in place of its name.
func (s *Session) expandAlias(line string) (string, error) { return s.expandBy(line, s.alias) }

// alias is the line of an alias.
func (s *Session) alias(name string) (line string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line, ok = s.aliases[name]
	return line, ok
}

func (s *Session) expandBy(line string, alias func(name string) (string, bool)) (string, error) {
	for range maxAliases {
		words, err := command.Split(line)
		if err != nil || len(words) == 0 {
			return line, err
		}
		text, ok := alias(words[0].Text)
		if !ok || words[0].Quoted || len(words) > 1 && words[1].Raw == "=" {
			return line, nil
		}
		if _, _, known := s.cfg.Engine.Free(words); known { // such as "member list", where "member" is an alias
			return line, nil
		}
		line = text + line[words[0].Col-1+len(words[0].Raw):]
	}
	return "", fmt.Errorf("aliases lead to each other: more than %d", maxAliases)
}

func (s *Session) statement(line string) (*statement, error) {
	words, err := command.Split(line)
	if err != nil || len(words) == 0 {
		return nil, err
	}
	st := &statement{}
	if name, ok := s.assigned(words); ok {
		st.capture, st.target.kind = name, toVariable
		if words = words[2:]; len(words) == 0 {
			return nil, &command.UsageError{Col: len(line) + 1, Msg: name + " = needs a command or a value"}
		}
		if _, _, known := s.cfg.Engine.Free(words); len(words) == 1 && (!known || words[0].Quoted) {
			words, err = command.SplitVars(line, s.variable)
			if err == nil {
				st.quoted = words[2].Quoted || strings.Contains(words[2].Raw, "$")
				st.value = words[2].Text
			}
			return st, err
		}
	}
	from, rest, _ := s.cfg.Engine.Free(words)
	if words, err = s.redirect(st, line, words, from); err != nil {
		return nil, err
	}
	return st, s.expand(st, line, words, from, rest)
}

// assigned reports whether the words are an assignment, and to which variable.
func (s *Session) assigned(words []command.Word) (name string, ok bool) {
	if len(words) < 2 || words[1].Raw != "=" || !command.IsName(words[0].Raw) {
		return "", false
	}
	from, _, known := s.cfg.Engine.Free(words)
	return words[0].Raw, !known || from != 1 // a command may take the = as text
}

// redirect cuts | > and >> off, and what follows them.
func (s *Session) redirect(st *statement, line string, words []command.Word, from int) ([]command.Word, error) {
	for i := 1; i < min(from, len(words)); i++ {
		sign := words[i].Raw
		if sign != "|" && sign != ">" && sign != ">>" {
			continue
		}
		at, after := words[i].Col, words[i+1:]
		switch {
		case st.capture != "":
			return nil, &command.UsageError{Col: at, Msg: "the result goes into a variable already; put " + sign + " in quotes if it is text"}
		case len(after) == 0:
			return nil, &command.UsageError{Col: len(line) + 1, Msg: map[bool]string{
				true: "a command of the shell is missing after |", false: "a file is missing after " + sign,
			}[sign == "|"]}
		case sign == "|":
			st.target = target{kind: toPipe, what: strings.TrimSpace(line[at:])}
		case len(after) > 1:
			return nil, &command.UsageError{Col: after[1].Col, Msg: "unexpected " + after[1].Raw + " after the file; put the path in quotes if it has blanks"}
		default:
			file, err := command.SplitVars(line[:after[0].Col-1+len(after[0].Raw)], s.variable)
			if err != nil {
				return nil, err
			}
			st.target = target{kind: toFile, what: file[len(file)-1].Text, add: sign == ">>"}
		}
		return words[:i], nil
	}
	return words, nil
}

// expand puts the values of variables into the words before from, and into those after unless they are raw.
func (s *Session) expand(st *statement, line string, words []command.Word, from int, rest command.Rest) error {
	first, last := words[0], words[len(words)-1]
	end := last.Col - 1 + len(last.Raw)
	keep := end // what stands behind is left as typed
	if rest == command.RestRaw && from < len(words) {
		keep = words[from].Col - 1
	}
	// The blanks keep the columns.
	st.line = strings.Repeat(" ", first.Col-1) + line[first.Col-1:end]
	if !strings.Contains(line[first.Col-1:keep], "$") {
		return nil
	}
	expanded, err := command.SplitVars(strings.Repeat(" ", first.Col-1)+line[first.Col-1:keep], s.variable)
	if err != nil {
		return err
	}
	st.line = command.Join(expanded)
	at := 1
	for _, w := range expanded {
		st.moved = append(st.moved, moved{now: at, typed: w.Col})
		at += len(command.Join([]command.Word{w})) + 1
	}
	st.moved = append(st.moved, moved{now: at, typed: keep + 1})
	if keep < end {
		st.line += " " + line[keep:end]
	}
	return nil
}

// variable is the value of a variable.
func (s *Session) variable(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.vars[name]; ok {
		return v, nil
	}
	if near := command.Nearest(name, slices.Sorted(maps.Keys(s.vars))); near != "" {
		return "", fmt.Errorf("unknown variable $%s; did you mean $%s?", name, near)
	}
	return "", fmt.Errorf("unknown variable $%s; set %s VALUE makes it, and '$%s' is text", name, name, name)
}

// Limits of variables: enough for results, too little to fill the memory by a loop.
const (
	maxVariables = 1000
	maxValue     = 1 << 20
)

var (
	errManyVariables = fmt.Errorf("there are %d variables, which is the most; unset NAME removes one", maxVariables)
	errLongValue     = fmt.Errorf("the value is longer than %d bytes", maxValue)
)

func (s *Session) setVariable(name, value string) error {
	switch _, option := options()[name]; {
	case option:
		return fmt.Errorf("%s is an option: set %s VALUE changes it", name, name)
	case !command.IsName(name):
		return fmt.Errorf("%q is not the name of a variable: letters, digits and _, and no digit first", name)
	case len(value) > maxValue:
		return errLongValue
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.vars[name]; !known && len(s.vars) >= maxVariables {
		return errManyVariables
	}
	s.vars[name] = value
	return nil
}

// plain is a result as the value of a variable: text without its quotes, and all else as JSON.
func plain(result string) string {
	var text string
	if json.Unmarshal([]byte(result), &text) == nil {
		return text
	}
	return result
}

func quoteList(values []string) string { return strings.Join(values, ", ") }

// errNoValue is for commands that the user must tell more.
var errNoValue = errors.New("a value is missing")
