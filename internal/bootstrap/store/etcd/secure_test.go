package etcd_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
)

// wantRefused opens a store, which must not work, and looks for words in the error.
func wantRefused(t *testing.T, cfg etcd.Config, words string) {
	t.Helper()
	s, err := etcd.Open(t.Context(), cfg)
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "secret") {
		t.Errorf("open: %v, want %q", err, words)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	info, err := transport.SelfCert(zap.NewNop(), t.TempDir(), []string{"127.0.0.1:0"}, 1, x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	addr := startServer(t, func(cfg *embed.Config) {
		cfg.ListenClientUrls[0].Scheme, cfg.AdvertiseClientUrls[0].Scheme = "https", "https"
		cfg.ClientTLSInfo = info
		cfg.ClientTLSInfo.ClientCertAuth, cfg.ClientTLSInfo.TrustedCAFile = true, info.CertFile
	})
	ca, err := os.ReadFile(info.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(info.CertFile, info.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca)
	config := func(c *tls.Config) etcd.Config {
		return etcd.Config{Endpoints: []string{addr}, TLS: c, CallTimeout: 1500 * time.Millisecond}
	}
	s := open(t, config(&tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{own}}))
	mustUpdate(t, s, "a", resize(10))
	w := follow(t, s, "a")
	w.until(1)
	wantRefused(t, config(&tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{own}}), "certificate signed by unknown authority")
	wantRefused(t, config(&tls.Config{RootCAs: trusted}), "gave no answer")
	wantRefused(t, config(nil), "gave no answer")
}

// A user that may do everything below the prefix is enough, and remains so when an administrator
// changes other users, which makes all logins void.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	addr := startServer(t, func(cfg *embed.Config) { cfg.BcryptCost = 4 }) // the least: each login costs
	admin := dialEtcd(t, addr)
	protect(t, admin)
	cfg := etcd.Config{Endpoints: []string{addr}, Username: "lab", Password: "secret"}
	s := open(t, cfg)
	mustUpdate(t, s, "a", resize(10))
	w := follow(t, s, "a")
	w.until(1)

	root, err := clientv3.New(clientv3.Config{
		Endpoints: []string{addr}, Username: "root", Password: "secret", Logger: zap.NewNop(), Context: context.WithoutCancel(t.Context()),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	if _, err := root.UserAdd(t.Context(), "another", "secret"); err != nil {
		t.Fatal(err)
	}
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("healthy: %v", err)
	}
	mustUpdate(t, s, "a", resize(11))
	w.until(2)

	wrong, elsewhere, nobody := cfg, cfg, cfg
	wrong.Password = "secret1"
	wantRefused(t, wrong, "authentication failed, invalid user ID or password")
	elsewhere.Prefix = "other"
	wantRefused(t, elsewhere, "permission denied")
	nobody.Username, nobody.Password = "", ""
	wantRefused(t, nobody, "user name is empty")
}

// protect turns authentication on, with a root and a user "lab" for the default prefix.
func protect(t *testing.T, c *clientv3.Client) {
	t.Helper()
	ctx := t.Context()
	var errs []error
	do := func(_ any, err error) { errs = append(errs, err) }
	do(c.UserAdd(ctx, "root", "secret"))
	do(c.UserGrantRole(ctx, "root", "root"))
	do(c.RoleAdd(ctx, "lab"))
	do(c.RoleGrantPermission(ctx, "lab", "peerlab/", clientv3.GetPrefixRangeEnd("peerlab/"), clientv3.PermissionType(clientv3.PermReadWrite)))
	do(c.UserAdd(ctx, "lab", "secret"))
	do(c.UserGrantRole(ctx, "lab", "lab"))
	do(c.AuthEnable(ctx))
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
