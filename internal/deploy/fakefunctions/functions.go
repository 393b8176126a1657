package fakefunctions

import (
	"context"
	"fmt"
	"path"
	"strings"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// intercept records calls, and refuses those that the behavior refuses.
func (s *Server) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	s.mu.Lock()
	method := path.Base(info.FullMethod)
	if method != "GetOperation" {
		s.calls = append(s.calls, method)
	}
	var err error
	switch {
	case s.behavior.Unavailable > 0:
		s.behavior.Unavailable--
		err = status.Error(codes.Unavailable, "the service is not there for a moment")
	case s.behavior.Refuse != nil && method != "GetOperation":
		err = s.behavior.Refuse
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

// inProject refuses what is in a project that is not there.
func (s *Server) inProject(name string) error {
	parts := strings.Split(name, "/")
	if len(parts) < 4 || parts[0] != "projects" || parts[2] != "locations" {
		return status.Errorf(codes.InvalidArgument, "%q is no name in a location", name)
	}
	if s.behavior.Project != "" && parts[1] != s.behavior.Project {
		return status.Errorf(codes.NotFound, "Requested entity was not found: projects/%s", parts[1])
	}
	return nil
}

// GetFunction implements functionspb.FunctionServiceServer.
func (s *Server) GetFunction(_ context.Context, r *functionspb.GetFunctionRequest) (*functionspb.Function, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(r.GetName())
}

func (s *Server) find(name string) (*functionspb.Function, error) {
	if err := s.inProject(name); err != nil {
		return nil, err
	}
	f, ok := s.functions[name]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "Resource '%s' was not found", name)
	}
	return proto.CloneOf(f), nil
}

// GenerateUploadUrl implements functionspb.FunctionServiceServer.
func (s *Server) GenerateUploadUrl(_ context.Context, r *functionspb.GenerateUploadUrlRequest) (*functionspb.GenerateUploadUrlResponse, error) { //nolint:staticcheck // the name is the API's
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.inProject(r.GetParent() + "/"); err != nil {
		return nil, err
	}
	s.serial++
	object := fmt.Sprintf("object-%d.zip", s.serial)
	s.places[object] = nil
	return &functionspb.GenerateUploadUrlResponse{
		UploadUrl:     "http://" + s.web.Addr().String() + "/upload/" + object + "?signature=secret",
		StorageSource: &functionspb.StorageSource{Bucket: "uploads", Object: object},
	}, nil
}

// CreateFunction implements functionspb.FunctionServiceServer.
func (s *Server) CreateFunction(_ context.Context, r *functionspb.CreateFunctionRequest) (*longrunningpb.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.GetParent() + "/functions/" + r.GetFunctionId()
	if err := s.inProject(name); err != nil {
		return nil, err
	}
	if _, ok := s.functions[name]; ok {
		return nil, status.Errorf(codes.AlreadyExists, "Could not create Cloud Function %s. A function with this name already exists", name)
	}
	f := proto.CloneOf(r.GetFunction())
	f.Name = name
	if err := s.uploaded(f); err != nil {
		return nil, err
	}
	s.requests = append(s.requests, proto.CloneOf(r))
	f.CreateTime = timestamppb.Now()
	f.State = functionspb.Function_DEPLOYING
	s.functions[name] = f
	return s.begin(functionspb.OperationType_CREATE_FUNCTION, f)
}

// UpdateFunction implements functionspb.FunctionServiceServer.
func (s *Server) UpdateFunction(_ context.Context, r *functionspb.UpdateFunctionRequest) (*longrunningpb.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := s.find(r.GetFunction().GetName())
	if err != nil {
		return nil, err
	}
	if now.GetState() == functionspb.Function_DEPLOYING || now.GetState() == functionspb.Function_DELETING {
		return nil, status.Error(codes.FailedPrecondition, "An operation on function is already in progress. Please try again later.")
	}
	if len(r.GetUpdateMask().GetPaths()) == 0 || !r.GetUpdateMask().IsValid(r.GetFunction()) {
		return nil, status.Errorf(codes.InvalidArgument, "bad update mask %v", r.GetUpdateMask().GetPaths())
	}
	for _, field := range r.GetUpdateMask().GetPaths() {
		set(now.ProtoReflect(), r.GetFunction().ProtoReflect(), strings.Split(field, "."))
	}
	if err := s.uploaded(now); err != nil {
		return nil, err
	}
	s.requests = append(s.requests, proto.CloneOf(r))
	s.functions[now.GetName()].State = functionspb.Function_DEPLOYING
	now.State = functionspb.Function_DEPLOYING
	return s.begin(functionspb.OperationType_UPDATE_FUNCTION, now)
}

// DeleteFunction implements functionspb.FunctionServiceServer.
func (s *Server) DeleteFunction(_ context.Context, r *functionspb.DeleteFunctionRequest) (*longrunningpb.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(r.GetName())
	if err != nil {
		return nil, err
	}
	s.requests = append(s.requests, proto.CloneOf(r))
	s.functions[r.GetName()].State = functionspb.Function_DELETING
	return s.begin(functionspb.OperationType_DELETE_FUNCTION, f)
}

// uploaded checks that the source of a function has been uploaded, and is one.
func (s *Server) uploaded(f *functionspb.Function) error {
	object := f.GetBuildConfig().GetSource().GetStorageSource().GetObject()
	upload := s.places[object]
	switch {
	case upload == nil:
		return status.Errorf(codes.InvalidArgument, "source object %q has not been uploaded", object)
	case upload.Files["go.mod"] == "":
		return status.Error(codes.InvalidArgument, "the source has no go.mod at its root")
	case f.GetBuildConfig().GetRuntime() == "" || f.GetBuildConfig().GetEntryPoint() == "":
		return status.Error(codes.InvalidArgument, "runtime and entry point are required")
	}
	return nil
}

// set copies one field, which a mask names by its path, from one message to another.
func set(to, from protoreflect.Message, path []string) {
	field := to.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	switch {
	case len(path) > 1:
		set(to.Mutable(field).Message(), from.Get(field).Message(), path[1:])
	case from.Has(field):
		to.Set(field, from.Get(field))
	default:
		to.Clear(field)
	}
}
