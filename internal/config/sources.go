package config

import (
	"strings"

	"peerlab.example/peerlab/internal/command"
)

// EnvPrefix begins the names of all variables.
const EnvPrefix = "PEERLAB_"

// ConfigEnv names the file, as the flag --config does.
const ConfigEnv = EnvPrefix + "CONFIG"

// leastTypo is the length from which on a name that is nearly a field's is taken for a mistake: short words are close to
// each other by chance, such as HOME and NAME.
const leastTypo = 6

// FromEnvironment reads the variables of the fields; environ is as that of os.Environ. An empty variable says nothing.
//
// A variable whose name begins with PEERLAB_ and is no field's is a problem only when it is long and close to one that is: other
// roles have other fields, and systems that run containers add names of their own, such as PEERLAB_SERVICE_HOST.
func (t *Table) FromEnvironment(environ []string) (Said, error) {
	said, problems := Said{}, Problems{}
	fields := map[string]Field{}
	var names []string
	for _, f := range t.fields {
		fields[f.Env()] = f
		names = append(names, strings.TrimPrefix(f.Env(), EnvPrefix))
	}
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		rest, ours := strings.CutPrefix(name, EnvPrefix)
		if text == "" || !ours || name == ConfigEnv {
			continue
		}
		f, known := fields[name]
		if !known {
			if near := command.Nearest(rest, names); near != "" && len(rest) >= leastTypo {
				problems.addf("%s: no field is called so; did you mean %q?", name, EnvPrefix+near)
			}
			continue
		}
		value, err := f.parse(text)
		if err != nil {
			problems.addf("%s: %w", name, err)
			continue
		}
		said[f.Key] = Value{Text: value, Layer: Environment, From: name}
	}
	return said, problems.err()
}

// Given is one flag that was given on the command line.
type Given struct {
	Key, Text string
	// Flag is how it was written, such as "--tune probe-interval"; empty means "--" and the key.
	Flag string
}

// FromFlags reads what flags say. Of several for one field the last counts.
func (t *Table) FromFlags(flags []Given) (Said, error) {
	said, problems := Said{}, Problems{}
	for _, g := range flags {
		name := g.Flag
		if name == "" {
			name = "--" + g.Key
		}
		f, err := t.field(g.Key)
		if err != nil {
			problems.addf("%s: %w", name, err)
			continue
		}
		value, err := f.parse(g.Text)
		if err != nil {
			problems.addf("%s: %w", name, err)
			continue
		}
		said[f.Key] = Value{Text: value, Layer: Flag, From: name}
	}
	return said, problems.err()
}
