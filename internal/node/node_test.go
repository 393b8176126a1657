package node

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/network"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	nodev1 "peerlab.example/peerlab/proto/peerlab/node/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startServer(t *testing.T, s *Security) (*Server, *event.Log) {
	t.Helper()
	events := event.New("alice", 16)
	srv := NewServer(ServerConfig{
		Role: "peer", Name: "alice", Network: network.System(), Security: s, Events: events, Log: zerolog.Nop(),
	})
	if err := srv.Start(context.Background(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, events
}

func version(t *testing.T, addr string, s *Security) (*nodev1.VersionResponse, error) {
	t.Helper()
	conn, err := Dial(network.System(), s, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return nodev1.NewNodeServiceClient(conn).Version(ctx, &nodev1.VersionRequest{})
}

func TestServerAnswersVersionHealthAndEvents(t *testing.T) {
	t.Parallel()
	srv, events := startServer(t, nil)
	srv.SetServing(true)
	v, err := version(t, srv.Addr(), nil)
	if err != nil || v.GetRole() != "peer" || v.GetName() != "alice" || v.GetGoVersion() == "" {
		t.Errorf("got %v, %v", v, err)
	}
	conn, err := Dial(network.System(), nil, srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	h, err := grpc_health_v1.NewHealthClient(conn).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || h.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health is %v, %v", h, err)
	}
	stream, err := eventv1.NewEventServiceClient(conn).WatchEvents(context.Background(), &eventv1.WatchEventsRequest{Kinds: []string{"shown"}})
	if err != nil {
		t.Fatal(err)
	}
	events.Emit(&eventv1.Event{What: &eventv1.Event_Fault{Fault: &eventv1.Fault{}}})
	events.Emit(&eventv1.Event{What: &eventv1.Event_Shown{Shown: &eventv1.Shown{Text: "hello"}}})
	got, err := stream.Recv()
	if err != nil || got.GetEvent().GetShown().GetText() != "hello" || got.GetEvent().GetSeq() != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	// Closing ends the stream, which would follow the log for ever.
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Error("the stream lives on after Close")
	}
}

func TestTokenIsAskedFor(t *testing.T) {
	t.Parallel()
	secret := load(t, SecurityConfig{TokenFile: file(t, "token", "a secret of this lab\n")})
	other := load(t, SecurityConfig{TokenFile: file(t, "token", "another secret of 16\n")})
	srv, _ := startServer(t, secret)
	if _, err := version(t, srv.Addr(), secret); err != nil {
		t.Errorf("with the token: %v", err)
	}
	for name, s := range map[string]*Security{"without a token": nil, "with another": other} {
		if _, err := version(t, srv.Addr(), s); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: got %v, want Unauthenticated", name, err)
		}
	}
	if bytes.Equal(secret.GossipKey(), other.GossipKey()) || len(secret.GossipKey()) != 32 {
		t.Errorf("gossip keys %x and %x", secret.GossipKey(), other.GossipKey())
	}
}

func TestTLSBothWays(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	own := load(t, SecurityConfig{CertFile: cert, KeyFile: key, CAFile: cert})
	srv, _ := startServer(t, own)
	if _, err := version(t, srv.Addr(), own); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	without := load(t, SecurityConfig{CAFile: cert})
	if _, err := version(t, srv.Addr(), without); err == nil {
		t.Error("a client without certificate was served")
	}
	if _, err := version(t, srv.Addr(), nil); err == nil {
		t.Error("a client without TLS was served")
	}
}

func TestCheckBind(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	token := file(t, "token", "a secret of this lab")
	both := load(t, SecurityConfig{CertFile: cert, KeyFile: key, TokenFile: token})
	for _, tt := range []struct {
		name, addr string
		s          *Security
		ok         bool
	}{
		{"loopback", "127.0.0.1:0", nil, true},
		{"loopback v6", "[::1]:0", nil, true},
		{"localhost", "localhost:0", nil, true},
		{"all interfaces", "0.0.0.0:0", nil, false},
		{"no host", ":7700", nil, false},
		{"a name", "example.org:1", nil, false},
		{"no port", "127.0.0.1", nil, false},
		{"token only", "0.0.0.0:0", load(t, SecurityConfig{TokenFile: token}), false},
		{"TLS only", "0.0.0.0:0", load(t, SecurityConfig{CertFile: cert, KeyFile: key}), false},
		{"both", "0.0.0.0:0", both, true},
		{"a port too large", "127.0.0.1:65536", nil, false},
		{"a named port", "127.0.0.1:http", nil, false},
		{"insecure", "0.0.0.0:0", load(t, SecurityConfig{Insecure: true}), true},
	} {
		if err := tt.s.CheckBind("--listen", tt.addr); (err == nil) != tt.ok {
			t.Errorf("%s: %s: got %v, want ok=%v", tt.name, tt.addr, err, tt.ok)
		}
	}
}

func TestLoadSecurityRefusesWhatIsHalf(t *testing.T) {
	t.Parallel()
	cert, _ := selfSigned(t)
	for want, c := range map[string]SecurityConfig{
		"16 bytes":   {TokenFile: file(t, "token", "short")},
		"no such f":  {TokenFile: filepath.Join(t.TempDir(), "none")},
		"both or":    {CertFile: cert},
		"no PEM":     {CAFile: file(t, "ca", "nothing")},
		"tls: faile": {CertFile: cert, KeyFile: file(t, "key", "nothing")},
	} {
		if _, err := LoadSecurity(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q in it", c, err, want)
		}
	}
}

func TestStartNamesThePortThatIsTaken(t *testing.T) {
	t.Parallel()
	first, _ := startServer(t, nil)
	second := NewServer(ServerConfig{Network: network.System(), Log: zerolog.Nop()})
	defer func() { _ = second.Close() }()
	if err := second.Start(context.Background(), first.Addr()); err == nil || !strings.Contains(err.Error(), first.Addr()) {
		t.Errorf("got %v, want the address in it", err)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l, err := NewLogs(&out, "json", "info", false, false)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "log")
	if err := l.ToFile(path); err != nil {
		t.Fatal(err)
	}
	log := l.Logger()
	log.Debug().Msg("not yet")
	if err := l.SetLevel("debug"); err != nil {
		t.Fatal(err)
	}
	log.Debug().Msg("now")
	if err := l.ToFile(""); err != nil {
		t.Fatal(err)
	}
	log.Info().Msg("not in the file")
	saved, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, "not yet") || !strings.Contains(got, `"message":"now"`) {
		t.Errorf("written: %s", got)
	}
	if got := string(saved); !strings.Contains(got, "now") || strings.Contains(got, "not in the file") {
		t.Errorf("in the file: %s", got)
	}
	if got := l.Tail(1, ""); len(got) != 1 || !strings.Contains(got[0], "not in the file") {
		t.Errorf("tail: %q", got)
	}
	if l.Level() != "debug" || l.SetLevel("loud") == nil {
		t.Errorf("level %q; a wrong one was taken", l.Level())
	}
	if _, err := NewLogs(&out, "xml", "info", false, false); err == nil {
		t.Error("log format xml was taken")
	}
}

func load(t *testing.T, c SecurityConfig) *Security {
	t.Helper()
	s, err := LoadSecurity(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// selfSigned makes a certificate for 127.0.0.1 that is its own CA.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "peerlab test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return file(t, "cert.pem", encode("CERTIFICATE", der)), file(t, "key.pem", encode("EC PRIVATE KEY", keyDER))
}
