package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
)

// triesPerCall is how many members that do not answer at all a call can get over: each try has
// that part of the time of the call.
const triesPerCall = 3

// maxPause bounds the wait between two tries of a call that failed.
const maxPause = 100 * time.Millisecond

// errSilent stands for an answer that did not come in time.
var errSilent = errors.New("it is silent")

// errBusy is when a change lost each race.
var errBusy = errors.New("other replicas change the group all the time")

// bound limits ctx to the timeout and to the life of the store.
func (s *Store) bound(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// txn makes one try of a transaction. Without conditions all of then is done; if that only reads,
// the answer is linearizable. A member that knows of no leader refuses at once.
func (s *Store) txn(ctx context.Context, conditions []clientv3.Cmp, then, otherwise []clientv3.Op) (*clientv3.TxnResponse, error) {
	try, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), s.cfg.CallTimeout/triesPerCall)
	defer cancel()
	resp, err := s.client.Txn(try).If(conditions...).Then(then...).Else(otherwise...).Commit()
	if err != nil {
		return nil, plain(err)
	}
	s.answers()
	return resp, nil
}

// read is a transaction that only reads, tried again until the timeout.
func (s *Store) read(ctx context.Context, timeout time.Duration, ops ...clientv3.Op) (*clientv3.TxnResponse, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	timeout = bootstrap.Patience(ctx, timeout)
	within, cancel := s.bound(ctx, timeout)
	defer cancel()
	resp, err := s.readWithin(within, ops...)
	if err != nil {
		return nil, s.explain(ctx, timeout, err)
	}
	return resp, nil
}

// readWithin is read until ctx ends, with the error of its tries. While etcd is known to be silent there is one try: it
// finds out whether that is still so, and callers are told at once.
func (s *Store) readWithin(ctx context.Context, ops ...clientv3.Op) (*clientv3.TxnResponse, error) {
	var last error
	for try := 0; ; try++ {
		resp, err := s.txn(ctx, nil, ops, nil)
		if err == nil {
			return resp, nil
		}
		last = worse(last, err)
		if !transient(err) || s.silent.Load() || pause(ctx, try) != nil {
			return nil, last
		}
	}
}

// rangeOf is the i-th answer of a transaction that consists of gets.
func rangeOf(resp *clientv3.TxnResponse, i int) *etcdserverpb.RangeResponse {
	return resp.Responses[i].GetResponseRange()
}

// pause waits between tries, at random so that replicas do not meet again.
func pause(ctx context.Context, try int) error {
	t := time.NewTimer(rand.N(min(maxPause, 5*time.Millisecond<<min(try, 5))))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transient says whether the same may work a moment later, on another member perhaps. After such an
// error nobody knows whether a change was made.
func transient(err error) bool {
	if errors.Is(err, errSilent) || errors.Is(err, context.Canceled) {
		return true
	}
	var e rpctypes.EtcdError
	if errors.As(err, &e) {
		return e.Code() == codes.Unavailable || errors.Is(err, rpctypes.ErrTooManyRequests)
	}
	var u unavailable
	return errors.As(err, &u)
}

// unavailable is an error of the connection to etcd.
type unavailable string

func (e unavailable) Error() string { return string(e) }

// plain is an error of the client without what only gRPC understands.
func plain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errSilent
	}
	var e rpctypes.EtcdError
	if errors.As(err, &e) || errors.Is(err, context.Canceled) {
		return err
	}
	st, ok := status.FromError(err)
	switch {
	case !ok:
		return err
	case st.Code() == codes.DeadlineExceeded:
		return errSilent
	case st.Code() == codes.Canceled:
		return context.Canceled
	case st.Code() == codes.Unavailable, st.Code() == codes.Internal:
		return unavailable(bootstrap.Reason(st.Message()))
	}
	return errors.New(st.Message())
}

// worse is the error of two tries that says more.
func worse(last, err error) error {
	if last != nil && (errors.Is(err, errSilent) || errors.Is(err, context.Canceled)) {
		return last
	}
	return err
}

// usable returns the error of a call that should not begin.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.ctx.Err() != nil {
		return bootstrap.ErrClosed
	}
	return nil
}

// explain is the error of a call: that of its caller's ctx if it ended, or what is wrong with etcd. It is
// never one of a context that the caller does not know.
func (s *Store) explain(ctx context.Context, timeout time.Duration, err error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if errors.Is(err, errBusy) {
		return fmt.Errorf("etcd: no turn within %v: %w", timeout.Round(time.Millisecond), err)
	}
	if !transient(err) {
		return fmt.Errorf("etcd: %w", err)
	}
	if errors.Is(err, context.Canceled) {
		err = errSilent
	}
	impatient := errors.Is(err, errSilent) && timeout < min(bootstrap.Silence, s.cfg.CallTimeout)
	if !impatient && s.silent.CompareAndSwap(false, true) {
		s.log.Warn().Err(err).Msg("etcd does not answer")
	}
	return fmt.Errorf("etcd at %s gave no answer within %v: %w", strings.Join(s.cfg.Endpoints, ","), timeout.Round(time.Millisecond), err)
}

// answers notes that etcd works.
func (s *Store) answers() {
	if s.silent.Load() && s.silent.CompareAndSwap(true, false) {
		s.log.Info().Msg("etcd answers again")
	}
}
