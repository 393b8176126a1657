package cli

import (
	"fmt"
	"slices"
	"strings"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/lab"
)

// tuneFlag is --tune, another way to write the flags of timings.
type tuneFlag struct{ settings *settings }

// String is the default.
func (*tuneFlag) String() string { return "" }

// Type is shown in the help.
func (*tuneFlag) Type() string { return "field=value" }

// Set takes FIELD=VALUE.
func (f *tuneFlag) Set(text string) error {
	field, value, ok := strings.Cut(text, "=")
	names := lab.TimingNames()
	switch {
	case !ok:
		f.settings.wrong = append(f.settings.wrong, fmt.Errorf("--tune %q is not FIELD=VALUE, such as probe-interval=200ms", text))
	case !slices.Contains(names, field):
		hint := ""
		if near := command.Nearest(field, names); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		f.settings.wrong = append(f.settings.wrong, fmt.Errorf("--tune: no timing is called %q%s", field, hint))
	default:
		f.settings.given = append(f.settings.given, config.Given{Key: field, Text: value, Flag: "--tune " + field})
	}
	return nil
}
