package etcd

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// format is the number of the layout that the package comment describes.
const format = 1

const (
	groupsElement = "groups"
	emptyElement  = "empty"
	turnsElement  = "turns"
)

func (s *Store) groupsKey() string           { return s.cfg.Prefix + "/" + groupsElement + "/" }
func (s *Store) emptiesKey() string          { return s.cfg.Prefix + "/" + emptyElement + "/" }
func (s *Store) groupKey(name string) string { return s.groupsKey() + name }
func (s *Store) emptyKey(name string) string { return s.emptiesKey() + name }
func (s *Store) metaKey() string             { return s.cfg.Prefix + "/meta" }

// meta is the value of the meta key, as JSON.
type meta struct {
	Format int    `json:"format"`
	Groups int    `json:"groups"` // how many there are
	Floor  uint64 `json:"floor"`  // the revision of every unknown group
}

// state is what etcd holds of a group at one moment.
type state struct {
	roster *bootstrapv1.Roster
	value  []byte // the roster as it is stored
	mod    int64  // the etcd revision of the last change of the group's key; 0 if there is no such key

	// The meta key, only if there is no key of the group: a group is created from these.
	meta    meta
	metaMod int64 // as mod
}

// decode reads the state of a group from its key and the meta key, of which either may be nil.
func decode(name string, group, metaKey *mvccpb.KeyValue) (*state, error) {
	if group != nil {
		return decodeGroup(name, group)
	}
	st := &state{meta: meta{Format: format}}
	if metaKey != nil {
		if err := json.Unmarshal(metaKey.Value, &st.meta); err != nil {
			return nil, fmt.Errorf("key %s is not of peerlab: %w", metaKey.Key, err)
		}
		st.metaMod = metaKey.ModRevision
	}
	if st.meta.Format != format {
		return nil, fmt.Errorf("key %s: it has format %d, and this version knows %d", metaKey.Key, st.meta.Format, format)
	}
	st.roster = &bootstrapv1.Roster{Group: name, Revision: st.meta.Floor}
	return st, nil
}

func decodeGroup(name string, kv *mvccpb.KeyValue) (*state, error) {
	r := &bootstrapv1.Roster{}
	if err := proto.Unmarshal(kv.Value, r); err != nil {
		return nil, fmt.Errorf("key %s is not a roster: %w", kv.Key, err)
	}
	if r.GetGroup() != name {
		return nil, fmt.Errorf("key %s: it is the roster of %q", kv.Key, r.GetGroup())
	}
	return &state{roster: r, value: kv.Value, mod: kv.ModRevision}, nil
}

// encode is deterministic, so that a value that was written can be told from others.
func encode(r *bootstrapv1.Roster) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(r)
}

func (m meta) encode() string {
	text, _ := json.Marshal(m) // cannot fail: numbers only
	return string(text)
}

// names are the groups whose keys these are.
func (s *Store) names(kvs []*mvccpb.KeyValue) []string {
	names := make([]string, 0, len(kvs))
	for _, kv := range kvs {
		names = append(names, strings.TrimPrefix(string(kv.Key), s.groupsKey()))
	}
	return names
}
