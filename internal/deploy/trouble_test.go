package deploy

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/deploy/fakefunctions"
)

func TestAnswersOfTheAPISayWhatWouldBeRight(t *testing.T) {
	t.Parallel()
	denied := func(reason, service string) error {
		s, err := status.New(codes.PermissionDenied, "denied").WithDetails(
			&errdetails.ErrorInfo{Reason: reason, Domain: "googleapis.com", Metadata: map[string]string{"service": service}})
		if err != nil {
			t.Fatal(err)
		}
		return s.Err()
	}
	for name, test := range map[string]struct {
		behavior fakefunctions.Behavior
		want     []string
	}{
		"no credentials": {
			fakefunctions.Behavior{Refuse: status.Error(codes.Unauthenticated, "no valid credentials")},
			[]string{"gcloud auth application-default login", "GOOGLE_APPLICATION_CREDENTIALS"},
		},
		"no permission": {
			fakefunctions.Behavior{Refuse: status.Error(codes.PermissionDenied, "Permission 'cloudfunctions.functions.get' denied")},
			[]string{"cloudfunctions.functions.get", "roles/cloudfunctions.developer", "my-lab-1"},
		},
		"API not enabled": {
			fakefunctions.Behavior{Refuse: denied("SERVICE_DISABLED", "cloudfunctions.googleapis.com")},
			[]string{"gcloud services enable cloudfunctions.googleapis.com --project my-lab-1"},
		},
		"invalid project": {
			fakefunctions.Behavior{Refuse: denied("CONSUMER_INVALID", "")},
			[]string{"there is no project my-lab-1"},
		},
		"no such project": {
			fakefunctions.Behavior{Project: "another-lab"},
			[]string{"get a URL to upload to: NotFound", "is my-lab-1 the id"},
		},
		"upload refused": {
			fakefunctions.Behavior{UploadStatus: http.StatusForbidden},
			[]string{"the storage answers 403 Forbidden", "the upload is refused", "nothing is deployed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, test.behavior)
			_, err := l.Deploy(t.Context(), labConfig())
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error without %q: %v", want, err)
				}
			}
			if names := l.Functions(); len(names) != 0 {
				t.Errorf("functions %v", names)
			}
		})
	}
}

func TestWithoutCredentialsTheErrorSaysHowToLogIn(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "missing.json"))
	// The address is never dialed: credentials are looked for first.
	_, err := New(t.Context(), Options{Endpoint: "functions.invalid:443"})
	if err == nil || !strings.Contains(err.Error(), "missing.json") || !strings.Contains(err.Error(), "gcloud auth application-default login") {
		t.Errorf("error %v", err)
	}
}

func TestFunctionsThatAreNotOursToUpdate(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*functionspb.Function{
		"first generation": {Name: labFunction, Environment: functionspb.Environment_GEN_1},
		"events trigger":   {Name: labFunction, EventTrigger: &functionspb.EventTrigger{EventType: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fakefunctions.Behavior{})
			l.Put(f)
			if _, err := l.Deploy(t.Context(), labConfig()); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
			if calls := l.Calls(); len(calls) != 1 {
				t.Errorf("calls %v", calls)
			}
		})
	}
}

func TestUploadThatBreaksIsTriedAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t, fakefunctions.Behavior{BreakUploads: 1})
	if _, err := l.Deploy(t.Context(), labConfig()); err != nil {
		t.Fatal(err)
	}
	checkUpload(t, l)
	if text := strings.Join(l.progress(), "\n"); !strings.Contains(text, "try 1 of 4 failed") || strings.Contains(text, "signature=") {
		t.Errorf("progress:\n%s", text)
	}
}

func TestAPIThatIsAwayForAMomentIsAskedAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t, fakefunctions.Behavior{Unavailable: 2, LosePolls: 3, Stages: 3})
	if _, err := l.Deploy(t.Context(), labConfig()); err != nil {
		t.Fatal(err)
	}
}

func TestInterruptedWaitingSaysThatTheOperationGoesOn(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	l := newLab(t, fakefunctions.Behavior{Hold: hold})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	result := make(chan error, 1)
	go func() {
		_, err := l.Deploy(ctx, labConfig())
		result <- err
	}()
	for !slices.Contains(l.progress(), "build: complete") {
		<-l.told
	}
	cancel(errors.New("the user has had enough"))
	err := <-result
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) || !strings.Contains(interrupted.Operation, "operations/") ||
		!strings.Contains(err.Error(), "goes on in Google Cloud") || !strings.Contains(err.Error(), "the user has had enough") {
		t.Fatalf("error %v", err)
	}
	// While it goes on, another deployment is refused.
	_, err = l.Deploy(t.Context(), labConfig())
	if err == nil || !strings.Contains(err.Error(), "another operation on the function may still run") {
		t.Errorf("error %v", err)
	}
	close(hold)
}

func TestNothingIsSentWithABadConfig(t *testing.T) {
	t.Parallel()
	l := newLab(t, fakefunctions.Behavior{})
	if _, err := l.Deploy(t.Context(), Config{}); err == nil {
		t.Error("an empty configuration is deployed")
	}
	c := labConfig()
	c.Source = "testdata"
	if _, err := l.Deploy(t.Context(), c); err == nil || !strings.Contains(err.Error(), "no go.mod") {
		t.Errorf("error %v", err)
	}
	if calls := l.Calls(); slices.Contains(calls, "GenerateUploadUrl") {
		t.Errorf("calls %v", calls)
	}
}
