package etcd

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// commit makes one try to replace the state of a group. When the group changed meanwhile it returns what is
// there now, and ErrConflict.
func (s *Store) commit(ctx context.Context, a *attempt, next *bootstrapv1.Roster, value []byte) (*state, error) {
	group, at := next.GetGroup(), a.at
	conditions := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(s.groupKey(group)), "=", at.mod)}
	then := []clientv3.Op{clientv3.OpPut(s.groupKey(group), string(value))}
	switch {
	case len(next.GetPeers()) == 0:
		then = append(then, clientv3.OpPut(s.emptyKey(group), strconv.FormatUint(next.GetRevision(), 10)))
	case len(at.roster.GetPeers()) == 0 && at.mod != 0:
		then = append(then, clientv3.OpDelete(s.emptyKey(group)))
	}
	if at.mod == 0 {
		room, err := s.makeRoom(ctx, at, group)
		if err != nil {
			return nil, err
		}
		if room.taken != nil {
			return room.taken, bootstrap.ErrConflict
		}
		conditions, then = append(conditions, room.conditions...), append(then, room.then...)
	}
	conditions, then, otherwise := s.takeTurns(a, group, conditions, then, s.gets(group))
	resp, err := s.txn(ctx, conditions, then, otherwise)
	if err != nil {
		return nil, err
	}
	if !resp.Succeeded {
		a.turn.see(s.id, resp)
		now, err := s.take(group, resp)
		if err != nil {
			return nil, err
		}
		return now, bootstrap.ErrConflict
	}
	now := &state{roster: next, value: value, mod: resp.Header.Revision}
	s.learn(now)
	return now, nil
}

// room is what a transaction that creates a group needs beside the group.
type room struct {
	conditions []clientv3.Cmp
	then       []clientv3.Op
	taken      *state // the group, if it exists by now
}

// makeRoom counts a new group, and has the transaction forget the group without peers that changed longest ago
// if there are as many as there may be.
func (s *Store) makeRoom(ctx context.Context, at *state, group string) (room, error) {
	m := at.meta
	r := room{conditions: []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(s.metaKey()), "=", at.metaMod)}}
	if m.Groups >= s.cfg.MaxGroups {
		resp, err := s.txn(ctx, nil, append(s.gets(group),
			clientv3.OpGet(s.groupsKey(), clientv3.WithPrefix(), clientv3.WithCountOnly()),
			clientv3.OpGet(s.emptiesKey(), clientv3.WithPrefix(), clientv3.WithLimit(1),
				clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortAscend)),
		), nil)
		if err != nil {
			return room{}, err
		}
		now, err := decodeGets(group, resp)
		if err != nil {
			return room{}, err
		}
		if now.mod != 0 || now.metaMod != at.metaMod {
			return room{taken: now}, nil
		}
		m.Groups = int(rangeOf(resp, 2).Count) // the counter is right unless somebody edited keys
		if m.Groups >= s.cfg.MaxGroups {
			if len(rangeOf(resp, 3).Kvs) == 0 {
				return room{}, bootstrap.ErrTooManyGroups
			}
			oldest := rangeOf(resp, 3).Kvs[0]
			floor, err := strconv.ParseUint(string(oldest.Value), 10, 64)
			if err != nil {
				return room{}, fmt.Errorf("key %s is not a revision: %w", oldest.Key, err)
			}
			name := strings.TrimPrefix(string(oldest.Key), s.emptiesKey())
			r.conditions = append(r.conditions, clientv3.Compare(clientv3.ModRevision(s.emptyKey(name)), "=", oldest.ModRevision))
			r.then = append(r.then, clientv3.OpDelete(s.groupKey(name)), clientv3.OpDelete(s.emptyKey(name)), clientv3.OpDelete(s.turnKey(name)))
			m.Floor = max(m.Floor, floor)
			m.Groups--
		}
	}
	m.Groups++
	r.then = append(r.then, clientv3.OpPut(s.metaKey(), m.encode()))
	return r, nil
}
