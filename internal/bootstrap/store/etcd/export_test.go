package etcd

import (
	"context"

	"google.golang.org/grpc"
)

// OpenWith is Open with options for the connections to etcd.
func OpenWith(ctx context.Context, cfg Config, options ...grpc.DialOption) (*Store, error) {
	return open(ctx, cfg, options...)
}

// Feeds is how many groups are watched.
func (s *Store) Feeds() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.feeds)
}
