package firestore

// Waiting is how many changes of a group wait for the one under way.
func (s *Store) Waiting(group string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[group]; l != nil {
		return len(l.waiting)
	}
	return 0
}
