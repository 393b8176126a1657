package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// maxAnswer bounds what a service may answer: a roster of 1000 peers has about 1.6 MiB, which JSON at
// worst doubles.
const maxAnswer = 8 << 20

// ConnOptions of a connection. The zero value is usable.
type ConnOptions struct {
	// FirstAnswer is how long a Watch waits for its first roster before it takes the service, or
	// something before it, for one that does not stream, and polls; 0 means 5 s.
	FirstAnswer time.Duration
	// PollInterval is the time between two polls, of which up to a fifth is left to chance; 0 means 1 s.
	PollInterval time.Duration
}

// Conn lets a gRPC client of the bootstrap service speak HTTP/JSON. Errors are those that the service would
// return over gRPC; what keeps a call from reaching it is UNAVAILABLE.
type Conn struct {
	base   string
	client *http.Client
	o      ConnOptions
}

var _ grpc.ClientConnInterface = (*Conn)(nil)

// ParseURL checks a base URL, such as https://bootstrap.example or http://127.0.0.1:7780/prefix.
func ParseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a URL: %w", raw, errors.Unwrap(err))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q: the scheme is http or https", raw)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q has no host: it is http://HOST[:PORT]", raw)
	case u.User != nil:
		return nil, fmt.Errorf("%s: no user and password here: a secret goes into --token-file", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q: a base URL has no ? and no #", raw)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// NewConn returns a connection to the service at a base URL. The client is the caller's to close.
func NewConn(base *url.URL, client *http.Client, o ConnOptions) *Conn {
	if o.FirstAnswer == 0 {
		o.FirstAnswer = 5 * time.Second
	}
	if o.PollInterval == 0 {
		o.PollInterval = time.Second
	}
	return &Conn{base: base.String(), client: client, o: o}
}

// Invoke is that of grpc.ClientConnInterface. Call options have no effect.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	in, ok := args.(proto.Message)
	out, ok2 := reply.(proto.Message)
	if !ok || !ok2 {
		return status.Errorf(codes.Internal, "%s: neither %T nor %T may be other than a protobuf message", method, args, reply)
	}
	resp, err := c.send(ctx, method, in)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return c.failed(ctx, err)
	case len(body) > maxAnswer:
		return status.Errorf(codes.ResourceExhausted, "%s answered with more than %d bytes", c.base, maxAnswer)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, out); err != nil {
		return status.Errorf(codes.Internal, "%s answered with something else than JSON of a bootstrap service: %s", c.base, plain(err))
	}
	return nil
}

// NewStream is that of grpc.ClientConnInterface, for Watch.
func (c *Conn) NewStream(ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	if method != bootstrapv1.BootstrapService_Watch_FullMethodName {
		return nil, status.Errorf(codes.Unimplemented, "%s is no stream over HTTP", method)
	}
	return &watch{conn: c, ctx: ctx}, nil
}

// send makes a request and returns an answer that is none of an error.
func (c *Conn) send(ctx context.Context, method string, in proto.Message) (*http.Response, error) {
	r, ok := routeOf(method)
	if !ok {
		return nil, status.Errorf(codes.Unimplemented, "%s is not spoken over HTTP", method)
	}
	req, err := c.request(ctx, r, in)
	if err != nil {
		return nil, err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, c.refused(resp)
}

func (c *Conn) request(ctx context.Context, r route, in proto.Message) (*http.Request, error) {
	m := in.ProtoReflect()
	inBody := m
	switch r.body {
	case "":
		inBody = nil
	case "*":
	default:
		inBody = m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(r.body))).Message()
	}
	var body io.Reader
	if inBody != nil {
		b, err := protojson.Marshal(inBody.Interface())
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "%s: %s", r.method, plain(err))
		}
		body = bytes.NewReader(b)
	}
	target := c.base + r.path
	if q := query(r, m); len(q) > 0 {
		target += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.verb, target, body)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	if deadline, ok := ctx.Deadline(); ok {
		// As gRPC does: the service knows how long an answer is worth having, and can say in time why there is none.
		req.Header.Set("Grpc-Timeout", fmt.Sprintf("%dm", max(1, time.Until(deadline).Milliseconds())))
	}
	return req, nil
}

// query holds the fields of a request that its body does not.
func query(r route, m protoreflect.Message) url.Values {
	q := url.Values{}
	for _, f := range r.parameters() {
		if !m.Has(f) {
			continue
		}
		if f.Message() == nil {
			q.Set(string(f.Name()), m.Get(f).String())
			continue
		}
		var paths []string // the only message in a query is a google.protobuf.FieldMask
		list := m.Get(f).Message().Get(f.Message().Fields().ByName("paths")).List()
		for i := range list.Len() {
			paths = append(paths, list.Get(i).String())
		}
		q.Set(string(f.Name()), strings.Join(paths, ","))
	}
	return q
}

// failed is the error of a call that got no answer.
func (c *Conn) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	// The method and URL that url.Error begins with are known to the reader.
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err
	}
	return status.Errorf(codes.Unavailable, "%s: %v", c.base, err)
}
