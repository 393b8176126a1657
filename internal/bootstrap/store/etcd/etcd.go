package etcd

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

const (
	// healthTimeout bounds Healthy, which others wait for.
	healthTimeout = time.Second
	// keepAlive is after how much silence a connection is tested, and keepAliveTimeout how long that
	// may take; etcd refuses clients that ask more often than every 5 s, and gRPC asks at most every 10 s.
	keepAlive, keepAliveTimeout = 10 * time.Second, 3 * time.Second
	// maxRedial bounds the time between two attempts to connect to a member; gRPC's own bound of two minutes
	// would make a store that is back look down.
	maxRedial = time.Second
)

// Store implements bootstrap.Store and bootstrap.Updater.
type Store struct {
	cfg    Config
	log    zerolog.Logger
	client *clientv3.Client
	id     string // tells this store from those of other replicas

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	once     sync.Once
	closeErr error // written by once

	silent    atomic.Bool // etcd does not answer
	conflicts atomic.Uint64

	mu     sync.Mutex
	closed bool              // guarded by mu; no task starts from then on
	lanes  map[string]*lane  // guarded by mu; groups with changes under way
	feeds  map[string]*feed  // guarded by mu; groups with watchers
	cache  map[string]*state // guarded by mu; what was last seen of some groups, as a guess
	failed error             // guarded by mu; why etcd refused the last change, nil if it did not
}

var (
	_ bootstrap.Store   = (*Store)(nil)
	_ bootstrap.Updater = (*Store)(nil)
)

// Open connects to a cluster, and returns an error if that does not answer within the timeout of a call, or
// holds something else under the prefix.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	return open(ctx, cfg)
}

func open(ctx context.Context, cfg Config, options ...grpc.DialOption) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{
		cfg:   cfg.withDefaults(),
		id:    rand.Text(),
		log:   cfg.Log.With().Str("component", "etcd").Logger(),
		lanes: make(map[string]*lane),
		feeds: make(map[string]*feed),
		cache: make(map[string]*state),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, s.cancel) // the client has no context for its start alone
	client, err := clientv3.New(s.clientConfig(options))
	if err != nil {
		stop()
		defer s.cancel()
		return nil, fmt.Errorf("open %v: %w", cfg, s.explain(ctx, s.cfg.CallTimeout, plain(err)))
	}
	s.client = client
	_, err = s.load(ctx, "") // no group has this name, so this reads the meta key
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open %v: %w", cfg, err)
	}
	return s, nil
}

func (s *Store) clientConfig(options []grpc.DialOption) clientv3.Config {
	scheme := "http://"
	if s.cfg.TLS != nil {
		scheme = "https://"
	}
	endpoints := make([]string, 0, len(s.cfg.Endpoints))
	for _, e := range s.cfg.Endpoints {
		endpoints = append(endpoints, scheme+e)
	}
	redial := backoff.DefaultConfig
	redial.BaseDelay, redial.MaxDelay = 50*time.Millisecond, maxRedial
	return clientv3.Config{
		Endpoints:            endpoints,
		DialTimeout:          s.cfg.CallTimeout, // of the login
		DialKeepAliveTime:    keepAlive,
		DialKeepAliveTimeout: keepAliveTimeout,
		TLS:                  s.cfg.TLS,
		Username:             s.cfg.Username,
		Password:             s.cfg.Password,
		Context:              s.ctx,
		Logger:               zap.NewNop(), // what it would say comes back as an error
		DialOptions: append([]grpc.DialOption{
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: redial, MinConnectTimeout: s.cfg.CallTimeout}),
			grpc.WithChainUnaryInterceptor(failFast),
		}, options...),
	}
}

// failFast has a call that finds no connection fail with the reason, such as a certificate that is not trusted.
// The client would wait, and know no reason when the deadline comes.
func failFast(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return call(ctx, method, req, reply, conn, append(opts, grpc.WaitForReady(false))...)
}

// Close ends all watches and calls, and waits for them. A change that is under way may still be made. It is
// idempotent.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.cancel()
		s.tasks.Wait()
		s.closeErr = s.client.Close()
	})
	return s.closeErr
}

// Load reads the roster from etcd. It is linearizable.
func (s *Store) Load(ctx context.Context, group string) (*bootstrapv1.Roster, error) {
	st, err := s.load(ctx, group)
	if err != nil {
		return nil, err
	}
	return st.roster, nil
}

// load reads a group, or what a new group starts from.
func (s *Store) load(ctx context.Context, group string) (*state, error) {
	st, _, err := s.loadAt(ctx, group)
	return st, err
}

// loadAt is load with the revision of etcd at which that was so.
func (s *Store) loadAt(ctx context.Context, group string) (*state, int64, error) {
	resp, err := s.read(ctx, s.cfg.CallTimeout, s.gets(group)...)
	if err != nil {
		return nil, 0, err
	}
	st, err := s.take(group, resp)
	return st, resp.Header.Revision, err
}

// loadWithin is load until ctx ends, with the error of its tries.
func (s *Store) loadWithin(ctx context.Context, group string) (*state, error) {
	resp, err := s.readWithin(ctx, s.gets(group)...)
	if err != nil {
		return nil, err
	}
	return s.take(group, resp)
}

// take decodes the answer to gets, and takes note of it.
func (s *Store) take(group string, resp *clientv3.TxnResponse) (*state, error) {
	st, err := decodeGets(group, resp)
	if err == nil {
		s.learn(st)
	}
	return st, err
}

// gets reads a group and the meta key, for decodeGets.
func (s *Store) gets(group string) []clientv3.Op {
	return []clientv3.Op{clientv3.OpGet(s.groupKey(group)), clientv3.OpGet(s.metaKey())}
}

func decodeGets(group string, resp *clientv3.TxnResponse) (*state, error) {
	return decode(group, first(rangeOf(resp, 0).Kvs), first(rangeOf(resp, 1).Kvs))
}

// first is the first of kvs, or nil.
func first[T any](kvs []*T) *T {
	if len(kvs) == 0 {
		return nil
	}
	return kvs[0]
}

// Groups are the names of all groups.
func (s *Store) Groups(ctx context.Context) ([]string, error) {
	resp, err := s.read(ctx, s.cfg.CallTimeout, clientv3.OpGet(s.groupsKey(), clientv3.WithPrefix(), clientv3.WithKeysOnly()))
	if err != nil {
		return nil, err
	}
	return s.names(rangeOf(resp, 0).Kvs), nil
}

// Healthy returns nil when etcd answers a linearizable read, for which it needs a leader and
// most of its members, within a second. When etcd refused the last change, for its quota perhaps, Healthy
// tries whether it takes one again.
func (s *Store) Healthy(ctx context.Context) error {
	timeout := min(healthTimeout, s.cfg.CallTimeout)
	resp, err := s.read(ctx, timeout, s.gets("")...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	failed := s.failed
	s.mu.Unlock()
	if failed == nil {
		return nil
	}
	st, err := decodeGets("", resp)
	if err != nil {
		return err
	}
	unchanged := clientv3.Compare(clientv3.ModRevision(s.metaKey()), "=", st.metaMod)
	if _, err := s.txn(ctx, []clientv3.Cmp{unchanged}, []clientv3.Op{clientv3.OpPut(s.metaKey(), st.meta.encode())}, nil); err != nil {
		return s.explain(ctx, timeout, err)
	}
	s.refused(nil)
	return nil
}

// refused notes why etcd refused a change, or that it did not.
func (s *Store) refused(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

// Conflicts is how many transactions lost a race since Open.
func (s *Store) Conflicts() uint64 { return s.conflicts.Load() }
