package bootstrap_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
)

func TestPatience(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ left, most, want time.Duration }{
		{0, 3 * time.Second, 3 * time.Second}, // no deadline
		{time.Minute, 3 * time.Second, 3 * time.Second},
		{2 * time.Second, 3 * time.Second, 1500 * time.Millisecond},
		{time.Second, 3 * time.Second, 750 * time.Millisecond},
		{time.Hour, 2 * time.Hour, time.Hour - 500*time.Millisecond},
		{-time.Second, 3 * time.Second, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			if tt.left != 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.left)
				defer cancel()
			}
			if got := bootstrap.Patience(ctx, tt.most); got != tt.want {
				t.Errorf("%v of %v: %v, want %v", tt.left, tt.most, got, tt.want)
			}
		})
	}
}
