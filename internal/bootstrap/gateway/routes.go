package gateway

import (
	"net/http"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// route is how one method is spoken to. A test holds this table against the generated description.
type route struct {
	method string // of gRPC, without the service
	verb   string
	path   string
	body   string // "*" for the whole request, a field of it, or empty for none
}

var routes = []route{
	{"Ping", http.MethodGet, "/v1/ping", ""},
	{"Join", http.MethodPost, "/v1/join", "*"},
	{"Leave", http.MethodPost, "/v1/leave", "*"},
	{"Refill", http.MethodPost, "/v1/refill", "*"},
	{"Renew", http.MethodPost, "/v1/renew", "*"},
	{"List", http.MethodGet, "/v1/list", ""},
	{"Reset", http.MethodPost, "/v1/reset", "*"},
	{"GetConfig", http.MethodGet, "/v1/config", ""},
	{"UpdateConfig", http.MethodPatch, "/v1/config", "config"},
	{"Watch", http.MethodGet, "/v1/watch", ""},
}

// routeOf finds a route by the full name of its gRPC method, as in "/package.Service/Method".
func routeOf(fullMethod string) (route, bool) {
	for _, r := range routes {
		if fullMethod == "/"+bootstrapv1.BootstrapService_ServiceDesc.ServiceName+"/"+r.method {
			return r, true
		}
	}
	return route{}, false
}

// request describes the message that the route takes.
func (r route) request() protoreflect.MessageDescriptor {
	service := bootstrapv1.File_peerlab_bootstrap_v1_bootstrap_proto.Services().ByName("BootstrapService")
	return service.Methods().ByName(protoreflect.Name(r.method)).Input()
}

// inBody describes the message that is the body of a request, nil for none.
func (r route) inBody() protoreflect.MessageDescriptor {
	switch r.body {
	case "":
		return nil
	case "*":
		return r.request()
	}
	return r.request().Fields().ByName(protoreflect.Name(r.body)).Message()
}

// parameters are the fields that may stand in the query, which are those of the request that are not in its body.
func (r route) parameters() []protoreflect.FieldDescriptor {
	var out []protoreflect.FieldDescriptor
	fields := r.request().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); r.body != "*" && string(f.Name()) != r.body {
			out = append(out, f)
		}
	}
	return out
}

// match finds the route of a request; else it returns the verbs that its path knows, none for an
// unknown path.
func match(req *http.Request) (r route, found bool, verbs []string) {
	for _, r := range routes {
		if r.path != req.URL.Path {
			continue
		}
		if r.verb == req.Method {
			return r, true, nil
		}
		verbs = append(verbs, r.verb)
	}
	return route{}, false, verbs
}

// paths are all paths, each once, for messages.
func paths() string {
	var out []string
	for _, r := range routes {
		if n := len(out); n == 0 || out[n-1] != r.path {
			out = append(out, r.path)
		}
	}
	return strings.Join(out, " ")
}
