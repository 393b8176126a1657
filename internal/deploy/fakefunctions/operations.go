package fakefunctions

import (
	"context"
	"fmt"
	"path"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// operation is a long-running operation. It goes on one step with each question about it.
type operation struct {
	name     string
	kind     functionspb.OperationType
	function *functionspb.Function // as it will be
	asked    int
	lost     int // questions that were not answered
	result   *longrunningpb.Operation
}

// begin makes an operation. The mutex is held.
func (s *Server) begin(kind functionspb.OperationType, f *functionspb.Function) (*longrunningpb.Operation, error) {
	s.serial++
	op := &operation{
		name: fmt.Sprintf("%s/operations/operation-%d", path.Dir(path.Dir(f.GetName())), s.serial), kind: kind, function: f,
	}
	s.operations[op.name] = op
	return &longrunningpb.Operation{Name: op.name}, nil
}

// GetOperation implements longrunningpb.OperationsServer.
func (s *Server) GetOperation(_ context.Context, r *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	held := s.held()
	s.mu.Lock()
	defer s.mu.Unlock()
	op, ok := s.operations[r.GetName()]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "no operation %s", r.GetName())
	}
	if op.result != nil {
		return op.result, nil
	}
	if op.asked > 0 && op.lost < s.behavior.LosePolls {
		op.lost++
		return nil, status.Error(codes.Unavailable, "no answer about the operation")
	}
	return s.step(op, held)
}

// stages are those of a deployment. A deletion has none.
var stages = []struct {
	name    functionspb.Stage_Name
	message string
}{
	{functionspb.Stage_BUILD, "Creating the image"},
	{functionspb.Stage_SERVICE, "Creating the Cloud Run service"},
}

// buildLog is where the log of a build would be.
const buildLog = "https://console.cloud.google.com/cloud-build/builds/fake"

// step goes on with an operation, and tells where it is. The mutex is held.
func (s *Server) step(op *operation, held bool) (*longrunningpb.Operation, error) {
	each := max(s.behavior.Stages, 1)
	at := op.asked / each
	m := &functionspb.OperationMetadata{
		OperationType: op.kind, Target: op.function.GetName(), ApiVersion: "v2", CreateTime: timestamppb.Now(),
	}
	total := 0
	if op.kind != functionspb.OperationType_DELETE_FUNCTION {
		total = len(stages)
		m.Stages = stagesAt(at)
	}
	if !held || at < total-1 {
		op.asked++
	}
	out := &longrunningpb.Operation{Name: op.name}
	var err error
	broken := s.behavior.BuildError != "" && total > 0
	switch {
	case broken && at > 0 && !held:
		s.breakBuild(out, m)
	case at >= total && !held:
		err = s.finish(op, out)
	}
	if err == nil {
		out.Metadata, err = anypb.New(m)
	}
	if out.GetDone() {
		op.result = out
	}
	return out, err
}

// stagesAt are the stages when so many of them are complete.
func stagesAt(at int) []*functionspb.Stage {
	var out []*functionspb.Stage
	for i, stage := range stages {
		s := &functionspb.Stage{Name: stage.name, Message: stage.message, State: functionspb.Stage_NOT_STARTED}
		switch {
		case i < at:
			s.State = functionspb.Stage_COMPLETE
		case i == at:
			s.State = functionspb.Stage_IN_PROGRESS
		}
		if stage.name == functionspb.Stage_BUILD {
			s.ResourceUri = buildLog
		}
		out = append(out, s)
	}
	return out
}

// breakBuild ends an operation with the error of its build.
func (s *Server) breakBuild(out *longrunningpb.Operation, m *functionspb.OperationMetadata) {
	message := &functionspb.StateMessage{
		Severity: functionspb.StateMessage_ERROR, Type: "CloudRunBuildFailed", Message: s.behavior.BuildError,
	}
	m.Stages = stagesAt(0)
	m.Stages[0].State = functionspb.Stage_COMPLETE
	m.Stages[0].StateMessages = []*functionspb.StateMessage{message}
	if f, ok := s.functions[m.GetTarget()]; ok {
		f.State = functionspb.Function_FAILED
		f.StateMessages = m.GetStages()[0].GetStateMessages()
	}
	out.Done = true
	out.Result = &longrunningpb.Operation_Error{
		Error: status.New(codes.Unknown, "Build failed with status: FAILURE").Proto(),
	}
}

// finish ends an operation that went well.
func (s *Server) finish(op *operation, out *longrunningpb.Operation) error {
	var result proto.Message = &emptypb.Empty{}
	if op.kind == functionspb.OperationType_DELETE_FUNCTION {
		delete(s.functions, op.function.GetName())
	} else {
		s.serial++
		f := op.function
		id := path.Base(f.GetName())
		f.State, f.StateMessages = functionspb.Function_ACTIVE, nil
		f.UpdateTime = timestamppb.Now()
		f.Url = "https://" + id + "-fake.a.run.app"
		f.ServiceConfig.Uri = f.GetUrl()
		f.ServiceConfig.Service = path.Dir(path.Dir(f.GetName())) + "/services/" + id
		f.ServiceConfig.Revision = fmt.Sprintf("%s-%05d", id, s.serial)
		s.functions[f.GetName()] = f
		result = f
	}
	response, err := anypb.New(result)
	out.Done = true
	out.Result = &longrunningpb.Operation_Response{Response: response}
	return err
}
