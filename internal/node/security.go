package node

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// SecurityConfig names the files that protect what leaves the machine. The zero value protects
// nothing, and is enough for loopback.
type SecurityConfig struct {
	// CertFile and KeyFile are the PEM certificate and key of this node; both or neither.
	CertFile, KeyFile string
	// CAFile holds the PEM certificates that others are verified against; with it, a server also
	// demands a certificate from its clients (mTLS).
	CAFile string
	// CAKeyFile is the PEM key of the CA file's first certificate. A node that has it and no certificate makes one for itself at the
	// start, for loopback, Hosts, and the addresses of its machine if one of Hosts is all of them (0.0.0.0).
	CAKeyFile string
	Hosts     []string
	// CA and CAKey are what CAFile and CAKeyFile hold, where they are in no files.
	CA, CAKey []byte
	// TokenFile holds a secret of 16 bytes or more that all nodes of a lab share. Calls carry it, and gossip is
	// encrypted with a key derived from it.
	TokenFile string
	// Token is that secret itself, where the platform gives secrets otherwise than in files.
	Token string
	// OperatorTokenFile holds a second secret of 16 bytes or more. It allows all that the first does, and
	// what needs the role operator besides. OperatorToken is that secret itself.
	OperatorTokenFile, OperatorToken string
	// Insecure allows to bind other addresses than loopback without TLS and token.
	Insecure bool
}

// Security is a loaded SecurityConfig.
type Security struct {
	token    string // of the lab; empty for none
	operator string // that of operators; empty when nobody is one
	sends    string // the one of both that calls carry
	insecure bool
	server   *tls.Config // nil without a certificate
	client   *tls.Config // nil without a CA
	ca       []byte      // the PEM certificates of the CA file, nil without one
}

// LoadSecurity reads the files of a configuration.
func LoadSecurity(c SecurityConfig) (*Security, error) {
	s := &Security{insecure: c.Insecure}
	var err error
	if s.token, err = loadToken("token", c.TokenFile, c.Token); err != nil {
		return nil, err
	}
	if s.operator, err = loadToken("operator token", c.OperatorTokenFile, c.OperatorToken); err != nil {
		return nil, err
	}
	if s.operator != "" && s.operator == s.token {
		return nil, errors.New("the operator token is the token of the lab: everybody would be an operator")
	}
	s.sends = s.token
	return s, s.loadTLS(c)
}

// loadToken reads a token from a file, or takes the one given; both may be empty.
func loadToken(what, path, given string) (string, error) {
	if path == "" && given == "" {
		return "", nil
	}
	token, from := strings.TrimSpace(given), what
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("%s file: %w", what, err)
		}
		token, from = strings.TrimSpace(string(b)), what+" file "+path
	}
	if len(token) < 16 {
		return "", fmt.Errorf("%s: a token has 16 bytes or more, this one has %d", from, len(token))
	}
	return token, nil
}

func (s *Security) loadTLS(c SecurityConfig) error {
	var err error
	if s.ca, err = fromFile("CA file", c.CAFile, c.CA); err != nil {
		return err
	}
	var pool *x509.CertPool
	if s.ca != nil {
		pool = x509.NewCertPool()
		if !pool.AppendCertsFromPEM(s.ca) {
			return fmt.Errorf("CA file %s: no PEM certificate in it", c.CAFile)
		}
	}
	if pool != nil || c.CertFile != "" {
		// Without a CA file, others are verified with the certificates that the system trusts.
		s.client = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool}
	}
	cert, err := c.certificate(s.ca)
	if cert == nil || err != nil {
		return err
	}
	s.server = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*cert}}
	if pool != nil {
		s.server.ClientCAs, s.server.ClientAuth = pool, tls.RequireAndVerifyClientCert
		s.client.Certificates = s.server.Certificates
	}
	return nil
}

// certificate is that of this node: the one of its files, or one that it makes for itself; nil for none.
func (c *SecurityConfig) certificate(ca []byte) (*tls.Certificate, error) {
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, errors.New("a TLS certificate and its key go together: give both or neither")
	}
	if c.CertFile == "" {
		return c.ownCertificate(ca)
	}
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	if now := time.Now(); now.After(cert.Leaf.NotAfter) || now.Before(cert.Leaf.NotBefore) {
		return nil, fmt.Errorf("TLS certificate %s holds from %s to %s, which is not now", c.CertFile,
			cert.Leaf.NotBefore.Format(time.DateTime), cert.Leaf.NotAfter.Format(time.DateTime))
	}
	return &cert, nil
}

// CheckBind refuses an address that other machines can reach unless TLS and a token protect it. A host
// that is a name counts as loopback only if it is "localhost". flag names the setting in the error.
func (s *Security) CheckBind(flag, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: %q is not host:port", flag, addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s: %q: a port is a number from 0 to 65535", flag, addr)
	}
	if isLoopback(addr) {
		return nil
	}
	if s != nil && (s.insecure || s.server != nil && s.token != "") {
		return nil
	}
	return fmt.Errorf("%s: %s can be reached from other machines; protect it with --tls-cert, --tls-key, --tls-ca and --token-file, "+
		"bind a loopback address such as 127.0.0.1, or say --insecure", flag, addr)
}

// isLoopback reports whether host:port stays on this machine.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// checkToken refuses to send the token in clear to another machine.
func (s *Security) checkToken(addr string) error {
	if s == nil || s.sends == "" || s.client != nil || s.insecure || isLoopback(addr) {
		return nil
	}
	return fmt.Errorf("the token would go to %s in clear; give --tls-ca to speak TLS, or say --insecure", addr)
}

// Token is the secret that calls of the lab carry, for who starts other nodes; empty without one.
func (s *Security) Token() string {
	if s == nil {
		return ""
	}
	return s.token
}

// GossipKey is the key that encrypts gossip: 32 bytes derived from the token; nil without one.
func (s *Security) GossipKey() []byte {
	if s == nil || s.token == "" {
		return nil
	}
	key := sha256.Sum256([]byte("peerlab gossip v1\x00" + s.token))
	return key[:]
}

func (s *Security) serverCredentials() credentials.TransportCredentials {
	if s == nil || s.server == nil {
		return insecure.NewCredentials()
	}
	return exceptLocal{credentials.NewTLS(s.server)}
}

func (s *Security) clientCredentials() credentials.TransportCredentials {
	if s == nil || s.client == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(s.client)
}

// bearer sends the token with each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity is false because a token may be used on loopback, or with --insecure, without TLS.
func (bearer) RequireTransportSecurity() bool { return false }

// ClientTLS is how others are verified, for clients that are not of gRPC; nil for no encryption.
func (s *Security) ClientTLS() *tls.Config {
	if s == nil || s.client == nil {
		return nil
	}
	return s.client.Clone()
}
