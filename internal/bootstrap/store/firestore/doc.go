// Package firestore is a bootstrap store in a collection of Google Cloud Firestore (native mode), which several
// replicas of the service share, instances of a Cloud Function among them.
package firestore
