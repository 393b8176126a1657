package firestore

// Waiting is how many changes of a group wait for those under way, -1 if none are.
func (s *Store) Waiting(group string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[group]; l != nil {
		return len(l.waiting)
	}
	return -1
}
