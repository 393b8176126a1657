package bootstrap

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Limits of what a request may say. They keep the largest roster, MaxPeers entries of about
// 1.6 KiB each, under the 4 MiB that gRPC accepts as one message.
const (
	DefaultGroup   = "default"
	MaxGroupLength = 64 // characters
	MaxPeers       = 1000
	MaxNameLength  = 64   // bytes
	MaxHostLength  = 253  // bytes; RFC 1035 allows no longer name
	MaxProtocol    = 64   // bytes
	MaxLabels      = 16   // entries
	MaxLabelBytes  = 1024 // keys and values of one peer together
	MinLease       = 100 * time.Millisecond
	MaxLease       = 24 * time.Hour
)

// violations collects what is wrong with a request.
type violations []*errdetails.BadRequest_FieldViolation

func (v *violations) add(field, format string, args ...any) {
	*v = append(*v, &errdetails.BadRequest_FieldViolation{Field: field, Description: fmt.Sprintf(format, args...)})
}

// err is INVALID_ARGUMENT with a google.rpc.BadRequest that names each field, or nil.
func (v violations) err() error {
	if len(v) == 0 {
		return nil
	}
	var text []string
	for _, f := range v {
		text = append(text, f.GetField()+": "+f.GetDescription())
	}
	st := status.New(codes.InvalidArgument, strings.Join(text, "; "))
	if detailed, err := st.WithDetails(&errdetails.BadRequest{FieldViolations: v}); err == nil {
		st = detailed
	}
	return st.Err()
}

// group checks the name of a group and returns it, or DefaultGroup for an empty one.
func (v *violations) group(name string) string {
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}
	if len(name) > MaxGroupLength || strings.ContainsFunc(name, bad) {
		v.add("group", "must be 1 to %d of the characters a-z A-Z 0-9 . _ -", MaxGroupLength)
	}
	return cmp.Or(name, DefaultGroup)
}

func (v *violations) id(field, id string) {
	// Parse accepts other forms of a UUID too; the roster compares ids as text.
	if u, err := uuid.Parse(id); err != nil || u.String() != id {
		v.add(field, "must be a UUID in its usual form, of 36 characters in lower case")
	}
}

// peer checks a peer that was sent as the given field.
func (v *violations) peer(field string, p *bootstrapv1.Peer) {
	if p == nil {
		v.add(field, "must be set")
		return
	}
	v.id(field+".id", p.GetId())
	v.text(field+".name", p.GetName(), 1, MaxNameLength)
	if strings.TrimSpace(p.GetName()) != p.GetName() {
		v.add(field+".name", "must not begin or end with a blank")
	}
	v.host(field+".host", p.GetHost())
	if p.GetPort() < 1 || p.GetPort() > 65535 {
		v.add(field+".port", "must be 1 to 65535, not %d", p.GetPort())
	}
	v.text(field+".protocol", p.GetProtocol(), 0, MaxProtocol)
	if t := p.GetJoinedAt(); t != nil && !t.IsValid() {
		v.add(field+".joined_at", "must be a valid time")
	}
	v.labels(field+".labels", p.GetLabels())
}

// text checks what may come to a terminal: printable, and of least to most bytes.
func (v *violations) text(field, s string, least, most int) bool {
	switch {
	case len(s) < least || len(s) > most:
		v.add(field, "must be %d to %d bytes, not %d", least, most, len(s))
	case !utf8.ValidString(s):
		v.add(field, "must be valid UTF-8")
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		v.add(field, "must not contain control or invisible characters")
	default:
		return true
	}
	return false
}

// host checks an IP address or a host name that others can dial.
func (v *violations) host(field, host string) {
	// The zone of an IPv6 address may be any text, so this comes first.
	if !v.text(field, host, 1, MaxHostLength) {
		return
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.IsUnspecified() || addr.IsMulticast() {
			v.add(field, "must be an address that others can dial, not %s", host)
		}
		return
	}
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}
	if strings.ContainsFunc(host, bad) {
		v.add(field, "must be an IP address or a host name")
	}
}

func (v *violations) labels(field string, labels map[string]string) {
	if len(labels) > MaxLabels {
		v.add(field, "must be at most %d entries, not %d", MaxLabels, len(labels))
		return
	}
	total := 0
	for key, value := range labels {
		v.text(field, key, 1, MaxLabelBytes)
		v.text(field, value, 0, MaxLabelBytes)
		total += len(key) + len(value)
	}
	if total > MaxLabelBytes {
		v.add(field, "must be at most %d bytes together, not %d", MaxLabelBytes, total)
	}
}

// configFields are the paths that an update_mask may name.
var configFields = []string{"max_peers", "min_refill_candidates", "lease"}

// config checks an update of a configuration and returns it with the fields only that are to
// change, the others zero.
func (v *violations) config(c *bootstrapv1.Config, mask *fieldmaskpb.FieldMask) *bootstrapv1.Config {
	for _, path := range mask.GetPaths() {
		if !slices.Contains(configFields, path) {
			v.add("update_mask", "knows %s, not %q", strings.Join(configFields, ", "), path)
		}
	}
	out := &bootstrapv1.Config{}
	wanted := func(field string, isSet bool) bool {
		if len(mask.GetPaths()) == 0 {
			return isSet
		}
		return slices.Contains(mask.GetPaths(), field)
	}
	if wanted("max_peers", c.GetMaxPeers() != 0) {
		out.MaxPeers = v.count("config.max_peers", c.GetMaxPeers())
	}
	if wanted("min_refill_candidates", c.GetMinRefillCandidates() != 0) {
		out.MinRefillCandidates = v.count("config.min_refill_candidates", c.GetMinRefillCandidates())
	}
	if wanted("lease", c.GetLease() != nil) {
		out.Lease = c.GetLease()
		lease := c.GetLease().AsDuration()
		if !c.GetLease().IsValid() || lease < MinLease || lease > MaxLease {
			v.add("config.lease", "must be %v to %v, not %v", MinLease, MaxLease, lease)
		}
	}
	return out
}

func (v *violations) count(field string, n uint32) uint32 {
	if n < 1 || n > MaxPeers {
		v.add(field, "must be 1 to %d, not %d", MaxPeers, n)
	}
	return n
}
