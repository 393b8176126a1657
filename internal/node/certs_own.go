package node

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"time"
)

// NewCA makes a CA for a lab that does not last, as PEM: nodes that have both make certificates for themselves.
func NewCA() (cert, key []byte, err error) {
	p, err := newCA()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return nil, nil, err
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ownDays is how long a certificate holds that a node made for itself. It makes another at each start.
const ownDays = 365

// ownCertificate is one that the node makes for itself with the key of the CA; nil without that key.
func (c *SecurityConfig) ownCertificate(ca []byte) (*tls.Certificate, error) {
	key, err := fromFile("CA key file", c.CAKeyFile, c.CAKey)
	if key == nil || err != nil {
		return nil, err
	}
	if ca == nil {
		return nil, fmt.Errorf("CA key file %s: it goes with a CA file, and there is none", c.CAKeyFile)
	}
	authority, err := parseCA("CA file "+c.CAFile, ca, "CA key file "+c.CAKeyFile, key)
	if err != nil {
		return nil, err
	}
	own, err := authority.sign("peerlab", hostsOf(c.Hosts), ownDays)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{own.cert.Raw}, PrivateKey: own.key, Leaf: own.cert}, nil
}

// hostsOf are the hosts without empty ones. Those that mean all addresses become the addresses of this machine.
func hostsOf(hosts []string) []string {
	var out []string
	for _, host := range hosts {
		ip := net.ParseIP(host)
		switch {
		case host == "":
		case ip == nil || !ip.IsUnspecified():
			out = append(out, host)
		default:
			out = append(out, machineAddrs()...)
		}
	}
	return out
}

// machineAddrs are the addresses of this machine; a system that does not tell has none.
func machineAddrs() []string {
	addrs, _ := net.InterfaceAddrs()
	var out []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, n.IP.String())
		}
	}
	return out
}

// fromFile reads a file, or takes what is given; nil for neither.
func fromFile(what, path string, given []byte) ([]byte, error) {
	if path == "" {
		return given, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return b, nil
}

// parseCA makes a CA of its certificate and key; the names say in errors where they are from.
func parseCA(certFrom string, certPEM []byte, keyFrom string, keyPEM []byte) (*pair, error) {
	cert, key := firstBlock(certPEM), firstBlock(keyPEM)
	if cert == nil || key == nil {
		return nil, fmt.Errorf("no PEM block in %s or %s", certFrom, keyFrom)
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certFrom, err)
	}
	private, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFrom, err)
	}
	own, ok := private.(*ecdsa.PrivateKey)
	switch {
	case !ok || !own.PublicKey.Equal(parsed.PublicKey):
		return nil, fmt.Errorf("%s is not the key of %s", keyFrom, certFrom)
	case !parsed.IsCA:
		return nil, fmt.Errorf("%s is no certificate of a CA", certFrom)
	case time.Now().After(parsed.NotAfter):
		return nil, fmt.Errorf("%s ended on %s", certFrom, parsed.NotAfter.Format(time.DateOnly))
	}
	return &pair{cert: parsed, key: own}, nil
}
