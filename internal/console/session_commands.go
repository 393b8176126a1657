package console

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
)

// sessionRun is what a command of a session does.
type sessionRun func(ctx context.Context, f *frame, args app.Args) (any, error)

// validAlias is a word that no line begins with by chance.
var validAlias = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// inSession makes a command of it.
func inSession(run sessionRun) func(context.Context, *app.Env, app.Args) (any, error) {
	return func(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
		f, err := frameOf(ctx)
		if err != nil {
			return nil, err
		}
		return run(ctx, f, args)
	}
}

// settings are the commands that change the session.
func settings() []app.Spec {
	return []app.Spec{
		{
			Name: "set", Group: "cli", Local: true,
			Summary: "set a variable or an option of this console; without arguments, list them",
			Detail: "Options: output is how results are written (" + quoteList(command.Formats()) + "); timing says how long each line took;\n" +
				"pager shows results that are longer than the window with $PAGER, or less. Any other name is a variable: $NAME is its\n" +
				"value in later lines, but for text between single quotes. NAME = COMMAND sets it to a result.",
			Example: "set output json",
			Params: []app.Param{
				{Name: "name", Kind: app.Text, Optional: true, Complete: optionNames},
				{Name: "value", Kind: app.Text, Optional: true, Repeated: true, CompleteAfter: optionValues},
			},
			Run: inSession(runSet),
		},
		{
			Name: "unset", Group: "cli", Local: true, Summary: "remove a variable", Example: "unset x",
			Params: []app.Param{{Name: "name", Kind: app.Text}}, Run: inSession(runUnset),
		},
		{
			Name: "alias", Group: "cli", Local: true,
			Summary: "give a line a short name; without arguments, list them",
			Detail:  "What is typed behind the name follows the line. Variables in the line get their values when it is used.",
			Example: "alias lost = member list --state lost",
			Params:  []app.Param{{Name: "name", Kind: app.Text, Optional: true}, {Name: "line", Kind: app.Raw, Optional: true}},
			Run:     inSession(runAlias),
		},
		{
			Name: "unalias", Group: "cli", Local: true, Summary: "remove an alias", Example: "unalias lost",
			Params: []app.Param{{Name: "name", Kind: app.Text}}, Run: inSession(runUnalias),
		},
		{
			Name: "mute", Group: "cli", Local: true,
			Summary: "keep back the lines that come by themselves, such as messages of others, or show them again",
			Detail:  "Results, errors and the log are shown as ever. Without on or off, it says which of them holds.",
			Example: "mute on",
			Params:  []app.Param{{Name: "switch", Kind: app.Enum, Values: onOff, Optional: true}},
			Run:     inSession(runMute),
		},
		{
			Name: "events", Group: "cli", Local: true,
			Summary: "show the events of the peer as they happen, or stop that",
			Detail: "kind=joined,left shows only these kinds. Each word names one kind or several. Without on or off, it says which of\n" +
				"them holds.",
			Example: "events on kind=joined,left,lost",
			Params: []app.Param{
				{Name: "switch", Kind: app.Enum, Values: onOff, Optional: true},
				{Name: "kinds", Kind: app.Word, Optional: true, Repeated: true, Complete: eventKinds},
			},
			Run: inSession(runEvents),
		},
	}
}

func optionNames() []app.Suggestion {
	var out []app.Suggestion
	for _, name := range slices.Sorted(maps.Keys(options())) {
		out = append(out, app.Suggestion{Text: name, Description: quoteList(options()[name])})
	}
	return out
}

func optionValues(before []string) []app.Suggestion { return suggestions(options()[before[0]]) }

func suggestions(texts []string) []app.Suggestion {
	out := make([]app.Suggestion, len(texts))
	for i, t := range texts {
		out[i].Text = t
	}
	return out
}

func runSet(_ context.Context, f *frame, args app.Args) (any, error) {
	s, name := f.session, args.String("name")
	_, option := options()[name]
	words := args.All("value")
	if len(words) > 1 && words[0] == "=" {
		words = words[1:]
	}
	switch value := strings.Join(words, " "); {
	case name == "":
		return s.settings(), nil
	case args.Has("value") && option:
		return nil, s.SetOption(name, value)
	case args.Has("value"):
		return nil, s.setVariable(name, value)
	case option:
		return s.Option(name), nil
	}
	return s.variable(name)
}

// settings lists options and variables.
func (s *Session) settings() app.Table {
	t := app.Table{Columns: []string{"name", "value", "kind"}}
	for _, name := range slices.Sorted(maps.Keys(options())) {
		t.Add(name, s.Option(name), "option")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.vars)) {
		t.Add(name, s.vars[name], "variable")
	}
	return t
}

// knownKinds refuses a kind that looks like a misspelt one of the schema. Any other name may be that of an application.
func knownKinds(kinds []string) error {
	known := slices.Sorted(maps.Keys(event.Kinds()))
	for _, kind := range kinds {
		if near := command.Nearest(kind, known); near != "" && near != kind {
			return fmt.Errorf("there is no kind of events %q; did you mean %q?", kind, near)
		}
	}
	return nil
}

func runUnset(_ context.Context, f *frame, args app.Args) (any, error) {
	s, name := f.session, args.String("name")
	if _, err := s.variable(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.vars, name)
	return nil, nil
}

func runAlias(_ context.Context, f *frame, args app.Args) (any, error) {
	s, name := f.session, args.String("name")
	line := strings.TrimSpace(args.String("line"))
	if rest, ok := strings.CutPrefix(line, "="); ok {
		line = strings.TrimSpace(rest)
	}
	if err := s.checkAlias(name, line); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case name == "":
		t := app.Table{Columns: []string{"name", "line"}}
		for _, n := range slices.Sorted(maps.Keys(s.aliases)) {
			t.Add(n, s.aliases[n])
		}
		return t, nil
	case !args.Has("line"):
		if line, ok := s.aliases[name]; ok {
			return line, nil
		}
		return nil, noAlias(name, s.aliases)
	case line == "":
		return nil, errNoValue
	case !validAlias.MatchString(name):
		return nil, fmt.Errorf("%q cannot be an alias: letters, digits, - and _, and no digit first", name)
	case s.isCommand(name):
		return nil, fmt.Errorf("%q is a command already", name)
	case len(s.aliases) >= maxVariables || len(line) > maxRemoteLine:
		return nil, fmt.Errorf("%d aliases of %d bytes are the most", maxVariables, maxRemoteLine)
	}
	if _, err := command.Split(line); err != nil {
		return nil, err
	}
	s.aliases[name] = line
	return nil, nil
}

// checkAlias refuses an alias that would lead to itself.
func (s *Session) checkAlias(name, line string) error {
	_, err := s.expandBy(name, func(word string) (string, bool) {
		if word == name {
			return line, true
		}
		return s.alias(word)
	})
	return err
}

// isCommand reports whether a word begins the name of a command.
func (s *Session) isCommand(name string) bool {
	_, _, known := s.cfg.Engine.Free([]command.Word{{Text: name, Raw: name, Col: 1}})
	return known
}

func noAlias(name string, aliases map[string]string) error {
	if near := command.Nearest(name, slices.Sorted(maps.Keys(aliases))); near != "" {
		return fmt.Errorf("there is no alias %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("there is no alias %q", name)
}

func runUnalias(_ context.Context, f *frame, args app.Args) (any, error) {
	s, name := f.session, args.String("name")
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.aliases[name]; !ok {
		return nil, noAlias(name, s.aliases)
	}
	delete(s.aliases, name)
	return nil, nil
}

func runMute(_ context.Context, f *frame, args app.Args) (any, error) {
	out := f.session.cfg.Output
	if !args.Has("switch") {
		on, unseen := out.Muted()
		return app.Record{{Name: "mute", Value: onOrOff(on)}, {Name: "not_shown", Value: unseen}}, nil
	}
	on := args.String("switch") == "on"
	if unseen := out.Mute(on); unseen > 0 && !on {
		_, _ = fmt.Fprintf(f.out, "%d lines were not shown\n", unseen)
	}
	return nil, nil
}

func eventKinds() []app.Suggestion {
	var out []app.Suggestion
	kinds := event.Kinds()
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		out = append(out, app.Suggestion{Text: "kind=" + kind, Description: strings.Join(kinds[kind], ", ")})
	}
	return out
}

func runEvents(ctx context.Context, f *frame, args app.Args) (any, error) {
	if !args.Has("switch") {
		on, kinds := f.session.feed.showing()
		return app.Record{{Name: "events", Value: onOrOff(on)}, {Name: "kinds", Value: kinds}}, nil
	}
	if args.String("switch") == "off" {
		f.session.feed.stop()
		return nil, nil
	}
	var kinds []string
	for _, word := range args.All("kinds") {
		kinds = append(kinds, strings.FieldsFunc(strings.TrimPrefix(word, "kind="), func(r rune) bool { return r == ',' })...)
	}
	if err := knownKinds(kinds); err != nil {
		return nil, err
	}
	return nil, f.session.showEvents(ctx, kinds)
}
