package guard

import "context"

// Sites names the sites that the caller's grant reaches. Confluence is not
// asked, so there is no audit record; a caller whose session has ended is
// refused all the same.
func (d *Door) Sites(ctx context.Context) ([]string, error) {
	caller, err := signedIn(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.live(ctx, &record{caller: caller}, "Try again in a minute"); err != nil {
		return nil, err
	}
	held, err := d.cfg.Grants.Describe(ctx, caller.Person, caller.Tenant)
	if err != nil {
		return nil, tokenError(err)
	}
	names := make([]string, len(held.Sites))
	for i, site := range held.Sites {
		names[i] = site.Name
	}
	return names, nil
}
