// Package browser is a web browser made of a cookie jar and an HTML parser: it
// goes through sign-in and consent pages as a person would, by following
// redirects and refreshes and clicking buttons. It executes nothing.
package browser

import (
	"context"
	"errors"
)

// Choose is what the person does.
type Choose struct {
	Person string // short name of the account at Atlassian, such as "ada"
	Allow  bool   // the answer on the consent page
}

// Page is a page that was shown.
type Page struct {
	URL, Body string
	Status    int
}

// Browser is one browser profile: what it has seen and its cookies.
type Browser struct{ pages []Page }

// New returns a browser with an empty profile.
func New() *Browser { return &Browser{} }

// Consent opens start and clicks through to the last page, whose HTML it
// returns.
func (b *Browser) Consent(context.Context, string, Choose) (string, error) {
	return "", errors.New("not built yet")
}

// Pages lists the pages shown so far.
func (b *Browser) Pages() []Page { return b.pages }
