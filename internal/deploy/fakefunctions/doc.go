// Package fakefunctions is a Cloud Functions API for tests, in the process of the test and on loopback: the service of
// functions and that of long-running operations over gRPC, and over HTTP the place that archives are uploaded to and
// the policies of Cloud Run.
//
// It is generated from the same API as the client, and does what the API documents as far as a deployment needs it.
// What it accepts is no proof of what Google accepts: it knows no quotas and no organization, and builds nothing.
//
//	s, err := fakefunctions.Start(fakefunctions.Behavior{})
//	…
//	defer s.Close()
//	d, err := deploy.New(ctx, deploy.Options{Endpoint: s.Endpoint(), RunEndpoint: s.RunEndpoint()})
package fakefunctions
