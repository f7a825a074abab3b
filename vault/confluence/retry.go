package confluence

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// backoff is the wait before the next try: full jitter over a growing window,
// and never less than what Confluence asked for.
func backoff(try int, asked time.Duration) time.Duration {
	window := min(500*time.Millisecond<<try, 8*time.Second)
	return asked + time.Duration(rand.Int64N(int64(window))) + 1
}

var errTooLong = errors.New("the wait ends after the deadline")

// pause waits for d. It returns at once with an error when the wait would end
// after deadline, and early when ctx ends.
func pause(ctx context.Context, d time.Duration, deadline time.Time) error {
	if time.Now().Add(d).After(deadline) {
		return errTooLong
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads Retry-After in both of its forms.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return untilReset(h)
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n < 1e6 {
		return time.Duration(n * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// untilReset reads X-RateLimit-Reset (ISO 8601), but only beside an exhausted
// budget: it is sent with successes too.
func untilReset(h http.Header) time.Duration {
	if !quotaReason(h) {
		return 0
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(form, h.Get("X-RateLimit-Reset")); err == nil {
			return max(time.Until(at), 0)
		}
	}
	return 0
}

// quotaReason reports whether the hourly budget is used up. The values seen
// live differ from the documented ones, hence substrings.
func quotaReason(h http.Header) bool {
	reason := strings.ToLower(h.Get("RateLimit-Reason"))
	return strings.Contains(reason, "quota") || strings.Contains(reason, "global-based") || strings.Contains(reason, "tenant-based")
}

// Quota remembers that the hourly budget of an OAuth app is used up, so that
// all calls of the app wait instead of each finding out. The zero Quota is
// ready; it may be shared and may be nil.
type Quota struct {
	mu    sync.Mutex
	until time.Time // guarded by mu
}

func (q *Quota) wait() time.Duration {
	if q == nil {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Until(q.until)
}

func (q *Quota) note(e *Error) {
	if q == nil || !e.Quota || e.RetryAfter == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if until := time.Now().Add(min(e.RetryAfter, time.Hour)); until.After(q.until) {
		q.until = until
	}
}
