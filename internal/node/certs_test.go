package node

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/network"
)

// makeCerts makes certificates in a folder of their own.
func makeCerts(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "certs")
	if _, err := MakeCerts(CertsConfig{Dir: dir, Names: names, Days: 1}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// certOf is the security of a node with a certificate; ca names the folder of the CA that it trusts.
func certOf(t *testing.T, dir, name, ca string) *Security {
	t.Helper()
	c := SecurityConfig{CertFile: filepath.Join(dir, name+".crt"), KeyFile: filepath.Join(dir, name+".key")}
	if ca != "" {
		c.CAFile = filepath.Join(ca, "ca.crt")
	}
	return load(t, c)
}

func TestCertsServeBothWays(t *testing.T) {
	t.Parallel()
	dir, other := makeCerts(t, "server", "client"), makeCerts(t, "client")
	onlyCA := load(t, SecurityConfig{CAFile: filepath.Join(dir, "ca.crt")})
	tls, _ := startServer(t, certOf(t, dir, "server", ""))
	mutual, _ := startServer(t, certOf(t, dir, "server", dir))
	for _, tt := range []struct {
		name string
		srv  *Server
		s    *Security
		says string // empty when it is served
	}{
		{"TLS", tls, onlyCA, ""},
		{"TLS with a certificate that nobody asks for", tls, certOf(t, dir, "client", dir), ""},
		{"TLS, another CA", tls, load(t, SecurityConfig{CAFile: filepath.Join(other, "ca.crt")}), "certificate signed by unknown authority"},
		{"mTLS", mutual, certOf(t, dir, "client", dir), ""},
		{"mTLS, the server's own", mutual, certOf(t, dir, "server", dir), ""},
		{"mTLS, no certificate", mutual, onlyCA, "certificate required"},
		{"mTLS, a certificate of another CA", mutual, certOf(t, other, "client", dir), "unknown certificate authority"},
	} {
		_, err := version(t, tt.srv.Addr(), tt.s)
		if tt.says == "" && err != nil || tt.says != "" && (status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}

func TestCertsServeHTTP(t *testing.T) {
	t.Parallel()
	dir := makeCerts(t, "server", "client")
	s, err := StartHTTP(t.Context(), network.System(), certOf(t, dir, "server", dir), "--http", "127.0.0.1:0", Alive(), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	base, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	get := func(security *Security) (string, error) {
		client, err := HTTPClient(network.System(), security, base)
		if err != nil {
			t.Fatal(err)
		}
		defer client.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/livez", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return string(body), err
	}
	if body, err := get(certOf(t, dir, "client", dir)); err != nil || body != "ok\n" {
		t.Errorf("with a certificate: %q, %v", body, err)
	}
	if _, err := get(load(t, SecurityConfig{CAFile: filepath.Join(dir, "ca.crt")})); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without: %v", err)
	}
}

func TestCertsSayWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	written, err := MakeCerts(CertsConfig{Dir: dir, Names: []string{"a.b-c_d"}, Hosts: []string{"192.0.2.7", "2001:db8::1", "peer.example", "localhost"}, Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"ca.key", "ca.crt", "a.b-c_d.key", "a.b-c_d.crt"} {
		mode := os.FileMode(0o644)
		if strings.HasSuffix(want, ".key") {
			mode = 0o600
		}
		info, err := os.Stat(filepath.Join(dir, want))
		if err != nil || written[i] != filepath.Join(dir, want) || info.Mode().Perm() != mode {
			t.Errorf("%s: wrote %s, mode %v, %v", want, written[i], info.Mode(), err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
	cert := parseCert(t, filepath.Join(dir, "a.b-c_d.crt"))
	roots := x509.NewCertPool()
	roots.AddCert(parseCert(t, filepath.Join(dir, "ca.crt")))
	for _, host := range []string{"127.0.0.1", "::1", "localhost", "192.0.2.7", "2001:db8::1", "peer.example"} {
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "other.example"}); err == nil {
		t.Error("the certificate is for any host")
	}
	if days := time.Until(cert.NotAfter).Hours() / 24; days < 29.9 || days > 30 {
		t.Errorf("it holds %.1f days, want 30", days)
	}
}

func parseCert(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(firstBlock(b))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertsAreKept(t *testing.T) {
	t.Parallel()
	dir := makeCerts(t, "alice")
	read := func() map[string]string {
		files := map[string]string{}
		paths, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(path)] = string(b)
		}
		return files
	}
	differ := func(a, b map[string]string) (names []string) {
		for name := range b {
			if a[name] != b[name] {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	first := read()
	// One name of two is there: nothing is written, not even for the other.
	if _, err := MakeCerts(CertsConfig{Dir: dir, Names: []string{"bob", "alice"}, Days: 1}); err == nil || !strings.Contains(err.Error(), "alice.key") {
		t.Errorf("got %v, want what is there", err)
	}
	if d := differ(first, read()); len(d) > 0 || len(read()) != len(first) {
		t.Errorf("written after an error: %q", d)
	}
	for _, step := range []struct {
		c    CertsConfig
		want string
	}{
		{CertsConfig{Names: []string{"bob"}}, "bob.crt bob.key"},
		{CertsConfig{Names: []string{"alice"}, Force: true}, "alice.crt alice.key"},
		{CertsConfig{Names: []string{"alice"}, Force: true, NewCA: true}, "alice.crt alice.key ca.crt ca.key"},
	} {
		before := read()
		step.c.Dir, step.c.Days = dir, 1
		if _, err := MakeCerts(step.c); err != nil {
			t.Errorf("%+v: %v", step.c, err)
		}
		if d := strings.Join(differ(before, read()), " "); d != step.want {
			t.Errorf("%+v changed %q, want %q", step.c, d, step.want)
		}
	}
}

func TestCertsRefuseWhatIsWrong(t *testing.T) {
	t.Parallel()
	broken := makeCerts(t)
	if err := os.Remove(filepath.Join(broken, "ca.key")); err != nil {
		t.Fatal(err)
	}
	mixed, other := makeCerts(t), makeCerts(t)
	if err := os.Rename(filepath.Join(other, "ca.key"), filepath.Join(mixed, "ca.key")); err != nil {
		t.Fatal(err)
	}
	name := func(names ...string) CertsConfig { return CertsConfig{Names: names, Days: 1} }
	host := func(host string) CertsConfig {
		return CertsConfig{Names: []string{"a"}, Hosts: []string{host}, Days: 1}
	}
	for _, tt := range []struct {
		c    CertsConfig
		want string
	}{
		{name("../evil"), "becomes the name of files"},
		{name(""), "becomes the name of files"},
		{name(".hidden"), "becomes the name of files"},
		{name("-x"), "becomes the name of files"},
		{name(strings.Repeat("a", 65)), "1 to 64"},
		{name("CA"), "that of the CA"},
		{name("a", "A"), "twice"},
		{host("192.0.2.7:80"), "has no port"},
		{host("300.1.1.1"), "neither an IP address"},
		{host("https://a.example"), "neither an IP address"},
		{host("a b"), "neither an IP address"},
		{host(""), "neither an IP address"},
		{CertsConfig{Names: []string{"a"}, Days: 0}, "days must be"},
		{CertsConfig{Names: []string{"a"}, Days: MaxCertDays + 1}, "days must be"},
		{CertsConfig{Names: []string{"a"}, Days: 1, Dir: broken}, "not whole"},
		{CertsConfig{Names: []string{"a"}, Days: 1, Dir: mixed}, "is not the key of"},
		{CertsConfig{Names: []string{"a"}, Days: 1, Dir: file(t, "no-folder", "")}, "not a directory"},
	} {
		dir := tt.c.Dir
		if dir == "" {
			dir = filepath.Join(t.TempDir(), "certs")
			tt.c.Dir = dir
		}
		if _, err := MakeCerts(tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q in it", tt.c, err, tt.want)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "a.*")); len(left) > 0 {
			t.Errorf("%+v: %q were written", tt.c, left)
		}
	}
}

// TestACertificateThatEndedIsReadable has one that held only before now: as this node's own, and as that of the server.
func TestACertificateThatEndedIsReadable(t *testing.T) {
	t.Parallel()
	dir := makeCerts(t)
	authority, err := loadCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	ended, err := authority.sign("old", nil, 0) // it holds until now
	if err != nil {
		t.Fatal(err)
	}
	files := &certFiles{dir: dir}
	if err := files.stage("old", ended, false); err != nil {
		t.Fatal(err)
	}
	if _, err := files.commit(); err != nil {
		t.Fatal(err)
	}
	files.discard()
	old := SecurityConfig{CertFile: filepath.Join(dir, "old.crt"), KeyFile: filepath.Join(dir, "old.key")}
	for time.Now().Before(ended.cert.NotAfter.Add(time.Second)) { // certificates count in seconds
		<-time.After(50 * time.Millisecond)
	}
	if _, err := LoadSecurity(old); err == nil || !strings.Contains(err.Error(), "which is not now") || !strings.Contains(err.Error(), "old.crt") {
		t.Errorf("as its own: %v", err)
	}
	server := &Security{server: tlsServer(ended)}
	srv, _ := startServer(t, server)
	_, err = version(t, srv.Addr(), load(t, SecurityConfig{CAFile: filepath.Join(dir, "ca.crt")}))
	if err == nil || !strings.Contains(err.Error(), "certificate has expired") {
		t.Errorf("as the server's: %v", err)
	}
}

// tlsServer is the configuration of a server that does not look at its own certificate.
func tlsServer(p *pair) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}}}
}
