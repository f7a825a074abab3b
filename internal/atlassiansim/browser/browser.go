// Package browser is a web browser made of a cookie jar and an HTML parser: it
// goes through sign-in and consent pages as a person would, by following
// redirects and refreshes and clicking buttons. It executes nothing.
package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of one run.
const (
	maxSteps   = 40
	maxPage    = 4 << 20
	maxRefresh = 5 * time.Second // a longer refresh is taken as the page's end
)

// Errors of a run.
var (
	// ErrLost says that a run did not come to an end.
	ErrLost = errors.New("browser: too many pages")
	// ErrRefused says that a page answered with an error.
	ErrRefused = errors.New("browser: the page is an error")
	// ErrNoButton says that a page lacks the button that was to be clicked.
	ErrNoButton = errors.New("browser: no such button")
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

// Browser is one browser profile: what it has seen and its cookies. One run at
// a time; Pages may be called meanwhile.
type Browser struct {
	// Transport carries the requests; nil is http.DefaultTransport.
	Transport http.RoundTripper

	jar jar

	mu    sync.Mutex
	pages []Page // guarded by mu
}

// New returns a browser with an empty profile.
func New() *Browser { return &Browser{} }

// Consent opens start and clicks through to the last page, whose HTML it
// returns: Continue where a page offers to go on, the person's account at the
// login, and the answer on the consent page. The error is [ErrRefused] if a
// person who allows ends on an error page; one who does not may.
func (b *Browser) Consent(ctx context.Context, start string, c Choose) (string, error) {
	p, err := b.open(ctx, request{method: http.MethodGet, address: start})
	for step := 0; err == nil && step < maxSteps; step++ {
		next, ok := p.click(c)
		if !ok {
			if p.Status >= http.StatusBadRequest && c.Allow {
				return p.Body, fmt.Errorf("%w: %d at %s", ErrRefused, p.Status, withoutQuery(p.URL))
			}
			return p.Body, nil
		}
		p, err = b.open(ctx, next)
	}
	if err != nil {
		return "", err
	}
	return p.Body, ErrLost
}

// Open shows the page at an address, following redirects and refreshes.
func (b *Browser) Open(ctx context.Context, address string) (Page, error) {
	p, err := b.open(ctx, request{method: http.MethodGet, address: address})
	return p.Page, err
}

// Click opens what follows from clicking the button with a text on p. The
// error is [ErrNoButton] if there is none.
func (b *Browser) Click(ctx context.Context, p Page, text string) (Page, error) {
	d, err := parse(p)
	if err != nil {
		return Page{}, err
	}
	for _, f := range d.forms {
		if i := slices.IndexFunc(f.buttons, func(x button) bool { return strings.EqualFold(x.text, text) }); i >= 0 {
			next, err := b.open(ctx, f.submit(d, f.buttons[i]))
			return next.Page, err
		}
	}
	return Page{}, fmt.Errorf("%w: %q at %s", ErrNoButton, text, withoutQuery(p.URL))
}

// Pages lists the pages shown so far.
func (b *Browser) Pages() []Page {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.pages)
}

// request is what is sent next.
type request struct {
	method, address string
	form            url.Values
	from            string // address of the page that led here; "" if typed in
}

// open sends a request and goes on until a page stays.
func (b *Browser) open(ctx context.Context, r request) (document, error) {
	for range maxSteps {
		if err := allowed(r.address); err != nil {
			return document{}, err
		}
		p, location, err := b.send(ctx, r)
		if err != nil {
			return document{}, err
		}
		if location != "" {
			r = redirect(r, p.Status, location)
			continue
		}
		b.mu.Lock()
		b.pages = append(b.pages, p)
		b.mu.Unlock()
		d, err := parse(p)
		if err != nil || d.refresh == "" || d.wait > maxRefresh {
			return d, err
		}
		if err := pause(ctx, d.wait); err != nil {
			return document{}, err
		}
		r = request{method: http.MethodGet, address: d.refresh, from: p.URL}
	}
	return document{}, ErrLost
}

// allowed refuses what a browser would not open as a page.
func allowed(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("browser: not a web address")
	}
	return nil
}

func redirect(r request, status int, location string) request {
	next := request{method: http.MethodGet, address: location, from: r.from}
	if status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect {
		next.method, next.form = r.method, r.form
	}
	return next
}

// send makes one request. The location of a redirect is absolute.
func (b *Browser) send(ctx context.Context, r request) (Page, string, error) {
	var body io.Reader
	if r.method == http.MethodPost {
		body = strings.NewReader(r.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.address, body)
	if err != nil {
		return Page{}, "", errors.New("browser: not a web address")
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (simulated)")
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Sec-Fetch-Site", fetchSite(r.from, req.URL))
	if r.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin(r.from))
	}
	for _, c := range b.jar.cookies(req.URL, r.from, r.method) {
		req.AddCookie(c)
	}
	transport := b.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return Page{}, "", fmt.Errorf("browser: opening %s: %w", withoutQuery(r.address), err)
	}
	defer func() { _ = resp.Body.Close() }()
	b.jar.keep(req.URL, resp.Cookies())
	if location := resp.Header.Get("Location"); resp.StatusCode >= 300 && resp.StatusCode < 400 && location != "" {
		to, err := req.URL.Parse(location)
		if err != nil {
			return Page{}, "", errors.New("browser: a redirect to nowhere")
		}
		return Page{Status: resp.StatusCode}, to.String(), nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return Page{}, "", fmt.Errorf("browser: reading %s: %w", withoutQuery(r.address), err)
	}
	p := Page{URL: r.address, Body: string(data), Status: resp.StatusCode}
	if refresh := resp.Header.Get("Refresh"); refresh != "" {
		p.Body = `<meta http-equiv="refresh" content="` + strings.ReplaceAll(refresh, `"`, "%22") + `">` + p.Body
	}
	return p, "", nil
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
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

// withoutQuery is an address that may be shown: queries hold codes and states.
func withoutQuery(address string) string {
	before, _, _ := strings.Cut(address, "?")
	return before
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "null"
	}
	return u.Scheme + "://" + u.Host
}

func fetchSite(from string, to *url.URL) string {
	switch {
	case from == "":
		return "none"
	case origin(from) == to.Scheme+"://"+to.Host:
		return "same-origin"
	case sameSite(from, to):
		return "same-site"
	}
	return "cross-site"
}
