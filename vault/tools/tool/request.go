package tool

import "context"

// Request runs call for a request that is no call of a tool, such as one for a
// resource; name is that of its method. With wait it may wait for a sign-in,
// and call runs once more after it. A refusal is on record when Request
// returns it.
func (t *Set) Request(ctx context.Context, name string, wait bool, call func(context.Context) error) error {
	if err := t.signedIn(ctx, wait, call); err != nil {
		return t.Door.Refuse(ctx, name, err)
	}
	return nil
}
