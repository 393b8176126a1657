package cli

import (
	"fmt"

	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/console"
)

// consoleLook are the settings of all that has a console.
type consoleLook struct {
	output    string
	color     string
	keepGoing bool
}

// fill takes the values of lab.LookFields.
func (l *consoleLook) fill(v config.Values) {
	l.output, l.color, l.keepGoing = v.Get("output"), v.Get("color"), v.Get("keep-going") == "true"
}

// session makes the session that the settings describe.
func (l *consoleLook) session(c console.SessionConfig) (*console.Session, error) {
	c.KeepGoing = l.keepGoing
	s := console.NewSession(c)
	if err := s.SetOption("output", l.output); err != nil {
		return nil, fmt.Errorf("--%w", err)
	}
	return s, nil
}

// wantsColor decides on colours for what goes to a terminal, or does not.
func (l *consoleLook) wantsColor(terminal bool) bool { return colored(l.color, terminal) }

// colored decides on colours by the setting color; an empty one is auto.
func colored(color string, terminal bool) bool {
	return color == "always" || color != "never" && terminal && wantColor()
}
