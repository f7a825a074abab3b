package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// query reads the parameters of a request; the first thing that is wrong with
// them stays in err.
type query struct {
	values url.Values
	err    error
}

// ask wants no parameters but those that are named, each once.
func ask(r *http.Request, names ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.bad("The query cannot be read", "Escape what is special in it")
	}
	for name, list := range values {
		if !slices.Contains(names, name) {
			known := "This address takes none"
			if len(names) > 0 {
				known = "There are " + strings.Join(names, ", ")
			}
			q.bad("There is no parameter "+strconv.Quote(name), known)
		} else if len(list) > 1 {
			q.bad("The parameter "+name+" is there more than once", "Send it once")
		}
	}
	return q
}

func (q *query) bad(message, hint string) {
	if q.err == nil {
		q.err = usererr.New(usererr.BadInput, message, hint)
	}
}

func (q *query) paging() admin.Paging {
	p := admin.Paging{Cursor: q.values.Get("cursor")}
	if text := q.values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > admin.MaxLimit {
			q.bad(fmt.Sprintf("The limit is not a number from 1 to %d", admin.MaxLimit), "Ask for fewer and go on with the cursor")
		}
		p.Limit = n
	}
	return p
}

func (q *query) yes(name string) bool {
	switch q.values.Get(name) {
	case "", "false":
		return false
	case "true":
		return true
	}
	q.bad("The parameter "+name+" is neither true nor false", "Send one of them")
	return false
}

func (q *query) time(name string) time.Time {
	text := q.values.Get(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		q.bad("The parameter "+name+" is not a time", "Write it like 2026-01-31T12:00:00Z (RFC 3339)")
	}
	return t
}

// page shows a page of a list.
func page[T, V any](p admin.Page[T], err error, show func(T) V) (any, error) {
	if err != nil {
		return nil, err
	}
	items := make([]V, len(p.Items))
	for i, item := range p.Items {
		items[i] = show(item)
	}
	return view.Page[V]{Items: items, Next: p.Next}, nil
}

func (h *Handler) health(r *http.Request, _ admin.Actor) (any, error) {
	if q := ask(r); q.err != nil {
		return nil, q.err
	}
	return h.cfg.Health(r.Context()), nil
}

func (h *Handler) people(r *http.Request, who admin.Actor) (any, error) {
	q := ask(r, "match", "limit", "cursor")
	wanted := admin.PersonQuery{Match: q.values.Get("match"), Paging: q.paging()}
	if q.err != nil {
		return nil, q.err
	}
	list, err := h.cfg.Desk.People(r.Context(), who, wanted)
	now := time.Now()
	return page(list, err, func(k admin.Known) view.Person { return view.PersonOf(k, now) })
}

func (h *Handler) person(r *http.Request, who admin.Actor) (any, error) {
	if q := ask(r); q.err != nil {
		return nil, q.err
	}
	k, err := h.cfg.Desk.Person(r.Context(), who, identity.PersonID(r.PathValue("id")))
	if err != nil {
		return nil, err
	}
	return view.WholePersonOf(k, time.Now()), nil
}

func sessionQuery(r *http.Request) (admin.SessionQuery, error) {
	q := ask(r, "person", "tenant", "device", "live", "limit", "cursor")
	wanted := admin.SessionQuery{
		Person: identity.PersonID(q.values.Get("person")), Tenant: identity.TenantID(q.values.Get("tenant")),
		Device: identity.DeviceID(q.values.Get("device")), Live: q.yes("live"), Paging: q.paging(),
	}
	return wanted, q.err
}

func (h *Handler) devices(r *http.Request, who admin.Actor) (any, error) {
	q, err := sessionQuery(r)
	if err != nil {
		return nil, err
	}
	list, err := h.cfg.Desk.Devices(r.Context(), who, q)
	now := time.Now()
	return page(list, err, func(s session.Session) view.Device { return view.DeviceOf(s, now) })
}

func (h *Handler) device(r *http.Request, who admin.Actor) (any, error) {
	if q := ask(r); q.err != nil {
		return nil, q.err
	}
	s, err := h.cfg.Desk.Device(r.Context(), who, identity.DeviceID(r.PathValue("id")))
	if err != nil {
		return nil, err
	}
	return view.DeviceOf(s, time.Now()), nil
}

func (h *Handler) sessions(r *http.Request, who admin.Actor) (any, error) {
	q, err := sessionQuery(r)
	if err != nil {
		return nil, err
	}
	list, err := h.cfg.Desk.Sessions(r.Context(), who, q)
	now := time.Now()
	return page(list, err, func(s session.Session) view.Session { return view.SessionOf(s, now) })
}

func (h *Handler) session(r *http.Request, who admin.Actor) (any, error) {
	if q := ask(r); q.err != nil {
		return nil, q.err
	}
	s, err := h.cfg.Desk.Session(r.Context(), who, identity.SessionID(r.PathValue("id")))
	if err != nil {
		return nil, err
	}
	return view.SessionOf(s, time.Now()), nil
}

func (h *Handler) grants(r *http.Request, who admin.Actor) (any, error) {
	q := ask(r, "person", "tenant", "state", "limit", "cursor")
	state, err := admin.ParseState(q.values.Get("state"))
	wanted := admin.GrantQuery{Person: identity.PersonID(q.values.Get("person")), Tenant: identity.TenantID(q.values.Get("tenant")), State: state, Paging: q.paging()}
	if q.err != nil {
		return nil, q.err
	}
	if err != nil {
		return nil, err
	}
	list, err := h.cfg.Desk.Grants(r.Context(), who, wanted)
	return page(list, err, func(g grant.Grant) view.Grant { return view.GrantOf(g) })
}

func (h *Handler) grant(r *http.Request, who admin.Actor) (any, error) {
	if q := ask(r); q.err != nil {
		return nil, q.err
	}
	g, err := h.cfg.Desk.Grant(r.Context(), who, identity.GrantID(r.PathValue("id")))
	if err != nil {
		return nil, err
	}
	return view.GrantOf(g), nil
}
