package fakefunctions

import (
	"archive/zip"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Behavior is how a server differs from one where all goes well.
type Behavior struct {
	// Project is the only project that there is; empty means all are.
	Project string
	// Refuse is what each call of the functions service is answered with, if it is not nil.
	Refuse error
	// Unavailable is how many calls, of all methods together, are first answered UNAVAILABLE.
	Unavailable int
	// Stages is how many questions about an operation are answered with "in progress" for each stage; 0 means one.
	Stages int
	// Hold keeps operations from ending as long as it is open; nil for never.
	Hold <-chan struct{}
	// BuildError is the message of a build that fails; empty for a build that does not.
	BuildError string
	// LosePolls is how many questions about operations are answered UNAVAILABLE after the first answer.
	LosePolls int
	// BreakUploads is how many uploads end with a broken connection in the middle.
	BreakUploads int
	// UploadStatus is the status that uploads are answered with, if it is not 0.
	UploadStatus int
	// ForbidPolicy refuses changes of who may call.
	ForbidPolicy bool
}

// Upload is an archive that has been received whole.
type Upload struct {
	Header http.Header
	Bytes  int64
	Files  map[string]string // name to content
}

// Server is a running API. All of its methods may be called from any goroutine.
type Server struct {
	functionspb.UnimplementedFunctionServiceServer
	longrunningpb.UnimplementedOperationsServer

	grpc     *grpc.Server
	rpc, web net.Listener
	http     *http.Server
	running  sync.WaitGroup

	mu         sync.Mutex
	behavior   Behavior
	functions  map[string]*functionspb.Function
	operations map[string]*operation
	places     map[string]*Upload // object to what was uploaded, nil as long as nothing was
	uploads    []*Upload          // in the order in which they came
	policies   map[string]*policy
	calls      []string        // methods, in the order in which they were called
	requests   []proto.Message // those that change something
	serial     int             // of operations, objects and revisions
}

// Start starts a server on loopback.
func Start(b Behavior) (*Server, error) {
	s := &Server{
		behavior: b, functions: map[string]*functionspb.Function{}, operations: map[string]*operation{},
		places: map[string]*Upload{}, policies: map[string]*policy{},
	}
	var err error
	if s.rpc, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("fake functions: %w", err)
	}
	if s.web, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("fake functions: %w", err), s.rpc.Close())
	}
	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(s.intercept))
	functionspb.RegisterFunctionServiceServer(s.grpc, s)
	longrunningpb.RegisterOperationsServer(s.grpc, s)
	mux := http.NewServeMux()
	mux.HandleFunc("/upload/{object}", s.receive)
	mux.HandleFunc("/v2/{service...}", s.servePolicy)
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	s.running.Go(func() { _ = s.grpc.Serve(s.rpc) }) // ends with Close
	s.running.Go(func() { _ = s.http.Serve(s.web) })
	return s, nil
}

// Close ends the server.
func (s *Server) Close() error {
	s.grpc.Stop()
	err := s.http.Close()
	s.running.Wait()
	return err
}

// Endpoint is host:port of the API.
func (s *Server) Endpoint() string { return s.rpc.Addr().String() }

// RunEndpoint is the URL of the Cloud Run Admin API.
func (s *Server) RunEndpoint() string { return "http://" + s.web.Addr().String() + "/" }

// Behave changes how the server behaves from now on.
func (s *Server) Behave(b Behavior) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behavior = b
}

// Put makes a function that is there already.
func (s *Server) Put(f *functionspb.Function) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.functions[f.GetName()] = proto.CloneOf(f)
}

// Function is the function of that resource name, or nil.
func (s *Server) Function(name string) *functionspb.Function {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.functions[name]
	if !ok {
		return nil
	}
	return proto.CloneOf(f)
}

// Functions are the resource names of all functions.
func (s *Server) Functions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range maps.Keys(s.functions) {
		names = append(names, name)
	}
	return names
}

// Calls are the methods that were called, such as CreateFunction, without questions about operations.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// Requests are those that created, updated or deleted a function.
func (s *Server) Requests() []proto.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]proto.Message(nil), s.requests...)
}

// Uploads are the archives that came.
func (s *Server) Uploads() []*Upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Upload(nil), s.uploads...)
}

// Public reports whether everybody may call the service of a function.
func (s *Server) Public(service string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policies[service].public()
}

// files reads all that a zip has.
func files(r *zip.Reader) (map[string]string, error) {
	out := map[string]string{}
	for _, f := range r.File {
		body, err := readFile(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		out[f.Name] = body
	}
	return out, nil
}

// wait waits as long as the behavior holds operations up.

// held reports whether operations must not end yet.
func (s *Server) held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behavior.Hold == nil {
		return false
	}
	select {
	case <-s.behavior.Hold:
		return false
	default:
		return true
	}
}
