package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

// serve serves the logs to the API server, and returns the port.
func (k *kubelet) serve() int32 {
	k.t.Helper()
	cert, err := tls.LoadX509KeyPair(k.path("certs", "kubelet.crt"), k.path("certs", "kubelet.key"))
	if err != nil {
		k.t.Fatal(err)
	}
	ca, err := os.ReadFile(k.path("certs", "ca.crt"))
	if err != nil {
		k.t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		k.t.Fatal(err)
	}
	server := &http.Server{Handler: k}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with Close
	}()
	k.t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return int32(l.Addr().(*net.TCPAddr).Port)
}

// ServeHTTP answers /containerLogs/NAMESPACE/POD/CONTAINER, with follow and tailLines, as a kubelet does.
func (k *kubelet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "containerLogs" {
		http.NotFound(w, r)
		return
	}
	var pod *livePod
	k.mu.Lock()
	for _, p := range k.pods {
		if p.pod.Namespace == parts[1] && p.pod.Name == parts[2] {
			pod = p
		}
	}
	k.mu.Unlock()
	switch {
	case pod == nil:
		http.NotFound(w, r)
	case !pod.started():
		http.Error(w, fmt.Sprintf("container %q in pod %q is waiting to start", parts[3], parts[2]), http.StatusBadRequest)
	default:
		pod.log.send(r.Context(), w, r.FormValue("tailLines"), r.FormValue("follow") == "true")
	}
}

// podLog is what a container writes.
type podLog struct {
	mu      sync.Mutex
	text    []byte        // guarded by mu
	closed  bool          // guarded by mu
	changed chan struct{} // guarded by mu; closed and replaced when there is more
}

func newPodLog() *podLog { return &podLog{changed: make(chan struct{})} }

func (l *podLog) Write(p []byte) (int, error) {
	l.more(func() { l.text = append(l.text, p...) })
	return len(p), nil
}

func (l *podLog) close() { l.more(func() { l.closed = true }) }

func (l *podLog) more(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// send writes the log, of which the last lines if tail says how many, and what comes if it is to follow.
func (l *podLog) send(ctx context.Context, w http.ResponseWriter, tail string, follow bool) {
	sent := 0
	for first := true; ; first = false {
		l.mu.Lock()
		text, closed, changed := l.text, l.closed, l.changed
		l.mu.Unlock()
		if n, err := strconv.Atoi(tail); first && err == nil {
			sent = len(text) - len(lastLines(string(text), n)+"\n")
		}
		_, _ = w.Write(text[max(sent, 0):]) // who has gone away ends ctx
		sent = len(text)
		_ = http.NewResponseController(w).Flush()
		if closed || !follow {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (l *podLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
