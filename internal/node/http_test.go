package node

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/network"
)

// What http.Server says has a level, and no control characters.
func TestHTTPLog(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, level, message, stack string }{
		{"http: TLS handshake error from 127.0.0.1:1: EOF\n", "debug", "http: TLS handshake error from 127.0.0.1:1: EOF", ""},
		{"http: TLS handshake error from x: a\x1b[31mb\u202ec\r\nd\n", "debug", "http: TLS handshake error from x: a[31mbcd", ""},
		{"http2: server connection error from x: PROTOCOL_ERROR\n", "debug", "http2: server connection error from x: PROTOCOL_ERROR", ""},
		{"http: Accept error: too many open files; retrying in 5ms\n", "warn", "http: Accept error: too many open files; retrying in 5ms", ""},
		{"http: panic serving x: oh\x1b no\ngoroutine 7 [running]:\nmain.f()\n", "error", "http: panic serving x: oh no", "goroutine 7 [running]:\nmain.f()"},
		{"http2: panic serving x: oh no\ngoroutine 7 [running]:\n", "error", "http2: panic serving x: oh no", "goroutine 7 [running]:"},
	} {
		for _, from := range LogLevels {
			var out bytes.Buffer
			logs, err := NewLogs(&out, "json", from, false, false)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := (httpLog{logs.Logger().With().Str("component", "http").Logger()}).Write([]byte(tt.line)); n != len(tt.line) || err != nil {
				t.Errorf("%q: wrote %d, %v", tt.line, n, err)
			}
			level, _ := zerolog.ParseLevel(tt.level)
			if least, _ := zerolog.ParseLevel(from); level < least {
				if out.Len() > 0 {
					t.Errorf("from %s: %s", from, &out)
				}
				continue
			}
			got := map[string]string{}
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v", &out, err)
			}
			delete(got, "time")
			want := map[string]string{"component": "http", "level": tt.level, "message": tt.message}
			if tt.stack != "" {
				want["stack"] = tt.stack
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("from %s (-want +got):\n%s", from, diff)
			}
		}
	}
}

// lockedBuffer is written to by a server.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Who does not speak TLS gets no line into the log of a server that is asked for errors only, and one into that of a server that tells all.
func TestHTTPServerLogsWithALevel(t *testing.T) {
	t.Parallel()
	dir := makeCerts(t, "server")
	for level, want := range map[string]string{"error": "", "debug": `{"level":"debug","component":"http","time":"`} {
		var out lockedBuffer
		logs, err := NewLogs(&out, "json", level, false, false)
		if err != nil {
			t.Fatal(err)
		}
		s, err := StartHTTP(t.Context(), network.System(), certOf(t, dir, "server", dir), "--http", "127.0.0.1:0", http.NotFoundHandler(), logs.Logger())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "\x16\x03\x01\x00\x05hello"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(conn) // until the server has hung up
		_ = conn.Close()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		line := ""
		for l := range strings.Lines(out.String()) {
			if strings.Contains(l, "handshake") {
				line = l
			}
		}
		if (line == "") != (want == "") || !strings.HasPrefix(line, want) {
			t.Errorf("from %s: %s", level, line)
		}
	}
}
