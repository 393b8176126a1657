package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// check refuses what the transcoder behind it would pass over in silence, and names the field. It reads the
// body and puts it back.
func (h *handler) check(w http.ResponseWriter, req *http.Request, r route) error {
	body, err := readBody(w, req, h.maxBytes)
	if err != nil {
		if status.Code(err) == codes.ResourceExhausted && h.limitHit != nil {
			h.limitHit(limitRequestBytes)
		}
		return err
	}
	if err := checkQuery(req, r); err != nil {
		return err
	}
	if r.body == "" {
		if len(body) > 0 {
			return status.Errorf(codes.InvalidArgument, "%s %s takes no body: its fields are query parameters", r.verb, r.path)
		}
		return nil
	}
	if err := checkType(req); err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return checkJSON(body, r)
}

// readBody reads all of a body that is not longer than the limit.
func readBody(w http.ResponseWriter, req *http.Request, limit int64) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, limit))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, status.Errorf(codes.Canceled, "read the body: %v", err)
	}
	return body, nil
}

// limitRequestBytes is the name of the setting of Options.MaxRequestBytes.
const limitRequestBytes = "max-request-bytes"

// tooLarge is the error of a request beyond a limit, as the server behind has it for a message.
func tooLarge(limit int64) error {
	text := fmt.Sprintf("the request has more than %d bytes", limit)
	st := status.Newf(codes.ResourceExhausted, "%s: the limit is set by --%s", text, limitRequestBytes)
	detailed, err := st.WithDetails(&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{
		{Subject: limitRequestBytes, Description: text},
	}})
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}

// checkType wants a body that says that it is JSON. A page in a browser cannot send that to another
// site without asking first, and is not answered.
func checkType(req *http.Request) error {
	declared := req.Header.Get("Content-Type")
	if t, _, err := mime.ParseMediaType(declared); err == nil && t == "application/json" {
		return nil
	}
	return status.Errorf(codes.InvalidArgument, "send the body with Content-Type: application/json, not %q", declared)
}

func checkQuery(req *http.Request, r route) error {
	values, err := parseQuery(req)
	if err != nil {
		return err
	}
	var known []string
	for _, f := range r.parameters() {
		known = append(known, string(f.Name()))
		given := values[string(f.Name())]
		if f.JSONName() != string(f.Name()) {
			given = append(given, values[f.JSONName()]...)
		}
		delete(values, string(f.Name()))
		delete(values, f.JSONName())
		if len(given) > 1 {
			return badField(string(f.Name()), "was given more than once")
		}
		if len(given) == 1 && f.Kind() == protoreflect.Uint64Kind {
			if _, err := strconv.ParseUint(given[0], 10, 64); err != nil {
				return badField(string(f.Name()), fmt.Sprintf("must be a number from 0 to 2^64-1, not %q", given[0]))
			}
		}
	}
	if len(values) == 0 {
		return nil
	}
	name := slices.Sorted(maps.Keys(values))[0]
	switch {
	case r.body == "*":
		return badField(name, fmt.Sprintf("%s %s takes its fields in the body, not as parameters", r.verb, r.path))
	case len(known) == 0:
		return badField(name, fmt.Sprintf("%s %s takes no parameters", r.verb, r.path))
	}
	return badField(name, "unknown parameter; known are "+strings.Join(known, ", "))
}

// parseQuery is req.URL.Query, which leaves out what it cannot read.
func parseQuery(req *http.Request) (map[string][]string, error) {
	if err := req.ParseForm(); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "query: %v", err)
	}
	return req.URL.Query(), nil
}

func checkJSON(body []byte, r route) error {
	message := dynamicpb.NewMessage(r.inBody())
	whole := protojson.Unmarshal(body, message)
	if whole == nil {
		return nil
	}
	prefix := ""
	if r.body != "*" {
		prefix = r.body + "."
	}
	if err := blame(body, r.inBody(), prefix); err != nil {
		return err
	}
	return status.Errorf(codes.InvalidArgument, "body: %s", plain(whole))
}

// blame finds the field because of which a JSON object is not such a message, by trying each one alone.
// It returns nil when it is none of the fields, but the JSON itself.
func blame(object []byte, d protoreflect.MessageDescriptor, prefix string) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		f := d.Fields().ByJSONName(name)
		if f == nil {
			f = d.Fields().ByTextName(name)
		}
		if f == nil {
			return badField(prefix+name, "unknown field; known are "+fieldNames(d))
		}
		alone, err := json.Marshal(map[string]json.RawMessage{name: value})
		if err != nil || protojson.Unmarshal(alone, dynamicpb.NewMessage(d)) == nil {
			continue
		}
		path := prefix + string(f.Name())
		if f.Message() != nil && !f.IsMap() && !f.IsList() {
			if err := blame(value, f.Message(), path+"."); err != nil {
				return err
			}
		}
		return badField(path, fmt.Sprintf("must be %s, not %s", wanted(f), shortened(value)))
	}
	return nil
}

// wanted is what JSON a field takes.
func wanted(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "an object of strings"
	case f.IsList():
		return "a list"
	case f.Message() != nil && f.Message().FullName() == (&durationpb.Duration{}).ProtoReflect().Descriptor().FullName():
		return `a time in seconds such as "30s"`
	case f.Message() != nil && strings.HasSuffix(string(f.Message().FullName()), ".Timestamp"):
		return `a time such as "2026-01-02T15:04:05Z"`
	case f.Message() != nil:
		return "an object"
	case f.Kind() == protoreflect.StringKind:
		return "a string"
	case f.Kind() == protoreflect.Uint32Kind:
		return "a number from 0 to 4294967295"
	}
	return "a value of type " + f.Kind().String()
}

func fieldNames(d protoreflect.MessageDescriptor) string {
	if d.Fields().Len() == 0 {
		return "none"
	}
	var out []string
	for i := range d.Fields().Len() {
		out = append(out, string(d.Fields().Get(i).Name()))
	}
	return strings.Join(out, ", ")
}

// shortened is a JSON value for a message.
func shortened(value []byte) string {
	const most = 60
	if len(value) > most {
		return strings.ToValidUTF8(string(value[:most]), "") + "…"
	}
	return string(value)
}

// plain is the text of a protojson error, which has a varying blank to keep programs from reading it.
func plain(err error) string {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return strings.TrimPrefix(text, "proto: ")
}
