package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/run/v2"
)

const (
	invoker  = "roles/run.invoker"
	everyone = "allUsers"
)

// allowEverybody gives everybody the role to call the function. The function is a service of Cloud Run, whose policy
// decides: https://cloud.google.com/functions/docs/securing/managing-access-iam.
func (d *Deployer) allowEverybody(ctx context.Context, c Config, f *functionspb.Function) error {
	service := f.GetServiceConfig().GetService()
	if service == "" {
		service = c.parent() + "/services/" + c.Name
	}
	var opts []option.ClientOption
	if endpoint := d.options.RunEndpoint; endpoint != "" {
		opts = append(opts, option.WithEndpoint(endpoint))
		if strings.HasPrefix(endpoint, "http:") { // which Validate allows for loopback only
			opts = append(opts, option.WithHTTPClient(d.upload))
		}
	}
	client, err := run.NewService(ctx, opts...)
	if err != nil {
		return credentialsError(err, "connect to the Cloud Run Admin API")
	}
	services := client.Projects.Locations.Services
	policy, err := services.GetIamPolicy(service).OptionsRequestedPolicyVersion(3).Context(ctx).Do()
	if err != nil {
		return runError(err, c)
	}
	if open(policy) {
		return nil
	}
	policy.Bindings = append(policy.Bindings, &run.GoogleIamV1Binding{Role: invoker, Members: []string{everyone}})
	// The policy carries the etag that was read, so that a change by somebody else in between is not lost.
	_, err = services.SetIamPolicy(service, &run.GoogleIamV1SetIamPolicyRequest{Policy: policy}).Context(ctx).Do()
	return runError(err, c)
}

// open reports whether everybody has the role, without a condition.
func open(policy *run.GoogleIamV1Policy) bool {
	return slices.ContainsFunc(policy.Bindings, func(b *run.GoogleIamV1Binding) bool {
		return b.Role == invoker && b.Condition == nil && slices.Contains(b.Members, everyone)
	})
}

// runError says what would be right after an answer of the Cloud Run Admin API.
func runError(err error, c Config) error {
	if err == nil {
		return nil
	}
	var api *googleapi.Error
	if !errors.As(err, &api) {
		return fmt.Errorf("change who may call: %w", err)
	}
	text := fmt.Errorf("change who may call: %d %s", api.Code, api.Message)
	switch api.Code {
	case http.StatusForbidden, http.StatusUnauthorized:
		return fmt.Errorf("%w; the account needs the role roles/run.admin in project %s", text, c.Project)
	case http.StatusBadRequest, http.StatusPreconditionFailed:
		return fmt.Errorf("%w; the organization may forbid public services (constraint iam.allowedPolicyMemberDomains)", text)
	}
	return text
}
