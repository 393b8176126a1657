package deploy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The variables that the function reads its own configuration from.
const (
	StoreVariable    = "PEERLAB_STORE"          // such as firestore://project/collection
	TokenVariable    = "PEERLAB_TOKEN"          //nolint:gosec // the name of the secret that calls must carry
	OperatorVariable = "PEERLAB_OPERATOR_TOKEN" //nolint:gosec // the name of the secret of operators
)

// Config is what is deployed, and where. Each field has a flag of the same name, which errors name.
type Config struct {
	Project string
	Region  string
	Name    string // of the function

	Source     string // folder of the module with the function
	EntryPoint string // name that the source registers the function by
	Runtime    string // such as go126

	Memory       string        // Kubernetes quantity, such as 256Mi
	CPU          string        // vCPUs, such as 1
	Timeout      time.Duration // for one request, in whole seconds
	Concurrency  int32         // requests that one instance answers at a time
	MinInstances int32
	MaxInstances int32

	Collection     string // of Firestore, in which the function keeps the rosters
	ServiceAccount string // email of the identity that the function runs as; empty for Google's default
	TokenSecret    string // NAME or NAME:VERSION in Secret Manager; empty for no token
	OperatorSecret string // the same for the token of operators
	SetEnv         []string
	UnsetEnv       []string
	// AllowUnauthenticated lets everybody call the function as far as Google is concerned. False changes nothing.
	AllowUnauthenticated bool

	// Said are the flags that were given. An update changes what they are for, and leaves the rest as it is.
	Said []string
}

// DefaultConfig is what a first deployment has where nothing else is said.
//
// One instance with a whole vCPU can answer many requests at a time, which the defaults of Google (a part of a vCPU,
// one request) cannot: each peer that watches a roster would keep an instance of its own busy.
func DefaultConfig() Config {
	return Config{
		Region: "europe-west1", Name: "peerlab-bootstrap",
		Source: "functions", EntryPoint: "Peerlab", Runtime: "go126",
		Memory: "256Mi", CPU: "1", Timeout: time.Minute, Concurrency: 80, MaxInstances: 4,
		Collection: "peerlab",
	}
}

// said reports whether a flag was given.
func (c *Config) said(flag string) bool { return slices.Contains(c.Said, flag) }

// parent is the resource name of the region.
func (c *Config) parent() string {
	return fmt.Sprintf("projects/%s/locations/%s", c.Project, c.Region)
}

// resource is the resource name of the function.
func (c *Config) resource() string { return c.parent() + "/functions/" + c.Name }

// store is what the function is told to keep rosters in.
func (c *Config) store() string { return "firestore://" + c.Project + "/" + c.Collection }

// environment is what the variables of the function become when they are these now.
func (c *Config) environment(now map[string]string, first bool) map[string]string {
	out := map[string]string{}
	for key, value := range now {
		if !slices.Contains(c.UnsetEnv, key) {
			out[key] = value
		}
	}
	for _, pair := range c.SetEnv {
		key, value, _ := strings.Cut(pair, "=")
		out[key] = value
	}
	if first || c.said("collection") {
		out[StoreVariable] = c.store()
	}
	return out
}
