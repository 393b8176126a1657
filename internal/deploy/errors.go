package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// howToLogIn is told wherever credentials are missing or not taken.
const howToLogIn = "log in with gcloud auth application-default login, " +
	"or let GOOGLE_APPLICATION_CREDENTIALS name the file of a service account's key"

// apiError is an answer of an API, with what would be right. Unwrap gives the status.
type apiError struct {
	doing string
	hint  string
	cause error
}

// Error is one line.
func (e *apiError) Error() string {
	text := e.cause.Error()
	if s, ok := status.FromError(e.cause); ok {
		text = s.Code().String() + ": " + s.Message()
	}
	text = e.doing + ": " + strings.Join(strings.Fields(text), " ")
	if e.hint != "" {
		text += "; " + e.hint
	}
	return text
}

// Unwrap is the answer itself.
func (e *apiError) Unwrap() error { return e.cause }

// explain says what was done when a call failed, and what would be right.
func explain(err error, doing string, c Config) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = status.FromContextError(err).Err()
	}
	// gax has a type of its own around a status.
	if s, ok := status.FromError(err); ok {
		err = s.Err()
	}
	return &apiError{doing: doing, hint: hint(err, c), cause: err}
}

// credentialsError is that of making a client, which calls nothing and can lack only credentials.
func credentialsError(err error, doing string) error {
	return &apiError{doing: doing, hint: howToLogIn, cause: err}
}

// explainFunction is explain for calls about a function that may not be there.
func explainFunction(err error, doing string, c Config) error {
	err = explain(err, doing, c)
	var api *apiError
	if status.Code(err) == codes.NotFound && errors.As(err, &api) {
		api.hint = fmt.Sprintf("project %s has no function %s in %s: look at --project, --region and --name", c.Project, c.Name, c.Region)
	}
	return err
}

// hint is what would be right after an error, or empty.
func hint(err error, c Config) string {
	switch status.Code(err) {
	case codes.Unauthenticated:
		return howToLogIn
	case codes.PermissionDenied:
		return permissionHint(err, c)
	case codes.NotFound:
		return fmt.Sprintf("is %s the id (not the name) of a project, and %s a region? gcloud projects list and gcloud functions regions list tell", c.Project, c.Region)
	case codes.AlreadyExists:
		return "somebody else has made it in the meantime; the same command again updates it"
	case codes.FailedPrecondition, codes.Aborted:
		return "another operation on the function may still run, which peerlab functions status tells"
	case codes.Unavailable, codes.DeadlineExceeded:
		return "the API cannot be reached; is there a way to the internet, and is --endpoint right?"
	}
	return ""
}

// permissionHint tells the role that is missing, or the API that is not enabled.
func permissionHint(err error, c Config) string {
	for _, detail := range status.Convert(err).Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if !ok {
			continue
		}
		switch info.GetReason() {
		case "SERVICE_DISABLED":
			service := info.GetMetadata()["service"]
			if service == "" {
				service = "cloudfunctions.googleapis.com"
			}
			return fmt.Sprintf("enable the API with gcloud services enable %s --project %s", service, c.Project)
		case "CONSUMER_INVALID":
			return fmt.Sprintf("there is no project %s; --project wants the id that gcloud projects list shows", c.Project)
		}
	}
	return fmt.Sprintf("the account needs the roles roles/cloudfunctions.developer and roles/iam.serviceAccountUser in project %s, "+
		"or the project does not exist; gcloud auth application-default login changes the account", c.Project)
}
