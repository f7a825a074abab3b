// Package live looks whether settings have changed while a vault runs, and puts
// into force what may change without a restart. New settings that are not good
// change nothing.
package live

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

// every is how often the file is looked at.
const every = 3 * time.Second

// Change is a setting that has another value now, as people see it.
type Change struct{ Key, Was, Is string }

// Config is what a watch needs. Everything is required but Again.
type Config struct {
	InForce *settings.Settings // at the start
	// Stamp tells one text of the settings from another, and Load reads them.
	Stamp func() (string, error)
	Load  func() (*settings.Settings, error)
	// May reports whether a change can come into force now.
	May func(next *settings.Settings, key string) bool
	// Apply puts changes into force, all or none.
	Apply func(ctx context.Context, next *settings.Settings, changes []Change) error
	// Again asks for a look at once, whatever the stamp says.
	Again <-chan struct{}
	Log   *slog.Logger
}

// Watch looks after settings. One goroutine runs it.
type Watch struct {
	cfg    Config
	values map[string]string // in force
	stamp  string            // of what was looked at last
	lost   bool              // it could not be read the last time
}

// New returns a watch. Settings that have changed since they were read count as
// changed.
func New(cfg Config) *Watch { return &Watch{cfg: cfg, values: valuesOf(cfg.InForce)} }

func valuesOf(s *settings.Settings) map[string]string {
	all := map[string]string{}
	for _, line := range s.Lines() {
		all[line.Key] = line.Value
	}
	return all
}

// Run looks until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for again := false; ; {
		w.look(ctx, again)
		again = false
		select {
		case <-tick.C:
		case <-w.cfg.Again:
			again = true
		case <-ctx.Done():
			return nil
		}
	}
}

// look reads the settings if they may have changed, or if again wants it.
func (w *Watch) look(ctx context.Context, again bool) {
	stamp, err := w.cfg.Stamp()
	switch {
	case err != nil && (again || !w.lost):
		w.lost = true
		w.cfg.Log.ErrorContext(ctx, "the settings cannot be read: what was in force stays", "err", usererr.Text(err, ""))
		return
	case err != nil:
		return
	}
	w.lost = false
	if stamp == w.stamp && !again {
		return
	}
	next, err := w.cfg.Load()
	if err != nil {
		w.stamp = stamp // it is said once
		w.cfg.Log.ErrorContext(ctx, "the settings have changed and are not good: what was in force stays", "err", usererr.Text(err, ""))
		return
	}
	if w.take(ctx, next) {
		w.stamp = stamp
	}
}

// take puts into force what may be, and says what may not. It returns false if
// that has to be tried again.
func (w *Watch) take(ctx context.Context, next *settings.Settings) bool {
	var changes []Change
	var later []string
	is := valuesOf(next)
	keys := map[string]bool{}
	for _, values := range []map[string]string{w.values, is} {
		for key := range values {
			keys[key] = true
		}
	}
	for key := range keys {
		switch {
		case w.values[key] == is[key]:
		case w.cfg.May(next, key):
			changes = append(changes, Change{key, w.values[key], is[key]})
		default:
			later = append(later, key)
		}
	}
	slices.Sort(later)
	slices.SortFunc(changes, func(a, b Change) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	if len(changes) > 0 {
		if err := w.cfg.Apply(ctx, next, changes); err != nil {
			w.cfg.Log.ErrorContext(ctx, "the settings have changed and could not be put into force: what was in force stays", "err", err)
			return false
		}
	}
	for _, c := range changes {
		w.values[c.Key] = c.Is
		w.cfg.Log.InfoContext(ctx, "a setting has changed", "setting", c.Key, "was", c.Was, "is", c.Is)
	}
	for _, key := range later {
		w.cfg.Log.WarnContext(ctx, "a setting has changed that needs a restart", "setting", key)
	}
	return true
}
