package event

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Kind is the kind of an event as suites and filters name it: the name of the field of
// Event.what, such as "joined" or "message". An event of an application is named
// by its own kind. It is "" for an event without a body.
func Kind(e *eventv1.Event) string {
	if c := e.GetCustom(); c != nil {
		return c.GetKind()
	}
	f, _ := body(e)
	if f == nil {
		return ""
	}
	return string(f.Name())
}

// Fields are the fields of an event's body as text, by name; unset ones are empty.
// Those of an application's event are its own fields.
func Fields(e *eventv1.Event) map[string]string {
	if c := e.GetCustom(); c != nil {
		return c.GetFields()
	}
	f, m := body(e)
	if f == nil {
		return nil
	}
	out := make(map[string]string)
	fds := m.Descriptor().Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		out[string(fd.Name())] = text(fd, m.Get(fd))
	}
	return out
}

// Kinds are all kinds that the schema knows, and the names of their fields.
func Kinds() map[string][]string {
	out := make(map[string][]string)
	fds := (&eventv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("what").Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		names := []string{}
		for j := range fd.Message().Fields().Len() {
			names = append(names, string(fd.Message().Fields().Get(j).Name()))
		}
		out[string(fd.Name())] = names
	}
	return out
}

func body(e *eventv1.Event) (protoreflect.FieldDescriptor, protoreflect.Message) {
	m := e.ProtoReflect()
	f := m.WhichOneof(m.Descriptor().Oneofs().ByName("what"))
	if f == nil {
		return nil, nil
	}
	return f, m.Get(f).Message()
}

func text(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if !fd.IsList() {
		return v.String()
	}
	s := ""
	for i := range v.List().Len() {
		if i > 0 {
			s += ","
		}
		s += v.List().Get(i).String()
	}
	return s
}

// Line is an event as one line for people: its kind and the fields that say something. Text of others is quoted where it
// has more than plain characters.
func Line(e *eventv1.Event) string {
	fields := Fields(e)
	out := Kind(e)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v := fields[name]
		if v == "" || v == "0" {
			continue
		}
		if strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) || r == '"' }) {
			v = strconv.Quote(v)
		}
		out += " " + name + "=" + v
	}
	return out
}
