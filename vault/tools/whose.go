package tools

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

// clockSkew is how far Confluence's clock may be behind ours.
const clockSkew = 2 * time.Minute

// whose says who wrote a version that stands where a write of ours should.
type whose int

const (
	unclear whose = iota // we, but not this
	ours
	others
)

// wrote decides whose a version is: ours was written by the same account,
// after the write was begun, with the same content.
func wrote(ctx context.Context, w *guard.Wiki, version guard.Page, started time.Time, same bool) whose {
	me, err := w.Me(ctx)
	switch {
	case err != nil:
		return unclear
	case version.Author != me.ID || version.Updated.Before(started.Add(-clockSkew)):
		return others
	case same:
		return ours
	}
	return unclear
}

// sameText compares two bodies as people read them: Confluence adds ids of
// its own to what it stores.
func sameText(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := markup.ToMarkdown(a, markup.Options{})
	y, err2 := markup.ToMarkdown(b, markup.Options{})
	return err1 == nil && err2 == nil && slices.Equal(strings.Fields(x.Markdown), strings.Fields(y.Markdown))
}

// maxLost limits the things that one answer names as lost.
const maxLost = 20

// dropped lists what Markdown has no form for and an update takes away.
func dropped(before, after string) []string {
	old, err := markup.ToMarkdown(before, markup.Options{})
	if err != nil || len(old.Lost) == 0 {
		return nil
	}
	kept, _ := markup.ToMarkdown(after, markup.Options{}) // what cannot be read keeps nothing
	var lost []string
	for _, thing := range old.Lost {
		if i := slices.Index(kept.Lost, thing); i >= 0 {
			kept.Lost = slices.Delete(kept.Lost, i, i+1)
			continue
		}
		lost = append(lost, thing)
	}
	return some(lost)
}

// some shortens a list of lost things.
func some(lost []string) []string {
	var short []string
	for _, thing := range lost {
		if len(short) == maxLost {
			return append(short, "…")
		}
		short = append(short, clip(thing, 80))
	}
	return short
}
