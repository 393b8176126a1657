package gateway

import (
	"context"
	_ "embed"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	transcoder "peerlab.example/peerlab/proto/peerlab/bootstrap/v1/gateway"
)

// DefaultMaxRequestBytes is what a request may be long. The largest Join that the service accepts has
// about 2 KiB; as JSON, with each character escaped, six times that.
const DefaultMaxRequestBytes = 64 << 10

//go:embed bootstrap.swagger.json
var description []byte

// Options of a handler. The zero value is usable.
type Options struct {
	// MaxRequestBytes is the longest body; 0 means DefaultMaxRequestBytes.
	MaxRequestBytes int64
	// LimitHit, if set, is told of each request that is longer.
	LimitHit func(limit string)
	// NoStreams is set where the platform answers as a whole, or where a request that stays open costs:
	// Watch is then UNIMPLEMENTED, and clients poll.
	NoStreams bool
}

type handler struct {
	maxBytes  int64
	limitHit  func(limit string)
	noStreams bool
	mux       http.Handler
}

// NewHandler returns the handler of /v1/* and /openapi.json. It calls the service through conn, which has to
// be that of a grpc.Server (in memory, best): then interceptors see each call, and Watch can stream. The token of
// a request goes along as the metadata "authorization", and whence it came as "x-forwarded-for", which nobody has to
// believe. Grpc-Timeout is the deadline of the call. No other header goes along.
func NewHandler(conn grpc.ClientConnInterface, o Options) (http.Handler, error) {
	h := &handler{maxBytes: o.MaxRequestBytes, limitHit: o.LimitHit, noStreams: o.NoStreams}
	if h.maxBytes == 0 {
		h.maxBytes = DefaultMaxRequestBytes
	}
	drop := func(string) (string, bool) { return "", false }
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			// Numbers of no peers are said, so that a reader need not know what is left out.
			MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true},
		}),
		runtime.WithErrorHandler(muxError),
		runtime.WithIncomingHeaderMatcher(drop),
		runtime.WithOutgoingHeaderMatcher(drop),
		runtime.WithOutgoingTrailerMatcher(drop),
		runtime.WithDisablePathLengthFallback(),
	)
	client := bootstrapv1.NewBootstrapServiceClient(eager{conn})
	if err := transcoder.RegisterBootstrapServiceHandlerClient(context.Background(), mux, client); err != nil {
		return nil, err
	}
	h.mux = mux
	// A page that a browser shows must not reach a service on the same machine.
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WriteError(w, status.Error(codes.PermissionDenied, "requests of web pages of other origins are refused"))
	}))
	return origin.Handler(h), nil
}

// ServeHTTP is that of http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == "/openapi.json" && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(description)
		return
	}
	r, found, verbs := match(req)
	if !found {
		refuse(w, req, verbs)
		return
	}
	if r.method == "Watch" && h.noStreams {
		WriteError(w, status.Error(codes.Unimplemented, "this service does not stream: poll GET /v1/list?known_revision=N"))
		return
	}
	if err := h.check(w, req, r); err != nil {
		WriteError(w, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// There is one kind of answer. The mux would look for others, and log each header that it cannot read.
	req.Header.Del("Accept")
	req.Header.Del("Content-Type")
	h.mux.ServeHTTP(w, req)
}

// refuse answers a request for which there is no route.
func refuse(w http.ResponseWriter, req *http.Request, verbs []string) {
	if len(verbs) == 0 {
		WriteError(w, status.Errorf(codes.NotFound, "no such path %q; there are %s", req.URL.Path, paths()))
		return
	}
	allowed := strings.Join(verbs, ", ")
	w.Header().Set("Allow", allowed)
	writeStatus(w, http.StatusMethodNotAllowed,
		status.Errorf(codes.Unimplemented, "%s knows %s, not %s", req.URL.Path, allowed, req.Method))
}
