package firestore_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/bootstrap/store/firestore"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]firestore.Config{
		"firestore://my-project/rosters":                       {Project: "my-project", Collection: "rosters"},
		"firestore://my-project/rosters/":                      {Project: "my-project", Collection: "rosters"},
		"firestore://example.com:old-project/a b":              {Project: "example.com:old-project", Collection: "a b"},
		"firestore://my-project/rosters?database=lab-2":        {Project: "my-project", Collection: "rosters", Database: "lab-2"},
		"firestore://my-project/r?database=%28default%29":      {Project: "my-project", Collection: "r", Database: "(default)"},
		"firestore://demo-peerlab/" + strings.Repeat("é", 128): {Project: "demo-peerlab", Collection: strings.Repeat("é", 128)},
	} {
		got, err := firestore.Parse(spec)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(zerolog.Logger{})); err != nil || diff != "" {
			t.Errorf("Parse(%q): %v (-want +got)\n%s", spec, err, diff)
		}
	}
	for spec, want := range map[string]string{
		"":                                                       "must begin with firestore://",
		"etcd://my-project/rosters":                              "must begin with firestore://",
		"firestore://":                                           "the project is missing",
		"firestore:///rosters":                                   "the project is missing",
		"firestore://my-project":                                 "the collection is missing",
		"firestore://my-project/":                                "the collection is missing",
		"firestore://My_Project/rosters":                         "is no project ID",
		"firestore://me@my-project/rosters":                      "is no project ID",
		"firestore://my-project/a/b/c":                           "is no ID of a top-level collection",
		"firestore://my-project/..":                              "is no ID of a top-level collection",
		"firestore://my-project/__rosters__":                     "is no ID of a top-level collection",
		"firestore://my-project/a\nb":                            "is no ID of a top-level collection",
		"firestore://my-project/a\xffb":                          "is no ID of a top-level collection",
		"firestore://my-project/r?database=A":                    "is no database ID",
		"firestore://my-project/r?region=eu":                     `not "region"`,
		"firestore://my-project/r?database=%z":                   "invalid URL escape",
		"firestore://my-project/r?database=lab-2&database=lab-3": "only one database=",
		"firestore://my-project/" + strings.Repeat("x", 257):     "1 to 256 bytes",
	} {
		_, err := firestore.Parse(spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v, want %q", spec, err, want)
		}
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*firestore.Config){
		"the limit of groups must be positive":   func(c *firestore.Config) { c.MaxGroups = -1 },
		"the timeout of a call must be positive": func(c *firestore.Config) { c.CallTimeout = -time.Second },
		"must be host:port":                      func(c *firestore.Config) { c.Endpoint = "http://127.0.0.1" },
		"must be 1 to 65535":                     func(c *firestore.Config) { c.Endpoint = "127.0.0.1:70000" },
	} {
		c := config("127.0.0.1:1", 0)
		change(&c)
		if _, err := firestore.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open: %v, want %q", err, want)
		}
	}
}

// The variable of Google's client must not send a store of the real service to an emulator, nor a store with
// an endpoint elsewhere.
func TestEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
	s := open(t, config(fakefirestore.Start(t).Addr(), 0))
	if err := s.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
}

// With credentials, opening a store calls nobody. That is why a key that no server knows will do.
func TestOpenWithCredentials(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "test-project", "client_email": "lab@test-project.iam.gserviceaccount.com",
		"private_key_id": "1", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"token_uri": "http://127.0.0.1:1/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, account, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	s := open(t, config("", 0))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenWithoutCredentials(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "missing.json"))
	_, err := firestore.Open(t.Context(), config("", 0))
	if err == nil || !strings.Contains(err.Error(), "open firestore store") || !strings.Contains(err.Error(), "missing.json") {
		t.Errorf("open: %v; want an error that names the file", err)
	}
}
