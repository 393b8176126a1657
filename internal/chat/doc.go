// Package chat is the application that peerlab ships: join, leave, and send to all others. It is written
// against package app alone, as yours would be.
//
// # Links
//
// Two peers talk over one long-lived stream, the link, that either of them may open. When both do at once, the one
// that the peer with the smaller id opened stays. Messages in each direction are numbered 1, 2, 3, …;
// the sender keeps them until they are acknowledged, and after a broken link begins again where
// the receiver's Hello says that it stopped. So messages of one sender come in order, once, and
// none is lost while both peers live and the queue has room.
//
// # Queues
//
// A sender never waits for a receiver. Each receiver has a queue of bounded size at the sender; a message
// that finds it full is dropped for this receiver, counted in "chat stats" and logged as an event. So is what is
// queued when a receiver goes, also for one that never greeted: only a member that says itself that it does not run the
// chat, and never announced it, has missed nothing. Stopping links to those for whom there is something queued, and
// takes two seconds at most for it.
//
// # Pings
//
// A ping is a frame on the link, behind the messages that are under way there. So it is answered only if messages
// arrive and are read, which a call of its own would not tell.
package chat
