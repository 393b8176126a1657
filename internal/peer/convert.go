package peer

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"peerlab.example/peerlab/app"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// maxName is the longest name in bytes: with the other fields it must fit into the 512 bytes
// of a memberlist node's meta.
const maxName = 64

// checkName says what is wrong with a peer's name.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("a peer needs a name: --name alice")
	case len(name) > maxName:
		return fmt.Errorf("name %q has %d bytes; %d is the most", name[:16]+"…", len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("name %q is not valid UTF-8", name)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }),
		strings.ContainsAny(name, `"',$|<>`), strings.HasPrefix(name, "-"), strings.HasPrefix(name, "#"):
		return fmt.Errorf("name %q: blanks, control characters, quotes and any of , $ | < > are not allowed, "+
			"and it does not begin with - or #", name)
	}
	return nil
}

var validGroup = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,64}$`)

// checkGroup says what is wrong with the name of a group, by the same rule as the bootstrap service.
func checkGroup(group string) error {
	if group != "" && !validGroup.MatchString(group) {
		return fmt.Errorf("group %q: 1 to 64 letters, digits, dots, dashes and underscores are allowed", group)
	}
	return nil
}

// memberEvent is a change of the view as an event of the log.
func memberEvent(e app.MemberEvent) *eventv1.Event {
	m := &eventv1.Member{Peer: e.Member.Name, Id: e.Member.ID, Addr: e.Member.Addr}
	switch e.Change {
	case app.Joined:
		return &eventv1.Event{What: &eventv1.Event_Joined{Joined: m}}
	case app.Suspected:
		return &eventv1.Event{What: &eventv1.Event_Suspected{Suspected: m}}
	case app.Recovered:
		return &eventv1.Event{What: &eventv1.Event_Recovered{Recovered: m}}
	case app.HasLeft:
		return &eventv1.Event{What: &eventv1.Event_Left{Left: m}}
	case app.WasLost:
		return &eventv1.Event{What: &eventv1.Event_Lost{Lost: m}}
	}
	return &eventv1.Event{What: &eventv1.Event_Updated{Updated: m}}
}
