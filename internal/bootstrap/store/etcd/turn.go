package etcd

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A replica that wins a race knows the group already, and one that loses has to decode and change the roster that
// it got, which takes longer the larger that is. So the winner tends to win again. A replica that lost eagerTries
// races in a row therefore asks for its turn, by a key that keeps others from the group until the replica has
// made its change. The key is written by the transaction that loses, and deleted by the one that wins.

const (
	// eagerTries is how many races in a row a batch loses before it asks for its turn.
	eagerTries = 3
	// turnPatience is how long others leave the group to the one whose turn it is. It is much more than a change
	// needs, and little to wait for a replica that died in its turn.
	turnPatience = 250 * time.Millisecond
)

// turn is what an attempt knows of whose turn it is.
type turn struct {
	mine    bool
	mod     int64     // the etcd revision of another's turn; 0 for none
	since   time.Time // when that turn was seen first
	expired bool      // another's turn takes too long, and is ended
}

func (s *Store) turnKey(group string) string { return s.cfg.Prefix + "/" + turnsElement + "/" + group }

// takeTurns adds to a transaction on a group what lets others have their turn, and asks for one if that is due. The
// last of otherwise reads the turn.
func (s *Store) takeTurns(a *attempt, group string, conditions []clientv3.Cmp, then, otherwise []clientv3.Op) (_ []clientv3.Cmp, _, _ []clientv3.Op) {
	key := s.turnKey(group)
	nobodys := clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
	switch {
	case a.turn.mine:
		conditions = append(conditions, clientv3.Compare(clientv3.Value(key), "=", s.id))
		then = append(then, clientv3.OpDelete(key))
	case a.turn.expired:
		conditions = append(conditions, clientv3.Compare(clientv3.ModRevision(key), "=", a.turn.mod))
		then = append(then, clientv3.OpDelete(key))
	default:
		conditions = append(conditions, nobodys)
	}
	if a.conflicts >= eagerTries && !a.turn.mine && a.at.mod != 0 { // new groups race for the meta key
		ask := clientv3.OpTxn([]clientv3.Cmp{nobodys}, []clientv3.Op{clientv3.OpPut(key, s.id)}, nil)
		otherwise = append(otherwise, ask)
	}
	return conditions, then, append(otherwise, clientv3.OpGet(key))
}

// endTurn lets others go on when no change is made after all. If this fails they go on a little later.
func (s *Store) endTurn(ctx context.Context, a *attempt, group string) {
	if !a.turn.mine {
		return
	}
	key := s.turnKey(group)
	mine := clientv3.Compare(clientv3.Value(key), "=", s.id)
	_, _ = s.txn(ctx, []clientv3.Cmp{mine}, []clientv3.Op{clientv3.OpDelete(key)}, nil)
}

// see takes note of whose turn it is, from the answer to a transaction that was not made.
func (t *turn) see(id string, resp *clientv3.TxnResponse) {
	kv := first(rangeOf(resp, len(resp.Responses)-1).Kvs)
	switch {
	case kv == nil:
		*t = turn{}
	case string(kv.Value) == id:
		*t = turn{mine: true}
	case kv.ModRevision != t.mod:
		*t = turn{mod: kv.ModRevision, since: time.Now()}
	default:
		t.expired = time.Since(t.since) > turnPatience
	}
}

// others says whether to wait for another replica.
func (t *turn) others() bool { return t.mod != 0 && !t.expired }
