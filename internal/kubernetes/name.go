package kubernetes

import (
	"crypto/rand"
	"strings"
)

const (
	// maxName is the length of a Job's name: the host names of its pods are NAME-INDEX, and labels of DNS. An index of up to five digits has
	// room.
	maxName = 57
	// chance is how many characters of a generated name are by chance: 40 bits, so that names clash about once in a million runs that are
	// there at once.
	chance = 8
)

// newName is a name for a Job that no other should have. It tells which suite it is of.
func newName(title string) string {
	random := strings.ToLower(rand.Text()[:chance])
	slug := slugOf(title, maxName-len("peerlab--")-chance)
	if slug == "" {
		return "peerlab-" + random
	}
	return "peerlab-" + slug + "-" + random
}

// slugOf is what of a title may be in a label of DNS, at most limit characters; others become dashes.
func slugOf(title string, limit int) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= limit {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}
