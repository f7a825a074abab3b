package grant

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	// lookEvery is how often Run looks at all grants at least, lookAfter at
	// most; noteEvery how often last uses are stored.
	lookEvery = time.Minute
	lookAfter = time.Second
	noteEvery = time.Minute
	// atOnce is how many grants Run refreshes at the same time.
	atOnce = 8
	// activeFor is how long after the last use a grant is refreshed
	// proactively; later its next use refreshes it.
	activeFor = 24 * time.Hour
)

// Run stores when grants were used last, and refreshes in the background what
// the tenants' strategies ask for, until ctx ends. Then it ends the keeper
// like [Keeper.Close], so calls must have ended before. It returns nil.
func (k *Keeper) Run(ctx context.Context) error {
	note := time.NewTicker(noteEvery)
	defer note.Stop()
	look := time.NewTimer(0)
	defer look.Stop()
	for ctx.Err() == nil {
		select {
		case <-note.C:
			k.tokens.sweep(time.Now())
			k.boxes.sweep(time.Now())
			k.storeUses(ctx)
		case <-k.wake:
			look.Reset(lookAfter)
		case <-look.C:
			look.Reset(k.look(ctx))
		case <-ctx.Done():
		}
	}
	k.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	k.storeUses(ctx)
	return nil
}

// Close starts no more refreshes and waits for those that were sent, until
// their pairs are stored. It may be called more than once.
func (k *Keeper) Close() {
	k.mu.Lock()
	if !k.stopped {
		k.stopped = true
		close(k.ending)
	}
	k.mu.Unlock()
	k.group.Wait()
	k.Purge()
}

// storeUses writes down when grants were used last.
func (k *Keeper) storeUses(ctx context.Context) {
	k.mu.Lock()
	uses := k.used
	k.used = map[identity.GrantID]time.Time{}
	k.mu.Unlock()
	for id, at := range uses {
		err := k.cfg.Store.GrantUsed(ctx, id, at.Truncate(time.Minute))
		if err != nil && !errors.Is(err, ErrNone) {
			k.cfg.Log.WarnContext(ctx, "last uses of grants could not be stored", "err", err)
			return // the next calls will be noted again
		}
	}
}

// look refreshes what is due and returns when to look again.
func (k *Keeper) look(ctx context.Context) time.Duration {
	if !k.background {
		return lookEvery
	}
	all, err := k.cfg.Store.GrantList(ctx)
	if err != nil {
		if ctx.Err() == nil {
			k.cfg.Log.WarnContext(ctx, "grants could not be listed", "err", err)
		}
		return lookEvery
	}
	now := time.Now()
	next := now.Add(lookEvery)
	var due []Grant
	for _, g := range all {
		at, ok := k.due(g, now)
		if !ok {
			continue
		}
		if !at.After(now) {
			due = append(due, g)
		} else if at.Before(next) {
			next = at
		}
	}
	if !k.refreshAll(ctx, due) {
		return lookEvery / 6
	}
	return max(time.Until(next), lookAfter)
}

// due says when g is to be refreshed in the background, if at all.
func (k *Keeper) due(g Grant, now time.Time) (time.Time, bool) {
	strategy := k.cfg.Strategy(g.Tenant)
	if g.State != Live || !strategy.background() {
		return time.Time{}, false
	}
	used := g.Used
	if g.Issued.After(used) {
		used = g.Issued
	}
	if now.Sub(used) < activeFor {
		if g.NextRefresh.IsZero() { // issued when the strategy was another one
			return g.TokenExpires.Add(-margin(g)), true
		}
		return g.NextRefresh, true
	}
	return g.Expires.Add(-k.cfg.IdleLife / 3), strategy == KeepAlive
}

// refreshAll refreshes the grants that are due, a few at a time, and reports
// whether all went well.
func (k *Keeper) refreshAll(ctx context.Context, due []Grant) bool {
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	failed := make(chan struct{}, len(due)+1)
	for _, g := range due {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			failed <- struct{}{}
		}
		if ctx.Err() != nil {
			break
		}
		// Ends with the renewal, or with ctx.
		group.Go(func() {
			defer func() { <-slots }()
			if err := k.refreshIfSame(ctx, g); err != nil {
				failed <- struct{}{}
			}
		})
	}
	group.Wait()
	return len(failed) == 0
}

// refreshIfSame refreshes a grant unless somebody else did since g was read.
func (k *Keeper) refreshIfSame(ctx context.Context, g Grant) error {
	row, err := k.cfg.Store.GrantFind(ctx, g.Person, g.Tenant)
	if err != nil || row.ID != g.ID || !row.TokenExpires.Equal(g.TokenExpires) {
		return nil // gone, or new
	}
	_, err = k.renewed(ctx, ownerOf(row.Grant), version{row.ID, row.Version})
	return err
}
