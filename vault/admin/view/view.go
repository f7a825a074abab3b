// Package view is what administrators see, as JSON: the same over the API and
// from the command line. What is not here is not shown; nothing here is a token
// or a key.
package view

import (
	"encoding/hex"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// Time is a time as JSON, absent when it is zero.
type Time = *time.Time

func at(t time.Time) Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Person is a human in a list.
type Person struct {
	ID       string   `json:"id"`
	Name     string   `json:"name,omitempty"`
	Email    string   `json:"email,omitempty"`
	Tenants  []string `json:"tenants"`
	Accounts []string `json:"accounts"` // at Atlassian
	Sessions int      `json:"live_sessions"`
	Grants   int      `json:"live_grants"`
	Used     Time     `json:"last_used,omitempty"`
	// InRecords is what stands for the person in the audit records of each
	// chain, where people are named by hash.
	InRecords map[string]string `json:"in_records,omitempty"`
}

// PersonOf shows a person.
func PersonOf(k admin.Known, now time.Time) Person {
	shown := k.Shown()
	p := Person{ID: string(k.ID), Name: shown.Name, Email: shown.Email, Tenants: []string{}, Accounts: []string{}, Used: at(k.Used())}
	p.Sessions, p.Grants = k.Live(now)
	for _, t := range k.Tenants() {
		p.Tenants = append(p.Tenants, string(t))
	}
	for tenant, alias := range k.InRecords {
		if p.InRecords == nil {
			p.InRecords = map[string]string{}
		}
		p.InRecords[chain(string(tenant))] = string(alias)
	}
	seen := map[string]bool{"": true}
	for _, g := range k.Grants {
		if !seen[g.Account] {
			seen[g.Account] = true
			p.Accounts = append(p.Accounts, g.Account)
		}
	}
	return p
}

// WholePerson is a human with sessions and grants, the latest 200 of each.
type WholePerson struct {
	Person
	SessionList []Session `json:"sessions"`
	GrantList   []Grant   `json:"grants"`
}

// WholePersonOf shows all of a person.
func WholePersonOf(k admin.Known, now time.Time) WholePerson {
	p := WholePerson{Person: PersonOf(k, now), SessionList: []Session{}, GrantList: []Grant{}}
	for _, s := range k.Sessions {
		p.SessionList = append(p.SessionList, SessionOf(s, now))
	}
	for _, g := range k.Grants {
		p.GrantList = append(p.GrantList, GrantOf(g))
	}
	return p
}

// Session is a device that a person signed in on.
type Session struct {
	ID        string `json:"id"`
	State     string `json:"state"` // live, ended or expired
	Person    string `json:"person"`
	Name      string `json:"name,omitempty"`
	Email     string `json:"email,omitempty"`
	Tenant    string `json:"tenant"`
	Device    string `json:"device"`
	Host      string `json:"host,omitempty"`
	User      string `json:"user,omitempty"`
	Platform  string `json:"platform,omitempty"`
	Shim      string `json:"shim_version,omitempty"`
	KeyClass  string `json:"key_class,omitempty"` // keychain or file
	Address   string `json:"address,omitempty"`
	Created   Time   `json:"created"`
	Used      Time   `json:"last_used,omitempty"`
	IdleUntil Time   `json:"ends_idle,omitempty"`
	Until     Time   `json:"ends,omitempty"`
	Ended     Time   `json:"ended,omitempty"`
}

// SessionOf shows a session.
func SessionOf(s session.Session, now time.Time) Session {
	return Session{
		ID: string(s.ID), State: admin.State(s, now), Person: string(s.Person), Name: s.Shown.Name, Email: s.Shown.Email, Tenant: string(s.Tenant),
		Device: string(s.Device), Host: s.Shown.Host, User: s.Shown.User, Platform: s.Shown.OS, Shim: s.Shown.Version, KeyClass: s.Shown.KeyClass,
		Address: s.Shown.Address, Created: at(s.Created), Used: at(s.Used), IdleUntil: at(s.IdleUntil), Until: at(s.Until), Ended: at(s.Revoked),
	}
}

// Device is a person's shim on one machine.
type Device struct {
	ID       string  `json:"id"` // thumbprint of its key (RFC 7638)
	Host     string  `json:"host,omitempty"`
	User     string  `json:"user,omitempty"`
	Platform string  `json:"platform,omitempty"`
	Shim     string  `json:"shim_version,omitempty"`
	KeyClass string  `json:"key_class,omitempty"`
	Session  Session `json:"session"` // the one that was there last
}

// DeviceOf shows the device of a session.
func DeviceOf(s session.Session, now time.Time) Device {
	return Device{
		ID: string(s.Device), Host: s.Shown.Host, User: s.Shown.User, Platform: s.Shown.OS, Shim: s.Shown.Version, KeyClass: s.Shown.KeyClass,
		Session: SessionOf(s, now),
	}
}

// Grant is what a person allowed at Atlassian.
type Grant struct {
	ID           string   `json:"id"`
	State        string   `json:"state"`
	Person       string   `json:"person"`
	Tenant       string   `json:"tenant"`
	Account      string   `json:"account,omitempty"`
	Scopes       []string `json:"scopes"`
	Sites        []Site   `json:"sites"`
	Issued       Time     `json:"issued"`
	Refreshed    Time     `json:"last_refreshed,omitempty"`
	Used         Time     `json:"last_used,omitempty"`
	TokenExpires Time     `json:"token_expires,omitempty"`
	Expires      Time     `json:"expires,omitempty"` // if nobody uses it
	NextRefresh  Time     `json:"next_refresh,omitempty"`
	Ended        Time     `json:"ended,omitempty"`
	LastError    string   `json:"last_error,omitempty"`
}

// Site is one Confluence that a grant reaches.
type Site struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// GrantOf shows a grant.
func GrantOf(g grant.Grant) Grant {
	shown := Grant{
		ID: string(g.ID), State: string(g.State), Person: string(g.Person), Tenant: string(g.Tenant), Account: g.Account,
		Scopes: append([]string{}, g.Scopes...), Sites: []Site{},
		Issued: at(g.Issued), Refreshed: at(g.Refreshed), Used: at(g.Used), TokenExpires: at(g.TokenExpires), Expires: at(g.Expires),
		NextRefresh: at(g.NextRefresh), Ended: at(g.Ended), LastError: g.LastError,
	}
	for _, s := range g.Sites {
		shown.Sites = append(shown.Sites, Site{s.Name, s.URL})
	}
	return shown
}

// Record is an audit record. Chain is the tenant's, "-" the vault's own.
type Record struct {
	Chain string      `json:"chain"`
	Seq   int64       `json:"seq"`
	Hash  string      `json:"hash"`
	Entry audit.Entry `json:"entry"`
}

// RecordOf shows a record.
func RecordOf(r admin.Record) Record {
	return Record{Chain: chain(string(r.Tenant)), Seq: r.Seq, Hash: hex.EncodeToString(r.Hash), Entry: r.Entry}
}

func chain(tenant string) string {
	if tenant == "" {
		return admin.OwnChain
	}
	return tenant
}

// End is the end of an audit chain.
type End struct {
	Chain  string `json:"chain"`
	Seq    int64  `json:"seq"`
	Hash   string `json:"hash"`
	Signed int64  `json:"signed,omitempty"` // last record that this replica signed
}

// EndOf shows the end of a chain.
func EndOf(e admin.End) End {
	return End{chain(string(e.Tenant)), e.Seq, hex.EncodeToString(e.Hash), e.Signed}
}

// Verification is a check of all audit records.
type Verification struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	By      string `json:"by"`
	Started Time   `json:"started"`
	Ended   Time   `json:"ended,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// VerificationOf shows a verification.
func VerificationOf(v admin.Verification) Verification {
	return Verification{v.ID, v.State, v.By, at(v.Started), at(v.Ended), v.Detail}
}

// Revocation is what a revocation ended, or would end. Of long lists only the
// first are named.
type Revocation struct {
	DryRun     bool     `json:"dry_run"`
	Scope      string   `json:"scope"` // in words
	Sessions   int      `json:"sessions"`
	Grants     int      `json:"grants"`
	People     int      `json:"people"`
	SessionIDs []string `json:"session_ids"`
	GrantIDs   []string `json:"grant_ids"`
	// Upstream says what became of the grants at Atlassian; a person can remove
	// the app for good at ConnectedApps.
	Upstream      *Upstream `json:"upstream,omitempty"`
	Superseded    bool      `json:"superseded,omitempty"`
	ConnectedApps string    `json:"connected_apps"`
}

// Upstream counts grants.
type Upstream struct {
	Ended        int `json:"ended"`
	Failed       int `json:"failed"`
	NotAttempted int `json:"not_attempted"`
}

const maxNamed = 200

// RevocationOf shows a revocation.
func RevocationOf(r admin.Revocation, scope admin.Scope, dry bool) Revocation {
	shown := Revocation{
		DryRun: dry, Scope: scope.String(), Sessions: len(r.Sessions), Grants: len(r.Grants), SessionIDs: []string{}, GrantIDs: []string{},
		Superseded: r.Superseded, ConnectedApps: admin.ConnectedApps,
	}
	people := map[string]bool{}
	for i, s := range r.Sessions {
		if people[string(s.Person)] = true; i < maxNamed {
			shown.SessionIDs = append(shown.SessionIDs, string(s.ID))
		}
	}
	for i, g := range r.Grants {
		if people[string(g.Person)] = true; i < maxNamed {
			shown.GrantIDs = append(shown.GrantIDs, string(g.ID))
		}
	}
	if shown.People = len(people); !dry {
		shown.Upstream = &Upstream{r.Upstream.Ended, r.Upstream.Failed, r.Upstream.Left}
	}
	return shown
}
