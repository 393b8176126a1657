// Package fakefirestore is a small server of the Firestore protocol for tests: it keeps documents in
// memory, on loopback, in the process of the test. It has what the store of the roster calls, and
// what shows with Google's own client that this much of it behaves as the service does:
//
//   - GetDocument, BatchGetDocuments and ListDocuments;
//   - Commit with updates, masks, deletes, preconditions and server timestamps, all writes or none;
//   - BeginTransaction and Rollback. Transactions are optimistic: Commit answers Aborted when a document that
//     was read has changed. The real service may lock documents instead, and then a writer waits;
//   - Listen for documents, several targets on one stream;
//   - RunQuery over one collection, ordered by at most one field, with a limit.
//
// Anything else is Unimplemented, and the message names it. It checks no credentials and knows all projects and
// databases. Documents over 1 MiB are refused as the service refuses them.
//
//	server := fakefirestore.Start(t)
//	store, err := firestore.Open(ctx, firestore.Config{Project: "test-project", Collection: "rosters", Endpoint: server.Addr()})
//	server.Down()
package fakefirestore
