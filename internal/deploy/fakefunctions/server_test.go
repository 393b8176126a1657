package fakefunctions

import (
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const location = "projects/my-lab-1/locations/europe-west1"

func start(t *testing.T, b Behavior) *Server {
	t.Helper()
	s, err := Start(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestUploadsAreCheckedAsASignedURLDoes(t *testing.T) {
	t.Parallel()
	s := start(t, Behavior{})
	place, err := s.GenerateUploadUrl(t.Context(), &functionspb.GenerateUploadUrlRequest{Parent: location})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	put := func(method, url string, header http.Header) int {
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("no zip"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		return response.StatusCode
	}
	zip := http.Header{"Content-Type": {"application/zip"}}
	unsigned, _, _ := strings.Cut(place.GetUploadUrl(), "?")
	for name, got := range map[string]int{
		"no type":       put(http.MethodPut, place.GetUploadUrl(), http.Header{}),
		"authorization": put(http.MethodPut, place.GetUploadUrl(), http.Header{"Content-Type": {"application/zip"}, "Authorization": {"Bearer x"}}),
		"post":          put(http.MethodPost, place.GetUploadUrl(), zip),
		"unsigned":      put(http.MethodPut, unsigned, zip),
	} {
		if got != http.StatusForbidden {
			t.Errorf("%s: status %d", name, got)
		}
	}
	if got := put(http.MethodPut, place.GetUploadUrl(), zip); got != http.StatusOK {
		t.Errorf("upload: status %d", got)
	}
}

func TestFunctionsNeedASourceThatWasUploaded(t *testing.T) {
	t.Parallel()
	s := start(t, Behavior{})
	_, err := s.CreateFunction(t.Context(), &functionspb.CreateFunctionRequest{
		Parent: location, FunctionId: "peerlab", Function: &functionspb.Function{},
	})
	if status.Code(err) != codes.InvalidArgument || len(s.Functions()) != 0 {
		t.Errorf("error %v, functions %v", err, s.Functions())
	}
}

func TestUpdatesNeedAMaskOfFieldsThatExist(t *testing.T) {
	t.Parallel()
	s := start(t, Behavior{})
	f := &functionspb.Function{Name: location + "/functions/peerlab"}
	s.Put(f)
	if _, err := s.UpdateFunction(t.Context(), &functionspb.UpdateFunctionRequest{Function: f}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("error %v", err)
	}
}
