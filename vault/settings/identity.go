package settings

import (
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
)

// Identity says who people are and how long they stay signed in.
type Identity struct {
	Session Session       `yaml:"session"`
	OIDC    OIDC          `yaml:"oidc"`
	Roles   Roles         `yaml:"roles"`
	StepUp  policy.StepUp `yaml:"step_up"`
}

// Session is the life of sessions. Days may be written as 30d.
type Session struct {
	Idle     time.Duration `yaml:"idle"`     // default 30 days
	Absolute time.Duration `yaml:"absolute"` // default 90 days
}

// OIDC is the company's own sign-in. Without an issuer there is none, and the
// Atlassian account is who a person is.
type OIDC struct {
	Issuer       string   `yaml:"issuer"`
	ClientID     string   `yaml:"client_id"`
	ClientSecret Ref      `yaml:"client_secret"`
	Scopes       []string `yaml:"scopes"`
	GroupsClaim  string   `yaml:"groups_claim"` // default groups
	Kind         string   `yaml:"kind"`         // standard or entra; by the issuer
	EntraTenants []string `yaml:"entra_tenants"`
	Graph        string   `yaml:"graph"` // default Microsoft's
	// Recheck is how often the provider is asked whether a person who is
	// signed in still may be; default one hour.
	Recheck time.Duration `yaml:"recheck"`

	// Secret is what ClientSecret refers to.
	Secret secret.String `yaml:"-"`
}

// Roles are the groups whose members have a role.
type Roles struct {
	Administrator []string `yaml:"administrator"`
	Auditor       []string `yaml:"auditor"`
}

const (
	defaultRecheck = time.Hour
	leastRecheck   = time.Second // a test's; people's should be minutes
)

func (i *Identity) fill() {
	fill := func(at *time.Duration, value time.Duration) {
		if *at == 0 {
			*at = value
		}
	}
	fill(&i.Session.Idle, 30*day)
	fill(&i.Session.Absolute, 90*day)
	fill(&i.OIDC.Recheck, defaultRecheck)
	fill(&i.StepUp.MaxAge, policy.DefaultStepUpAge)
	for at, value := range map[*string]string{&i.OIDC.GroupsClaim: oidc.DefaultGroupsClaim, &i.OIDC.Graph: oidc.DefaultGraph} {
		if *at == "" {
			*at = value
		}
	}
}

// On reports whether there is a company sign-in.
func (o OIDC) On() bool { return o.Issuer != "" }

// set reports whether anything of it was set besides the defaults.
func (o OIDC) set() bool {
	return o.ClientID != "" || o.ClientSecret != "" || o.Kind != "" || len(o.Scopes)+len(o.EntraTenants) > 0
}

// Config is the provider as the settings describe it. publicURL is the vault's.
func (o OIDC) Config(publicURL string, needGroups bool, client *http.Client) oidc.Config {
	return oidc.Config{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.Secret, Redirect: publicURL + oidc.CallbackPath, Scopes: o.Scopes,
		GroupsClaim: o.GroupsClaim, NeedGroups: needGroups, Kind: oidc.Kind(o.Kind), Tenants: o.EntraTenants, Graph: o.Graph, HTTP: client,
	}
}

// People says who may use which tenant, by groups.
func (s *Settings) People() *policy.People {
	p := &policy.People{Tenants: map[identity.TenantID][]string{}, Roles: map[identity.Role][]string{
		identity.Administrator: s.Identity.Roles.Administrator, identity.Auditor: s.Identity.Roles.Auditor,
	}}
	for name, t := range s.Tenants {
		p.Tenants[identity.TenantID(name)] = t.Groups
	}
	return p
}

func (i *Identity) check(r *reader) {
	life := i.Session
	if life.Idle < time.Minute {
		r.at("identity.session.idle", "must be at least a minute")
	}
	if life.Absolute < life.Idle {
		r.at("identity.session.absolute", "must be at least as long as identity.session.idle")
	}
	if i.OIDC.Recheck < leastRecheck || i.OIDC.Recheck > life.Absolute {
		r.at("identity.oidc.recheck", "must be from a second to identity.session.absolute")
	}
	if i.OIDC.On() {
		// The redirect is checked with network.public_url.
		if err := i.OIDC.Config("https://vault.example.com", false, nil).Check(); err != nil {
			r.all("identity.oidc.", err)
		}
		return
	}
	if i.OIDC.set() {
		r.at("identity.oidc.issuer", "is needed: the address of the company's identity provider, such as https://login.example.com")
	}
	if len(i.StepUp.Tools) > 0 {
		r.at("identity.step_up.tools", "needs the company's sign-in; set identity.oidc")
	}
	if !reflect.ValueOf(i.Roles).IsZero() {
		r.at("identity.roles", "needs the company's sign-in; set identity.oidc")
	}
}

// all reports problems that each begin with their setting, below prefix.
func (r *reader) all(prefix string, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, rest, _ := strings.Cut(line, ": ")
		r.at(prefix+key, "%s", rest)
	}
}
