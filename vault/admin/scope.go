package admin

import (
	"net/url"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// Scope says whose access is taken away: of all that its fields name together.
// The zero value is nobody's.
type Scope struct {
	Person identity.PersonID
	Tenant identity.TenantID
	Device identity.DeviceID // its session, and no grant: those are the person's
	Site   string            // the site's address; who may reach it
	// Session ends one session, and Grant one grant with the sessions that use
	// it. Each goes with nothing else, like Everything, which is everybody.
	Session    identity.SessionID
	Grant      identity.GrantID
	Everything bool
}

// Revoked is what was taken away.
type Revoked struct {
	Sessions []session.Session
	Grants   []grant.Grant
}

// Valid reports whether s names somebody, and in a way that is clear.
func (s Scope) Valid() bool {
	if s.Session != "" || s.Grant != "" || s.Everything {
		return s == Scope{Session: s.Session} || s == Scope{Grant: s.Grant} || s == Scope{Everything: true}
	}
	return s != Scope{}
}

// check is Valid in words.
func (s Scope) check() error {
	switch {
	case s == Scope{}:
		return usererr.New(usererr.BadInput, "Nobody is named whose access to take away", "Name a person, a device, a session, a grant, a tenant, a site, or everything")
	case !s.Valid():
		return usererr.New(usererr.BadInput, "A session, a grant and everything go with nothing else", "Leave the others out")
	case s.Site == "":
		return nil
	}
	if u, err := url.Parse(s.Site); err != nil || u.Host == "" {
		return usererr.New(usererr.BadInput, "The site is not an address", "Name it as the settings do, such as https://acme.atlassian.net")
	}
	return nil
}

// String says in words whom s names.
func (s Scope) String() string {
	text := "everybody"
	switch {
	case s.Session != "":
		text = "the session " + string(s.Session)
	case s.Grant != "":
		text = "the grant " + string(s.Grant)
	case s.Device != "":
		text = "the device " + string(s.Device)
	case s.Person != "":
		text = string(s.Person)
	}
	if s.Tenant != "" {
		text += " at " + string(s.Tenant)
	}
	if s.Site != "" {
		text += " who may reach " + strings.TrimSuffix(s.Site, "/")
	}
	return text
}
