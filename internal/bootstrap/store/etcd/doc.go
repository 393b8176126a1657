// Package etcd is a bootstrap store in an etcd cluster (tested with 3.7), which several replicas of the
// service share.
//
// # Consistency
//
// A change is a transaction that etcd makes only if the group is still as the change found it, so that
// replicas lose nothing to each other. Changes of one group that come together in one process share a
// transaction, and a transaction that lost a race brings what won, so that the next try costs one round trip.
// A replica that loses several races in a row asks for its turn, so that a slow one is not always late.
// Every read is linearizable: what one replica acknowledged, each other one reads.
//
// # Layout
//
// Below the prefix, which no two labs may share unless they mean to share their groups:
//
//	PREFIX/groups/NAME   the bootstrapv1.Roster of a group
//	PREFIX/empty/NAME    the revision of a group without peers, as text: these can be forgotten,
//	                     the one changed longest ago first
//	PREFIX/turns/NAME    the replica whose turn it is to change a group, for moments, after it lost races
//	PREFIX/meta          how many groups there are, and the floor: no group that was forgotten had
//	                     a higher revision, so a new group starts from it
//
// A group is created or forgotten by a transaction that changes the meta key as well. The keys are not to
// be edited by hand, since a group that only disappears can start again from an old revision; to start
// afresh, stop all replicas and delete the whole prefix. All replicas should have the same limit of groups:
// each enforces its own.
//
// # Failures
//
// A call that etcd does not answer ends with an error after Config.CallTimeout, and the store works again as soon
// as etcd does. Until then a call tries again by itself, so that the election of a new leader is a delay
// and no error. A change that may or may not have been made before an answer was lost is looked up, and
// made again if it is not there: a [bootstrap.Change] must be idempotent, as all rules of a roster are. A
// CompareAndSwap in the same doubt returns an error.
//
// # Watches
//
// All watchers of a group in one process share one watch of etcd. It survives the loss of a connection
// and a compaction: then the current roster is read again, and only rosters between may be missed.
//
// # Clocks of replicas
//
// A lease ends by the clock of the replica that looks, and is given by the clock of the replica that renewed
// it; etcd's own leases are not used. When clocks differ by d, a lease may end d early (a replica that
// is ahead drops the entry) or be kept d longer. After an early end the peer is offered again when it hears of
// it, but for a while the roster lacks a living peer. Keep clocks synchronised to well below the shortest
// lease: with the default of 30 s, which a peer renews every 10 s, differences up to about 10 s are
// harmless even if one renewal is lost. A peer that does not say since when it is there gets the time of the
// replica, so clocks also decide who of such peers is older. Revisions and the order of changes do not depend
// on clocks.
//
// # Running etcd
//
// Every change leaves an old version in etcd until that is compacted. An etcd of its own needs
// --auto-compaction-mode=periodic --auto-compaction-retention=5m, or its quota fills up, and then every change fails
// with "database space exceeded". The store never compacts: the cluster may be somebody else's as well.
// etcd takes requests up to 1.5 MiB (--max-request-bytes). A roster of 1,000 peers, the most there can be, fits
// unless nearly all of them have all the labels that a peer may have.
package etcd
