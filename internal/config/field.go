package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// Levels is the kind of a field that gives some names a value each, such as "chat=debug,peer=info"; in a file it may be
// a mapping. The other kinds are those of app: Text, Int, Bool, Duration, Enum, File and Addr.
const Levels app.Kind = "levels"

// Live is when a field can change.
type Live string

// When a field can change.
const (
	// AtStart is only when the role starts.
	AtStart Live = "no"
	// WhileStopped is also while the part that it belongs to does not run.
	WhileStopped Live = "before member start"
	// Always is at any time.
	Always Live = "yes"
)

// maxText is the longest value in bytes: paths have at most 4096 on Linux.
const maxText = 4096

// Field is one setting.
type Field struct {
	// Key is lower case, with dashes.
	Key  string
	Kind app.Kind
	// Default is what holds when nobody says anything.
	Default string
	// DefaultDoc replaces the default in documentation, for one that is found at the start.
	DefaultDoc string
	// Inherit is a default that depends on other fields, and says where it comes from; may be nil.
	Inherit func(get func(key string) string) (value, from string)
	// Values are those of an Enum, and of each name of Levels.
	Values []string
	// Names are those that Levels may have.
	Names []string
	// Summary is one line in lower case, without a full stop.
	Summary string
	Live    Live
	// Group is the heading in documentation.
	Group string
	// Hidden flags are not in --help.
	Hidden bool
	// Check refuses values that the kind allows; may be nil.
	Check func(value string) error
}

// Env is the name of the variable: PEERLAB_LOG_LEVEL for log-level.
func (f Field) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(f.Key, "-", "_"))
}

// parse checks a value and gives it the one form in which it is kept.
func (f Field) parse(text string) (string, error) {
	value, err := f.canonical(text)
	if err == nil && f.Check != nil {
		err = f.Check(value)
	}
	return value, err
}

// Usage is the summary with the values that are allowed, for the help of a flag.
func (f Field) Usage() string {
	if f.Kind != app.Enum {
		return f.Summary
	}
	return f.Summary + "; one of " + strings.Join(f.Values, ", ")
}

// settle gives a value that others have checked the form in which it is kept.
func (f Field) settle(text string) string {
	if value, err := f.canonical(text); err == nil {
		return value
	}
	return text
}

func (f Field) canonical(text string) (string, error) {
	switch f.Kind {
	case app.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return "", fmt.Errorf("%s is neither true nor false", quote(text))
		}
		return strconv.FormatBool(b), nil
	case app.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return "", fmt.Errorf("%s is not a whole number", quote(text))
		}
		return strconv.Itoa(n), nil
	case app.Duration:
		d, err := app.ParseDuration(text)
		if err != nil {
			return "", fmt.Errorf("%s is not a duration such as 300ms, 1.5s or 2m", quote(text))
		}
		return formatDuration(d), nil
	case app.Enum:
		return text, oneOf(text, f.Values)
	case Levels:
		return f.levels(text)
	default:
		return text, plain(text)
	}
}

// levels sorts NAME=VALUE,… and checks its parts.
func (f Field) levels(text string) (string, error) {
	said := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return "", fmt.Errorf("%s is not NAME=LEVEL, such as %s=%s", quote(part), f.Names[0], f.Values[0])
		}
		if _, twice := said[name]; twice {
			return "", fmt.Errorf("%s has two levels", quote(name))
		}
		if err := oneOf(name, f.Names); err != nil {
			return "", err
		}
		if err := oneOf(value, f.Values); err != nil {
			return "", err
		}
		said[name] = value
	}
	return FormatLevels(said), nil
}

// ParseLevels is the value of a Levels field as a map.
func ParseLevels(value string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(value, ",") {
		if name, level, ok := strings.Cut(part, "="); ok {
			out[name] = level
		}
	}
	return out
}

// FormatLevels is the value of a Levels field.
func FormatLevels(levels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		parts = append(parts, name+"="+levels[name])
	}
	return strings.Join(parts, ",")
}

// plain refuses text that no terminal should get, and no file name or address has.
func plain(text string) error {
	switch {
	case len(text) > maxText:
		return fmt.Errorf("a text of %d bytes is longer than the %d that are allowed", len(text), maxText)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%s has a control character in it", quote(text))
	}
	return nil
}

// oneOf refuses a word that is none of those allowed, and names the one that was probably meant.
func oneOf(text string, values []string) error {
	if slices.Contains(values, text) {
		return nil
	}
	return fmt.Errorf("%s is none of %s%s", quote(text), strings.Join(values, ", "), didYouMean(text, values))
}

func didYouMean(text string, known []string) string {
	if near := command.Nearest(text, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// shown is how much of a wrong value is repeated in the message, in bytes.
const shown = 64

func quote(text string) string {
	if len(text) > shown {
		text = strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return strconv.Quote(text)
}

// formatDuration is shorter than String: 1h, not 1h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
