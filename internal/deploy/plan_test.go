package deploy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlanHasTheArchiveAndTheRequests(t *testing.T) {
	t.Parallel()
	c := labConfig()
	c.AllowUnauthenticated, c.TokenSecret = true, "lab-token"
	c.Said = []string{"token-secret", "allow-unauthenticated"}
	var told []string
	b, err := c.Plan(t.Context(), func(line string) { told = append(told, line) })
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Archive struct {
			Bytes int
			Files []struct {
				Path  string
				Bytes int
			}
		}
		GenerateUploadUrl struct{ Parent string } //nolint:staticcheck // the name is the API's
		CreateFunction    struct {
			FunctionID string `json:"functionId"`
			Function   struct {
				BuildConfig   map[string]string
				ServiceConfig struct{ EnvironmentVariables map[string]string }
			}
		}
		UpdateFunction struct{ UpdateMask string }
		SetIamPolicy   struct{ Role, Member string }
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v:\n%s", err, b)
	}
	if got.Archive.Bytes == 0 || len(got.Archive.Files) != 8 || got.Archive.Files[0].Path != "function.go" || got.Archive.Files[0].Bytes == 0 {
		t.Errorf("archive %+v", got.Archive)
	}
	if got.GenerateUploadUrl.Parent != "projects/my-lab-1/locations/europe-west1" || got.CreateFunction.FunctionID != "peerlab-bootstrap" {
		t.Errorf("requests %+v", got)
	}
	f := got.CreateFunction.Function
	if d := cmp.Diff(map[string]string{"runtime": "go126", "entryPoint": "Peerlab"}, f.BuildConfig); d != "" {
		t.Errorf("build (-want +got):\n%s", d)
	}
	if f.ServiceConfig.EnvironmentVariables["PEERLAB_STORE"] != "firestore://my-lab-1/peerlab" {
		t.Errorf("service %+v", f.ServiceConfig)
	}
	if got.UpdateFunction.UpdateMask == "" || got.SetIamPolicy.Member != "allUsers" {
		t.Errorf("update %+v, policy %+v", got.UpdateFunction, got.SetIamPolicy)
	}
	if len(told) != 2 || !strings.HasPrefix(told[1], "archive: 8 files") {
		t.Errorf("progress %q", told)
	}
	again, err := c.Plan(t.Context(), nil)
	if err != nil || string(again) != string(b) {
		t.Errorf("a second plan differs: %v", err)
	}
}
