// Package deploy puts the bootstrap service into Google Cloud as a Cloud Function of the second generation: it
// makes the source archive, uploads it, creates or updates the function, and waits until that is done.
//
// The source is a module whose folder holds the function, such as functions/ of this repository. What it imports is
// vendored into the archive, because the module that it is a part of is nowhere to be downloaded from.
//
// A Config says what to deploy, and Config.Validate what is wrong with it. BuildArchive and Config.Plan need no
// network. A Deployer talks to the Cloud Functions API:
//
//	d, err := deploy.New(ctx, deploy.Options{Progress: func(line string) { fmt.Fprintln(os.Stderr, line) }})
//	…
//	result, err := d.Deploy(ctx, config)
package deploy
