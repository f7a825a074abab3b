package main

import (
	"context"

	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

// opener returns what opens a page in the person's browser; nil where nothing
// can or shall.
func (p *program) opener() func(ctx context.Context, url string) error {
	if p.settings.NoBrowser || !p.findDesktop() {
		return nil
	}
	return signin.Browser(p.err)
}
