package fakefirestore_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
)

// client is Google's own client of a server.
func client(t *testing.T, addr string) *firestore.Client {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := firestore.NewClient(t.Context(), "test-project", option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	doc := client(t, fakefirestore.Start(t).Addr()).Doc("c/d")
	_, err := doc.Get(t.Context())
	wantCode(t, "get of nothing", err, codes.NotFound)
	_, err = doc.Update(t.Context(), []firestore.Update{{Path: "n", Value: 1}})
	wantCode(t, "update of nothing", err, codes.NotFound)
	created := must(doc.Create(t.Context(), map[string]any{"n": 1, "s": "x"}))(t)
	_, err = doc.Create(t.Context(), map[string]any{"n": 2})
	wantCode(t, "create of what is there", err, codes.AlreadyExists)

	changed := must(doc.Update(t.Context(), []firestore.Update{
		{Path: "n", Value: 2}, {Path: "s", Value: firestore.Delete}, {Path: "at", Value: firestore.ServerTimestamp},
	}, firestore.LastUpdateTime(created.UpdateTime)))(t)
	got := must(doc.Get(t.Context()))(t)
	at, _ := got.Data()["at"].(time.Time)
	if got.Data()["n"] != int64(2) || got.Data()["s"] != nil || !at.Equal(changed.UpdateTime) || !got.UpdateTime.Equal(changed.UpdateTime) {
		t.Errorf("after an update: %v at %v, want at %v", got.Data(), got.UpdateTime, changed.UpdateTime)
	}
	if !got.CreateTime.Equal(created.UpdateTime) || !got.UpdateTime.After(got.CreateTime) {
		t.Errorf("created %v, updated %v", got.CreateTime, got.UpdateTime)
	}

	stale := firestore.LastUpdateTime(created.UpdateTime)
	_, err = doc.Update(t.Context(), []firestore.Update{{Path: "n", Value: 3}}, stale)
	wantCode(t, "update from before", err, codes.FailedPrecondition)
	_, err = doc.Delete(t.Context(), stale)
	wantCode(t, "delete from before", err, codes.FailedPrecondition)
	_, err = doc.Set(t.Context(), map[string]any{"big": make([]byte, 1<<20)})
	wantCode(t, "a document over the limit", err, codes.InvalidArgument)
	must(doc.Delete(t.Context(), firestore.LastUpdateTime(changed.UpdateTime)))(t)
	_, err = doc.Get(t.Context())
	wantCode(t, "get after delete", err, codes.NotFound)
}

func TestBatchIsAtomic(t *testing.T) {
	t.Parallel()
	c := client(t, fakefirestore.Start(t).Addr())
	must(c.Doc("c/there").Set(t.Context(), map[string]any{"n": 1}))(t)
	batch := c.Batch() //nolint:staticcheck // it is atomic, and what replaces it is not
	batch.Set(c.Doc("c/first"), map[string]any{"n": 1})
	batch.Create(c.Doc("c/there"), map[string]any{"n": 2})
	_, err := batch.Commit(t.Context())
	wantCode(t, "a batch with a bad write", err, codes.AlreadyExists)
	_, err = c.Doc("c/first").Get(t.Context())
	wantCode(t, "the other write", err, codes.NotFound)
}

// Two clients count to 40 together.
func TestTransactions(t *testing.T) {
	t.Parallel()
	addr := fakefirestore.Start(t).Addr()
	clients := []*firestore.Client{client(t, addr), client(t, addr)}
	must(clients[0].Doc("c/d").Set(t.Context(), map[string]any{"n": 0}))(t)
	increment := func(c *firestore.Client) error {
		doc := c.Doc("c/d")
		return c.RunTransaction(t.Context(), func(_ context.Context, tx *firestore.Transaction) error {
			d, err := tx.Get(doc)
			if err != nil {
				return err
			}
			return tx.Update(doc, []firestore.Update{{Path: "n", Value: d.Data()["n"].(int64) + 1}})
		}, firestore.MaxAttempts(100))
	}
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			for range 20 {
				if err := increment(c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := must(clients[1].Doc("c/d").Get(t.Context()))(t).Data()["n"]; n != int64(40) {
		t.Errorf("counted to %v, want 40", n)
	}
}

// A transaction loses against a write, also when the document was not there.
func TestTransactionLoses(t *testing.T) {
	t.Parallel()
	c := client(t, fakefirestore.Start(t).Addr())
	err := c.RunTransaction(t.Context(), func(ctx context.Context, tx *firestore.Transaction) error {
		if _, err := tx.Get(c.Doc("c/d")); status.Code(err) != codes.NotFound {
			return err
		}
		if _, err := c.Doc("c/d").Set(ctx, map[string]any{"n": 1}); err != nil {
			return err
		}
		return tx.Set(c.Doc("c/d"), map[string]any{"n": 2})
	}, firestore.MaxAttempts(1))
	wantCode(t, "a transaction that was overtaken", err, codes.Aborted)
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	server := fakefirestore.Start(t)
	doc := client(t, server.Addr()).Doc("c/d")
	it := doc.Snapshots(t.Context())
	defer it.Stop()
	if d := must(it.Next())(t); d.Exists() {
		t.Errorf("first snapshot: %v, want none", d.Data())
	}
	for i := range 3 {
		must(doc.Set(t.Context(), map[string]any{"n": i}))(t)
		if d := must(it.Next())(t); d.Data()["n"] != int64(i) {
			t.Errorf("snapshot: %v, want %d", d.Data(), i)
		}
	}
	must(doc.Delete(t.Context()))(t)
	if d := must(it.Next())(t); d.Exists() {
		t.Errorf("last snapshot: %v, want none", d.Data())
	}
	if n := server.Stats().Streams; n != 1 {
		t.Errorf("%d streams, want 1", n)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	c := client(t, fakefirestore.Start(t).Addr())
	for i, id := range []string{"b", "c", "a"} {
		must(c.Doc("c/"+id).Set(t.Context(), map[string]any{"n": i}))(t)
	}
	must(c.Doc("c/without").Set(t.Context(), map[string]any{"m": 1}))(t)
	must(c.Doc("c/a/below/d").Set(t.Context(), map[string]any{"n": 9}))(t)
	for want, q := range map[string]firestore.Query{
		"[a b c without]": c.Collection("c").Query,
		"[b c a]":         c.Collection("c").OrderBy("n", firestore.Asc),
		"[a c]":           c.Collection("c").OrderBy("n", firestore.Desc).Limit(2),
		"[]":              c.Collection("none").OrderBy("n", firestore.Desc),
	} {
		docs, err := q.Documents(t.Context()).GetAll()
		ids := []string{}
		for _, d := range docs {
			ids = append(ids, d.Ref.ID)
		}
		if fmt.Sprint(ids) != want || err != nil {
			t.Errorf("query: %v, %v; want %s", ids, err, want)
		}
	}
	var listed []string
	for refs := c.Collection("c").Select("n").Documents(t.Context()); ; {
		d, err := refs.Next()
		if err == iterator.Done { //nolint:errorlint // as its documentation says
			break
		}
		listed = append(listed, fmt.Sprint(must(d, err)(t).Data()))
	}
	if got := fmt.Sprint(listed); got != "[map[n:2] map[n:0] map[n:1] map[]]" {
		t.Errorf("projection: %s", got)
	}
}

// What the server lacks it says.
func TestUnimplemented(t *testing.T) {
	t.Parallel()
	c := client(t, fakefirestore.Start(t).Addr())
	_, err := c.Doc("c/d").Set(t.Context(), map[string]any{"n": firestore.Increment(1)})
	wantUnimplemented(t, err, "transform")
	_, err = c.Collection("c").Where("n", "==", 1).Documents(t.Context()).GetAll()
	wantUnimplemented(t, err, "where")
	_, err = c.CollectionGroup("c").Documents(t.Context()).GetAll()
	wantUnimplemented(t, err, "one collection")
	it := c.Collection("c").Snapshots(t.Context())
	defer it.Stop()
	_, err = it.Next()
	wantUnimplemented(t, err, "list of documents")
	_, err = c.Collections(t.Context()).GetAll()
	wantUnimplemented(t, err, "ListCollectionIds")
}

func wantUnimplemented(t *testing.T, err error, what string) {
	t.Helper()
	if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), what) {
		t.Errorf("%v, want that %q is not implemented", err, what)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	server := fakefirestore.Start(t)
	faulty, direct := client(t, server.Addr()), client(t, server.Direct())
	must(faulty.Doc("c/d").Set(t.Context(), map[string]any{"n": 1}))(t)
	for name, fault := range map[string]func(){"down": server.Down, "slow": server.Slow} {
		fault()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, err := faulty.Doc("c/d").Get(ctx); err == nil {
			t.Errorf("a get while the server is %s works", name)
		}
		cancel()
		must(direct.Doc("c/d").Get(t.Context()))(t)
		server.Up()
		must(faulty.Doc("c/d").Get(t.Context()))(t)
	}
}
