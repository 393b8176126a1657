package peer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/network"
	appv1 "peerlab.example/peerlab/proto/peerlab/app/v1"
)

// mail is an application that receives as the test says.
type mail struct {
	*recorder
	receive func(from app.Member, payload []byte)
	busy    atomic.Bool
}

func (*mail) Name() string { return "mail" }

func (m *mail) Receive(from app.Member, payload []byte) {
	if m.busy.Swap(true) {
		m.note("two calls of Receive at a time")
	}
	defer m.busy.Store(false)
	if m.receive != nil {
		m.receive(from, payload)
	}
	m.note("%s says %s", from.Name, payload)
}

// said are the messages that the mail of a peer has received, without what else it noted.
func (m *mail) said() []string {
	return slices.DeleteFunc(m.heard(), func(s string) bool { return !strings.Contains(s, " says ") })
}

// mailing gives a peer a mail beside its other application.
func mailing(m *mail) func(*Config, *Deps) {
	m.recorder = &recorder{}
	return func(_ *Config, d *Deps) { d.Apps = append(d.Apps, m) }
}

// member waits until this peer sees the other with its address and applications.
func (p *testPeer) member(other *testPeer) app.Member {
	p.lab.t.Helper()
	var m app.Member
	eventually(p.lab.t, func() error {
		found, err := p.find(other.Name())
		if m = found; err == nil && (m.RPCAddr == "" || !m.Runs("mail")) {
			err = fmt.Errorf("%s has announced %v", m.Name, m.Apps)
		}
		return err
	})
	return m
}

// breaking is a network whose connections a test can break.
type breaking struct {
	network.Network
	mu    sync.Mutex
	conns []net.Conn
}

func (b *breaking) Dial(ctx context.Context, c network.Channel, addr string) (net.Conn, error) {
	conn, err := b.Network.Dial(ctx, c, addr)
	if err == nil && c == network.RPC {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.conns = append(b.conns, conn)
	}
	return conn, err
}

// cut breaks all that are open.
func (b *breaking) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		_ = c.Close()
	}
	b.conns = nil
}

func TestSendReachesOne(t *testing.T) {
	inLab(t, func(l *testLab) {
		var a, b, c mail
		alice, bob := l.joined("alice", mailing(&a)), l.joined("bob", mailing(&b))
		l.joined("carol", mailing(&c))
		for i := range 3 {
			if err := a.peer.Send(context.Background(), alice.member(bob), []byte(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			// No waiting: nil means that it was received.
			if got := b.said(); len(got) != i+1 || got[i] != fmt.Sprint("alice says ", i) {
				t.Fatalf("bob received %q", got)
			}
		}
		if err := b.peer.Send(context.Background(), b.peer.Self(), []byte("myself")); err != nil {
			t.Fatal(err)
		}
		if err := b.peer.Send(context.Background(), b.peer.Self(), make([]byte, app.MaxSend)); err != nil {
			t.Fatal(err)
		}
		if got := b.said(); got[3] != "bob says myself" || len(got) != 5 {
			t.Errorf("bob received %d, the fourth %q", len(got), got[3])
		}
		if got := append(a.said(), c.said()...); len(got) != 0 {
			t.Errorf("others received %q", got)
		}
		if _, ok := bob.server.GetServiceInfo()[appv1.AppService_ServiceDesc.ServiceName]; !ok {
			t.Error("the service is not registered, and so not reflected")
		}
	})
}

// Three goroutines send while connections break again and again.
func TestSendOnceAndInOrderOverBrokenConnections(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inLab(t, func(l *testLab) {
				rnd := rand.New(rand.NewPCG(seed, 7))
				var a, b mail
				var wires *breaking
				alice := l.joined("alice", mailing(&a), func(_ *Config, d *Deps) {
					wires = &breaking{Network: d.Network}
					d.Network = wires
				})
				b.receive = func(app.Member, []byte) { <-time.After(time.Millisecond) } // long enough to be cut off in it
				to := alice.member(l.joined("bob", mailing(&b)))
				const senders, each = 3, 100
				var all sync.WaitGroup
				for s := range senders {
					all.Go(func() {
						for i := range each {
							if err := a.peer.Send(context.Background(), to, fmt.Appendf(nil, "%d/%d", s, i)); err != nil {
								t.Error(err)
							}
						}
					})
				}
				ended := make(chan struct{})
				go func() { all.Wait(); close(ended) }()
				for cuts := 0; ; cuts++ {
					select {
					case <-time.After(time.Duration(rnd.IntN(20000)) * time.Microsecond):
						wires.cut()
						continue
					case <-ended:
					}
					if cuts < 10 {
						t.Errorf("only %d cuts", cuts)
					}
					break
				}
				for s := range senders {
					var want, got []string
					for i := range each {
						want = append(want, fmt.Sprintf("alice says %d/%d", s, i))
					}
					for _, said := range b.said() {
						if strings.HasPrefix(said, fmt.Sprintf("alice says %d/", s)) {
							got = append(got, said)
						}
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("sender %d (-want +got):\n%s", s, diff)
					}
				}
				if slices.Contains(b.heard(), "two calls of Receive at a time") {
					t.Error("Receive was called from two goroutines")
				}
			})
		})
	}
}

func TestSendToldWhatIsWrong(t *testing.T) {
	inLab(t, func(l *testLab) {
		var a, b, c mail
		alice, bob := l.joined("alice", mailing(&a)), l.joined("bob", mailing(&b))
		carol := l.joined("carol", mailing(&c))
		l.joined("dave") // has no mail
		to, toCarol := alice.member(bob), alice.member(carol)
		alice.sees("alice", "bob", "carol", "dave")
		toDave, err := alice.find("dave")
		if err != nil {
			t.Fatal(err)
		}
		refused := func(to app.Member, payload []byte, want error, says string) {
			t.Helper()
			err := a.peer.Send(context.Background(), to, payload)
			if err == nil || !strings.Contains(err.Error(), says) || want != nil && !errors.Is(err, want) {
				t.Errorf("got %v, want %v and %q", err, want, says)
			}
		}
		refused(to, make([]byte, app.MaxSend+1), nil, "send to bob: 1048577 bytes; 1048576 is the most")
		refused(app.Member{Name: "nobody", ID: "x"}, nil, app.ErrGone, "send to nobody: the member is gone: its id is not known")
		refused(toDave, nil, app.ErrNotRunning, "send to dave: the application does not run there")
		bob.mustDo("mail stop")
		refused(to, nil, app.ErrNotRunning, "it is not started")
		bob.mustDo("mail start")
		if err := a.peer.Send(context.Background(), to, []byte("again")); err != nil {
			t.Error(err)
		}
		canceled, cancel := context.WithCancel(context.Background())
		cancel()
		if err := a.peer.Send(canceled, to, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		carol.leave()
		eventually(t, func() error {
			if m, err := alice.find("carol"); err != nil || m.Live() {
				return fmt.Errorf("carol is %s to alice: %w", m.State, err)
			}
			return nil
		})
		refused(toCarol, nil, app.ErrGone, "send to carol: the member is gone: left")
		bob.mustDo("member leave")
		bob.mustInit() // it is another member now, at the same address, and alice may not have noticed
		refused(to, nil, app.ErrGone, "the member is gone: ")
	})
}

// Who cannot be reached is tried until the context ends, or the member is found to be gone, or can be reached.
func TestSendIsTriedAgain(t *testing.T) {
	inLab(t, func(l *testLab) {
		var a, b mail
		alice, bob := l.joined("alice", mailing(&a)), l.joined("bob", mailing(&b))
		to := alice.member(bob)
		bob.member(alice)
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		l.network.Partition([]string{alice.host}, []string{bob.host})
		err := a.peer.Send(ctx, to, []byte("too soon"))
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 200*time.Millisecond {
			t.Errorf("after %s: %v", took, err)
		}
		healed := time.AfterFunc(500*time.Millisecond, l.network.Heal)
		defer healed.Stop()
		if err := a.peer.Send(context.Background(), to, []byte("in time")); err != nil {
			t.Error(err)
		}
		if got := b.said(); got[len(got)-1] != "alice says in time" {
			t.Errorf("bob received %q", got)
		}
		l.network.Partition([]string{alice.host, serviceHost}, []string{bob.host})
		began = time.Now()
		err = a.peer.Send(context.Background(), to, []byte("never"))
		if took := time.Since(began); !errors.Is(err, app.ErrGone) || took > sendTimeout {
			t.Errorf("after %s: %v", took, err)
		}
		alice.sees("alice")
	})
}

// Nobody can be reached, and nobody is found to be gone: the default deadline ends it.
func TestSendEndsWithoutADeadline(t *testing.T) {
	inLab(t, func(l *testLab) {
		var a, b mail
		b.receive = func(app.Member, []byte) { <-time.After(time.Minute) }
		alice, bob := l.joined("alice", mailing(&a)), l.joined("bob", mailing(&b))
		to := alice.member(bob)
		began := time.Now()
		err := a.peer.Send(context.Background(), to, nil)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != sendTimeout {
			t.Errorf("after %s: %v", took, err)
		}
		<-time.After(time.Minute)
	})
}

// A message may be faster than the gossip about its sender.
func TestSenderNotKnownYet(t *testing.T) {
	inLab(t, func(l *testLab) {
		var a, b mail
		alice, bob := l.joined("alice", mailing(&a)), l.peer("bob", mailing(&b))
		bob.mustDo("member create")
		bob.mustDo("member start")
		send := func() error {
			conn, err := bob.conns.dial(alice.Addr())
			if err != nil {
				t.Fatal(err)
			}
			_, err = appv1.NewAppServiceClient(conn).Send(context.Background(), &appv1.SendRequest{
				App: "mail", From: bob.membership().Self().ID, To: alice.membership().Self().ID, Seq: 1, Oldest: 1, Payload: []byte("hello"),
			})
			return err
		}
		began := time.Now()
		if err := send(); status.Code(err) != codes.Unavailable || time.Since(began) != senderWait {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		join := time.AfterFunc(senderWait/2, bob.mustInit)
		defer join.Stop()
		if err := send(); err != nil {
			t.Error(err)
		}
		if got := a.said(); !slices.Equal(got, []string{"bob says hello"}) {
			t.Errorf("alice received %q", got)
		}
	})
}
