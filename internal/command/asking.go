package command

import (
	"sync"
	"time"

	"peerlab.example/peerlab/app"
)

// askFor is how long a key press waits for the offers of a completer: about what a person does not feel.
const askFor = 100 * time.Millisecond

// asking runs the completers that commands bring along. Those of an application may hang or panic, which must end
// neither the console nor the peer, nor leave a goroutine behind for each key.
type asking struct {
	mu sync.Mutex
	// late has the answer, still to come, of each completer that did not answer in time. Guarded by mu.
	late map[any]<-chan []app.Suggestion
}

// ask returns what the completer of owner, a parameter or a flag, offers. One that panics, or has not answered in askFor, offers
// nothing; and it is not asked again before the call that hangs has ended.
func (a *asking) ask(owner any, complete func() []app.Suggestion) []app.Suggestion {
	if a.hangs(owner) {
		return nil
	}
	answer := make(chan []app.Suggestion, 1) // the completer can end when nobody waits any more
	go func() {
		var offers []app.Suggestion
		_ = safely(func() error {
			offers = complete()
			return nil
		})
		answer <- offers
	}()
	patience := time.NewTimer(askFor)
	defer patience.Stop()
	select {
	case offers := <-answer:
		return offers
	case <-patience.C:
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.late == nil {
		a.late = map[any]<-chan []app.Suggestion{}
	}
	a.late[owner] = answer
	return nil
}

// hangs reports whether a call of the completer of owner has not ended yet.
func (a *asking) hangs(owner any) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer, late := a.late[owner]
	if !late {
		return false
	}
	select {
	case <-answer:
		delete(a.late, owner)
		return false
	default:
		return true
	}
}
