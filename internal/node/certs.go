package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// caName is the name of the files of the CA.
	caName = "ca"
	// caLife is how long a CA holds, and with it the certificates that it signs.
	caLife = 10 * 365 * 24 * time.Hour
	// clockSkew is how far the clock of another machine may be behind.
	clockSkew = 5 * time.Minute
	// MaxCertDays is how long a certificate may hold.
	MaxCertDays = 3650
)

// CertsConfig says which certificates are to be made.
type CertsConfig struct {
	// Dir is the folder; it is made if it is not there.
	Dir string
	// Names of the nodes; each gets NAME.crt and NAME.key.
	Names []string
	// Hosts are IP addresses and host names at which the nodes are reached, beside loopback.
	Hosts []string
	// Days is how long the certificates hold, if the CA holds so long.
	Days int
	// Force replaces the certificates of Names. NewCA replaces the CA, which ends all that the old one signed.
	Force, NewCA bool
}

// certName is what a name of a node may be: it becomes the name of a file.
var certName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// hostName is a DNS name, which may begin with a "*" for one level.
var hostName = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?$`)

// validate lists all that is wrong.
func (c CertsConfig) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for i, name := range c.Names {
		switch {
		case !certName.MatchString(name):
			wrong("name %q: it becomes the name of files, and has 1 to 64 of the characters a-z A-Z 0-9 . _ - with a letter or digit first", name)
		case strings.EqualFold(name, caName):
			wrong("name %q is that of the CA", name)
		case slices.ContainsFunc(c.Names[:i], func(other string) bool { return strings.EqualFold(name, other) }):
			wrong("name %q is given twice", name) // some file systems do not tell case apart
		}
	}
	for _, host := range c.Hosts {
		digits := strings.Trim(host, "0123456789.") == ""
		if net.ParseIP(host) == nil && (digits || len(host) > 253 || !hostName.MatchString(host)) {
			wrong("host %q is neither an IP address nor a host name; it has no port", host)
		}
	}
	if c.Days < 1 || c.Days > MaxCertDays {
		wrong("days must be 1 to %d, not %d", MaxCertDays, c.Days)
	}
	return errors.Join(errs...)
}

// MakeCerts makes a development CA, unless there is one, and a certificate of it for each name, for servers and
// clients alike. It returns the files that it wrote; after an error there are no new ones.
func MakeCerts(c CertsConfig) (written []string, err error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // certificates are public, and keys have modes of their own
		return nil, err
	}
	out := &certFiles{dir: c.Dir}
	defer out.discard()
	authority, err := loadCA(c.Dir)
	if err != nil && !c.NewCA {
		return nil, err
	}
	if authority == nil || c.NewCA {
		if authority, err = newCA(); err != nil {
			return nil, err
		}
		if err := out.stage(caName, authority, c.NewCA); err != nil {
			return nil, err
		}
	}
	for _, name := range c.Names {
		p, err := authority.sign(name, c.Hosts, c.Days)
		if err == nil {
			err = out.stage(name, p, c.Force)
		}
		if err != nil {
			return nil, err
		}
	}
	return out.commit()
}

// pair is a certificate and its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newPair makes a key, and a certificate for it that the issuer signs; a nil issuer is itself.
func newPair(template *x509.Certificate, issuer *pair) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // RFC 5280 allows 20 octets
	if err != nil {
		return nil, err
	}
	template.SerialNumber, template.NotBefore = serial, time.Now().Add(-clockSkew)
	by := pair{cert: template, key: key}
	if issuer != nil {
		by = *issuer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &pair{cert: cert, key: key}, err
}

func newCA() (*pair, error) {
	return newPair(&x509.Certificate{
		Subject:  pkix.Name{CommonName: "peerlab development CA"},
		NotAfter: time.Now().Add(caLife),
		IsCA:     true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, nil)
}

// sign makes a certificate of this CA.
func (p *pair) sign(name string, hosts []string, days int) (*pair, error) {
	ends := time.Now().Add(time.Duration(days) * 24 * time.Hour)
	if ends.After(p.cert.NotAfter) {
		ends = p.cert.NotAfter
	}
	t := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotAfter:    ends,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range append([]string{"127.0.0.1", "::1", "localhost"}, hosts...) {
		ip := net.ParseIP(host)
		switch {
		case ip != nil && !slices.ContainsFunc(t.IPAddresses, ip.Equal):
			t.IPAddresses = append(t.IPAddresses, ip)
		case ip == nil && !slices.Contains(t.DNSNames, host):
			t.DNSNames = append(t.DNSNames, host)
		}
	}
	return newPair(t, p)
}

// loadCA reads the CA of a folder; nil if there is none.
func loadCA(dir string) (*pair, error) {
	certFile, keyFile := filepath.Join(dir, caName+".crt"), filepath.Join(dir, caName+".key")
	certPEM, certErr := os.ReadFile(certFile)
	keyPEM, keyErr := os.ReadFile(keyFile)
	switch {
	case errors.Is(certErr, os.ErrNotExist) && errors.Is(keyErr, os.ErrNotExist):
		return nil, nil
	case certErr != nil || keyErr != nil:
		return nil, fmt.Errorf("the CA is not whole: %w", errors.Join(certErr, keyErr))
	}
	authority, err := parseCA(certFile, certPEM, keyFile, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("the CA: %w", err)
	}
	return authority, nil
}

func firstBlock(b []byte) []byte {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil
	}
	return block.Bytes
}
