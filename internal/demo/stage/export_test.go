package stage

import "context"

// NewLink lays a link to target.
func NewLink(ctx context.Context, target string) (*Link, error) { return newLink(ctx, target) }

// Address is where the link listens.
func (l *Link) Address() string { return l.listener.Addr().String() }
