package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/network"
)

// Limits of an HTTP server that strangers may reach.
const (
	httpHeaderTimeout = 5 * time.Second  // for the headers of a request
	httpReadTimeout   = 15 * time.Second // for a whole request
	httpIdleTimeout   = 2 * time.Minute  // of a connection between requests
	httpMaxHeader     = 16 << 10         // bytes
)

// HTTPServer serves a handler beside a node's gRPC server.
type HTTPServer struct {
	server   *http.Server
	listener net.Listener
	scheme   string
	done     chan error
}

// StartHTTP listens and serves until Close, with the certificate of the security if it has one. flag names the
// setting in errors.
func StartHTTP(ctx context.Context, n network.Network, s *Security, flag, addr string, h http.Handler, l zerolog.Logger) (*HTTPServer, error) {
	if err := s.CheckBind(flag, addr); err != nil {
		return nil, err
	}
	listener, err := n.Listen(ctx, network.RPC, addr)
	if err != nil {
		return nil, err
	}
	served, scheme := listener, "http"
	if s != nil && s.server != nil {
		cfg := s.server.Clone()
		cfg.NextProtos = []string{"h2", "http/1.1"}
		served, scheme = tls.NewListener(listener, cfg), "https"
	}
	out := &HTTPServer{listener: listener, scheme: scheme, done: make(chan error, 1), server: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: httpHeaderTimeout,
		ReadTimeout:       httpReadTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    httpMaxHeader,
		ErrorLog:          log.New(httpLog{l.With().Str("component", "http").Logger()}, "", 0),
	}}
	go func() {
		err := out.server.Serve(served)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		out.done <- err
	}()
	l.Debug().Stringer("addr", listener.Addr()).Msg("http serves")
	return out, nil
}

// httpLog gives a level to what http.Server says.
type httpLog struct{ log zerolog.Logger }

// Write takes one line; a panic has its stack below. What a client alone can bring about, as a handshake that it breaks off, is for who
// looks for it: whoever reaches the port could fill the log with it.
func (w httpLog) Write(line []byte) (int, error) {
	text, stack, panicked := strings.Cut(string(bytes.TrimSpace(line)), "\ngoroutine ")
	var event *zerolog.Event
	switch {
	case panicked:
		event = w.log.Error().Str("stack", "goroutine "+stack)
	case strings.HasPrefix(text, "http: TLS handshake error"), strings.HasPrefix(text, "http: URL query contains semicolon"),
		strings.HasPrefix(text, "http2: "), strings.HasPrefix(text, "timeout waiting for "): // SETTINGS and PING of HTTP/2
		event = w.log.Debug()
	default:
		event = w.log.Warn()
	}
	event.Msg(strings.Map(printable, text))
	return len(line), nil
}

// printable drops what could steer a terminal.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// Addr is host:port of the listener.
func (s *HTTPServer) Addr() string { return s.listener.Addr().String() }

// URL is where the handler is.
func (s *HTTPServer) URL() string { return s.scheme + "://" + s.Addr() }

// Close lets requests finish until ctx ends, and then ends them.
func (s *HTTPServer) Close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = s.server.Close()
	}
	return errors.Join(err, <-s.done)
}

// HTTPClient returns a client for one base URL, http or https, that dials through the network. It sends the
// token, verifies https with the CA of the lab and with those that the system trusts, follows no redirect (the
// token is not for others), and uses no proxy of the environment. The caller ends it with CloseIdleConnections.
func HTTPClient(n network.Network, s *Security, base *url.URL) (*http.Client, error) {
	port := base.Port()
	if port == "" {
		port = base.Scheme
	}
	if base.Scheme != "https" {
		if err := s.checkToken(net.JoinHostPort(base.Hostname(), port)); err != nil {
			return nil, fmt.Errorf("%w, or give an https URL", err)
		}
	}
	dial := s.dialer(n)
	transport := &http.Transport{
		DialContext:         func(ctx context.Context, _, addr string) (net.Conn, error) { return dial(ctx, addr) },
		TLSClientConfig:     s.publicTLS(),
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: 5 * time.Second,
	}
	t := clientTransport{Transport: transport, dial: dial}
	if s != nil {
		t.token = s.sends
	}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// publicTLS is how https is verified: a bootstrap service may have a certificate of the lab's own CA, or, as
// a Cloud Function has, one that the system trusts.
func (s *Security) publicTLS() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12} // 1.2 for platforms that others run
	if s == nil || s.client == nil {
		return c
	}
	c.Certificates = s.client.Certificates
	if s.ca == nil {
		return c
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without any
	}
	pool.AppendCertsFromPEM(s.ca)
	c.RootCAs = pool
	return c
}

// clientTransport sends the token with each request, and finds out why a server hung up.
type clientTransport struct {
	*http.Transport
	token string // empty for none
	dial  func(ctx context.Context, addr string) (net.Conn, error)
}

// RoundTrip is that of http.RoundTripper.
func (t clientTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.token != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+t.token)
	}
	resp, err := t.Transport.RoundTrip(req)
	if err != nil && strings.Contains(err.Error(), "client conn could not be established") {
		// HTTP/2 keeps to itself what it read, which is mostly that the server wants a certificate.
		if why := t.alert(req); why != nil {
			return nil, why
		}
	}
	return resp, err
}

// alertWait is how long an alert may take that follows a handshake.
const alertWait = 500 * time.Millisecond

// alert connects once more and says nothing, to read what the server has to say about that; nil if it is no alert.
func (t clientTransport) alert(req *http.Request) error {
	ctx, cancel := context.WithTimeout(req.Context(), t.TLSHandshakeTimeout)
	defer cancel()
	port := req.URL.Port()
	if port == "" {
		port = req.URL.Scheme
	}
	raw, err := t.dial(ctx, net.JoinHostPort(req.URL.Hostname(), port))
	if err != nil {
		return nil //nolint:nilerr // the error of the request itself is the one to tell
	}
	defer func() { _ = raw.Close() }()
	cfg := t.TLSClientConfig.Clone()
	cfg.ServerName = req.URL.Hostname()
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	_ = conn.SetReadDeadline(time.Now().Add(alertWait)) // it fails when the connection is gone, which Read tells
	_, err = conn.Read(make([]byte, 1))
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "remote error" {
		return err
	}
	return nil
}
