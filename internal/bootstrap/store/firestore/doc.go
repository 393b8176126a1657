// Package firestore is a bootstrap store in a collection of Google Cloud Firestore (native mode), which several
// replicas of the service share, instances of a Cloud Function among them.
//
//	s, err := firestore.Open(ctx, firestore.Config{Project: "my-project", Collection: "labs"})
//
// # Consistency
//
// A change is a write on the condition that the document is as the change found it (its update time), so that
// replicas lose nothing to each other; commit says why that and no transaction. Changes of one group that come
// together in one process share a write. Every read is strongly consistent: what one replica acknowledged, each
// other one reads.
//
// # Layout
//
//	COLLECTION/group:NAME   roster       the bootstrapv1.Roster, as bytes
//	                        group, revision, count, updated: for people who look at it in the console
//	                        empty_since  only while there are no peers: such a group can be forgotten
//	COLLECTION/meta         groups, floor: how many groups there are, and a revision that no forgotten group
//	                        was above, so a new group starts from it
//
// Special characters of a group's name are escaped as in a URL. A group is created or forgotten by a write
// that changes the meta document as well. The documents are not to be edited by hand; to start afresh, stop all
// replicas and delete the whole collection. All replicas should have the same limit of groups: each enforces
// its own. The only query with an order uses one field, so no index has to be created.
//
// # Costs
//
// Google bills documents read and written (https://cloud.google.com/firestore/pricing; 50,000 reads and 20,000
// writes a day are free). A call of the service costs
//
//	List, GetConfig, and a change that is none   1 read
//	Join, Leave, Refill, Renew, Reset            1 read and 1 write; those that come together share the write
//	... of a group that is not there             6 reads and 2 writes, which create it
//	... when another has to be forgotten for it  7 reads, 2 writes and 1 delete
//	a change that lost a race                    1 more read for each time
//	Watch                                        1 read; the first of its group in the process 1 more; then
//	                                             1 for each change, for all watchers of the group together
//	Ping and health checks                       1 read
//	a sweep of bootstrap.Service                 2 reads for each group and 1 more
//
// A service that was started sweeps once a second by default, which is 259,000 reads a day with one group. Over this
// store give it a SweepInterval of a minute; a function, which lives for its calls only, does not start it.
// Leases are honoured exactly in either case.
//
// # Limits
//
// Firestore takes about one write a second to one document in the long run: beyond that writes become slow,
// and some are refused for contention, which the store tries again. With the default lease of 30 s, renewed three
// times in it, that is a roster of ten peers, and more if they share few processes. A new collection should not get
// more than 500 calls a second at first and 50 % more every 5 minutes, and not more than 500 writes a second ever
// while the fields updated and empty_since, which only grow, are indexed; updated may be exempted
// (https://cloud.google.com/firestore/docs/best-practices). Creating groups is slowest, since all change one document.
//
// A document has at most 1 MiB (https://cloud.google.com/firestore/quotas). 1,000 peers without labels take about
// 90 KiB; with all the labels that a peer may have, some 650 fit. A change that does not fit is refused with
// bootstrap.ErrTooLarge, and the roster remains as it was.
//
// # Failures
//
// A call that Firestore does not answer ends with an error after Config.CallTimeout, and the store works again as
// soon as Firestore does, a second or two later. Until then a call tries again by itself, with pauses that grow. What
// waiting does not mend, such as a missing permission or a used up quota, is told at once. A change that may or may
// not have been made before an answer was lost is looked up, and made again if it is not there. A CompareAndSwap in
// the same doubt returns an error, unless its roster is there.
//
// # Watches
//
// All watches of a process share one stream, with one target for each group; it is there while somebody watches. A
// stream that ends, or that says nothing at its beginning, is opened again after 100 ms to 5 s, and then sends the
// current rosters. Only rosters between may be missed. In a Cloud Function a stream stands still between calls,
// and a watch is cut with its request: clients of a function do better to poll with the revision.
//
// # Access
//
// The service account needs roles/datastore.user in the project. Security rules do not apply to it; they should keep
// everybody else from the collection, as they do by default.
package firestore
