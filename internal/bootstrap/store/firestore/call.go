package firestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	vkit "cloud.google.com/go/firestore/apiv1"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
)

// maxPause bounds the wait between two tries.
const maxPause = 400 * time.Millisecond

// dial returns a client that tries each call once: whether a change may be tried again is ours to judge. It is
// the generated client, since the one above it reads the environment, waits up to a minute before it
// listens again, and has a stream for each document.
func dial(ctx context.Context, c Config, options []option.ClientOption) (*vkit.Client, error) {
	transport := []grpc.DialOption{
		// gRPC by itself waits up to two minutes before it connects again; calls fail meanwhile.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		// A watch sends nothing, so nobody else would find that its connection is dead. Google's own clients for
		// phones do the same every 30 s.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
	}
	var opts []option.ClientOption
	if c.Endpoint != "" {
		conn, err := grpc.NewClient("passthrough:///"+c.Endpoint, append(transport,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithPerRPCCredentials(emulatorOwner{}),
			grpc.WithNoProxy(),
		)...)
		if err != nil {
			return nil, err
		}
		opts = []option.ClientOption{option.WithGRPCConn(conn)}
	} else {
		for _, o := range transport {
			opts = append(opts, option.WithGRPCDialOption(o))
		}
	}
	client, err := vkit.NewClient(ctx, append(opts, options...)...)
	if err != nil {
		return nil, err
	}
	client.CallOptions = &vkit.CallOptions{}
	return client, nil
}

// emulatorOwner is what Google's emulators take for a client that no security rules apply to.
type emulatorOwner struct{}

func (emulatorOwner) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer owner"}, nil
}

func (emulatorOwner) RequireTransportSecurity() bool { return false }

// get makes one try to read documents, all as they are at one moment. One that is not there is nil.
func (s *Store) get(ctx context.Context, names ...string) (map[string]*pb.Document, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the stream also when it is not read to its end
	defer cancel()
	stream, err := s.client.BatchGetDocuments(ctx, &pb.BatchGetDocumentsRequest{Database: s.cfg.database(), Documents: names})
	if err != nil {
		return nil, err
	}
	docs := make(map[string]*pb.Document, len(names))
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if d := resp.GetFound(); d != nil {
			docs[d.GetName()] = d
		} else if name := resp.GetMissing(); name != "" {
			docs[name] = nil
		}
	}
	for _, name := range names {
		if _, ok := docs[name]; !ok {
			return nil, status.Errorf(codes.Internal, "no answer for document %s", name)
		}
	}
	return docs, nil
}

// write makes one try to make all of the writes, or none.
func (s *Store) write(ctx context.Context, writes ...*pb.Write) (*pb.CommitResponse, error) {
	return s.client.Commit(ctx, &pb.CommitRequest{Database: s.cfg.database(), Writes: writes})
}

// query makes one try to read the documents that a query finds.
func (s *Store) query(ctx context.Context, q *pb.StructuredQuery, take func(*pb.Document) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.client.RunQuery(ctx, &pb.RunQueryRequest{
		Parent:    s.cfg.documents(),
		QueryType: &pb.RunQueryRequest_StructuredQuery{StructuredQuery: q},
	})
	if err != nil {
		return err
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if d := resp.GetDocument(); d != nil {
			if err := take(d); err != nil {
				return err
			}
		}
	}
}

// call runs a read within the timeout of a call, and within the life of the store.
func (s *Store) call(ctx context.Context, f func(ctx context.Context) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	timeout := bootstrap.Patience(ctx, s.cfg.CallTimeout)
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	if err := f(within); err != nil {
		return s.explain(ctx, timeout, err)
	}
	s.answers()
	return nil
}

// retry tries what changes nothing until ctx ends. Its error is that of a try. While Firestore is known not to answer
// there is one try: it finds out whether that is still so, and callers are told at once.
func (s *Store) retry(ctx context.Context, f func() error) error {
	var last error
	for try := 0; ; try++ {
		err := f()
		if err == nil {
			return nil
		}
		last = clearer(last, err)
		if !transient(err) || s.silent.Load() || pause(ctx, try) != nil {
			return last
		}
	}
}

// pause waits between tries, at random so that replicas do not meet again, and longer each time.
func pause(ctx context.Context, try int) error {
	t := time.NewTimer(rand.N(min(maxPause, 10*time.Millisecond<<min(try, 10))))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// codeOf is the code of an error of Firestore, or of a context of ours that ended.
func codeOf(err error) codes.Code {
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return status.FromContextError(err).Code()
}

// silent says whether an error only tells that time was up.
func silent(err error) bool {
	c := codeOf(err)
	return c == codes.DeadlineExceeded || c == codes.Canceled
}

// transient says whether the same may work a moment later. After such an error of a change nobody knows
// whether it was made, except after Aborted, when it was not.
func transient(err error) bool {
	switch codeOf(err) {
	case codes.Unavailable, codes.Internal, codes.Aborted, codes.DeadlineExceeded, codes.Canceled:
		return true
	default:
		return false
	}
}

// clearer is the error of two tries that says more.
func clearer(last, err error) error {
	if last != nil && silent(err) {
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

// explain is the error of a call: that of its caller's ctx if it ended, or what is wrong with Firestore. It is
// never one of a context that the caller does not know.
func (s *Store) explain(ctx context.Context, timeout time.Duration, err error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	st, ok := status.FromError(err)
	impatient := silent(err) && timeout < min(bootstrap.Silence, s.cfg.CallTimeout)
	switch {
	case silent(err):
		err = errors.New("it is silent")
	case !ok:
		return fmt.Errorf("firestore: %w", err)
	case !transient(err):
		return fmt.Errorf("firestore: %s: %s", st.Code(), st.Message())
	default:
		err = fmt.Errorf("%s: %s", st.Code(), bootstrap.Reason(st.Message()))
	}
	if !impatient && s.silent.CompareAndSwap(false, true) {
		s.log.Warn().Err(err).Msg("firestore does not answer")
	}
	return fmt.Errorf("firestore gave no answer within %v: %w", timeout.Round(time.Millisecond), err)
}

// answers notes that Firestore works.
func (s *Store) answers() {
	if s.silent.Load() && s.silent.CompareAndSwap(true, false) {
		s.log.Info().Msg("firestore answers again")
	}
}
