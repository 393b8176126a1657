package deploy

import (
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// createRequest is the request that makes the function. The source is where an archive was uploaded to, or nil.
func (c *Config) createRequest(source *functionspb.StorageSource) *functionspb.CreateFunctionRequest {
	return &functionspb.CreateFunctionRequest{
		Parent:     c.parent(),
		FunctionId: c.Name,
		Function: &functionspb.Function{
			Name:        c.resource(),
			Description: "bootstrap service of peerlab",
			Environment: functionspb.Environment_GEN_2,
			BuildConfig: c.buildConfig(source),
			ServiceConfig: &functionspb.ServiceConfig{
				AvailableMemory:               c.Memory,
				AvailableCpu:                  c.CPU,
				TimeoutSeconds:                int32(c.Timeout.Seconds()), // at most an hour
				MaxInstanceRequestConcurrency: c.Concurrency,
				MinInstanceCount:              c.MinInstances,
				MaxInstanceCount:              c.MaxInstances,
				ServiceAccountEmail:           c.ServiceAccount,
				IngressSettings:               functionspb.ServiceConfig_ALLOW_ALL,
				AllTrafficOnLatestRevision:    true,
				EnvironmentVariables:          c.environment(nil, true),
				SecretEnvironmentVariables:    c.secrets(nil),
			},
		},
	}
}

func (c *Config) buildConfig(source *functionspb.StorageSource) *functionspb.BuildConfig {
	b := &functionspb.BuildConfig{Runtime: c.Runtime, EntryPoint: c.EntryPoint}
	if source != nil {
		b.Source = &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: source}}
	}
	return b
}

// secrets are the secret variables when they are these now.
func (c *Config) secrets(now []*functionspb.SecretEnvVar) []*functionspb.SecretEnvVar {
	out := slices.Clone(now)
	for _, s := range []struct{ key, secret string }{{TokenVariable, c.TokenSecret}, {OperatorVariable, c.OperatorSecret}} {
		if s.secret == "" {
			continue
		}
		name, version, ok := strings.Cut(s.secret, ":")
		if !ok {
			version = "latest"
		}
		out = slices.DeleteFunc(out, func(now *functionspb.SecretEnvVar) bool { return now.GetKey() == s.key })
		out = append(out, &functionspb.SecretEnvVar{Key: s.key, ProjectId: c.Project, Secret: name, Version: version})
	}
	return out
}

// maskOf says which field of a function each flag changes.
var maskOf = map[string]string{ //nolint:gosec // names of fields are no credentials
	"memory":          "service_config.available_memory",
	"cpu":             "service_config.available_cpu",
	"timeout":         "service_config.timeout_seconds",
	"concurrency":     "service_config.max_instance_request_concurrency",
	"min-instances":   "service_config.min_instance_count",
	"max-instances":   "service_config.max_instance_count",
	"service-account": "service_config.service_account_email",
	"token-secret":    "service_config.secret_environment_variables",
	"operator-secret": "service_config.secret_environment_variables",
	"collection":      "service_config.environment_variables",
	"set-env":         "service_config.environment_variables",
	"unset-env":       "service_config.environment_variables",
}

// updateRequest is the request that gives the function that is there new source, and changes what flags say. The rest
// stays: an update that forgets --token-secret must not take the token from a function that everybody can call.
func (c *Config) updateRequest(now *functionspb.Function, source *functionspb.StorageSource) *functionspb.UpdateFunctionRequest {
	f := c.createRequest(source).GetFunction()
	f.ServiceConfig.EnvironmentVariables = c.environment(now.GetServiceConfig().GetEnvironmentVariables(), false)
	f.ServiceConfig.SecretEnvironmentVariables = c.secrets(now.GetServiceConfig().GetSecretEnvironmentVariables())
	paths := map[string]bool{
		"build_config.runtime": true, "build_config.entry_point": true, "build_config.source": true,
		"service_config.all_traffic_on_latest_revision": true,
	}
	for _, flag := range c.Said {
		if path := maskOf[flag]; path != "" {
			paths[path] = true
		}
	}
	return &functionspb.UpdateFunctionRequest{
		Function: f, UpdateMask: &fieldmaskpb.FieldMask{Paths: slices.Sorted(maps.Keys(paths))},
	}
}

// uploadRequest asks for a place to upload an archive to.
func (c *Config) uploadRequest() *functionspb.GenerateUploadUrlRequest {
	return &functionspb.GenerateUploadUrlRequest{Parent: c.parent(), Environment: functionspb.Environment_GEN_2}
}
