// Package guard is the one door to Confluence.
package guard

// Config is what a door needs.
type Config struct{}

// Door is the one door.
type Door struct{}

// New returns a door.
func New(Config) *Door { return &Door{} }
