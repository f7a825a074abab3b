package settings

import (
	"errors"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// Settings are all settings of a vault. The yaml tags are the keys.
type Settings struct {
	Network       Network           `yaml:"network"`
	Store         Store             `yaml:"store"`
	Keys          Keys              `yaml:"keys"`
	Tenants       map[string]Tenant `yaml:"tenants"`
	Access        policy.Access     `yaml:"access"`
	Governance    Governance        `yaml:"governance"`
	Features      Features          `yaml:"features"`
	Identity      Identity          `yaml:"identity"`
	Observability Observability     `yaml:"observability"`
	Audit         Audit             `yaml:"audit"`
	Admin         Admin             `yaml:"admin"`
	Anomalies     Anomalies         `yaml:"anomalies"`

	// Dir is the folder that relative names in the settings start from: that
	// of the settings file.
	Dir string `yaml:"-"`
	// Warnings are things that should be looked at and stop nothing.
	Warnings []string `yaml:"-"`

	sources map[string]string // key -> where its value came from
}

// Network is where the vault listens and what the world calls it.
type Network struct {
	Listen string `yaml:"listen"` // host:port; default 127.0.0.1:8080
	// PublicURL is the origin under which shims and browsers reach the vault;
	// default http:// and Listen if that is on loopback.
	PublicURL string `yaml:"public_url"`
	// TrustedProxies are the addresses or networks (CIDR) of what stands in
	// front of the vault: their X-Forwarded-For is believed, nobody else's.
	TrustedProxies []string `yaml:"trusted_proxies"`
	TLS            TLS      `yaml:"tls"`
	Egress         Egress   `yaml:"egress"`
}

// TLS names the vault's certificate. Without it, something in front ends TLS.
type TLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Egress is the way out to Atlassian.
type Egress struct {
	// Proxy is a reference to the proxy's URL, which may hold a password.
	Proxy  Ref    `yaml:"proxy"`
	CAFile string `yaml:"ca_file"` // further authorities, PEM

	// URL is what Proxy refers to.
	URL secret.String `yaml:"-"`
}

// Store is where everything lasts.
type Store struct {
	URL string `yaml:"url"` // sqlite:FILE or postgres://…; default sqlite:vault.db
	// Password is a reference to the password for a server.
	Password Ref `yaml:"password"`

	// Secret is what Password refers to.
	Secret secret.String `yaml:"-"`
}

// Address is the URL with the password in it.
func (s Store) Address() secret.String {
	u, err := url.Parse(s.URL)
	if s.Secret.Reveal() == "" || err != nil {
		return secret.New(s.URL)
	}
	u.User = url.UserPassword(u.User.Username(), s.Secret.Reveal())
	return secret.New(u.String())
}

// Keys is what the sealed values are under.
type Keys struct {
	// KEK is the address of the key-encryption key, as package keyurl reads
	// it: file:NAME (default file:kek), or a key in a key service.
	KEK string `yaml:"kek"`
	// Former are keys that only open what they wrapped once.
	Former []string `yaml:"former"`
}

// Tenant is a company or division.
type Tenant struct {
	Sites map[string]Site `yaml:"sites"`
	OAuth OAuth           `yaml:"oauth"`
	// SignInByCode lets people sign in with a code that they copy from the page
	// to a terminal, on computers without a browser. Whoever is talked into
	// opening another's link can be talked into telling the code, too.
	SignInByCode bool `yaml:"sign_in_by_code"`
	// Groups of the company's sign-in, of which one lets a person in;
	// everybody who can sign in if there are none.
	Groups []string `yaml:"groups"`
}

// Site is one Confluence.
type Site struct {
	Kind    string `yaml:"kind"`     // cloud
	BaseURL string `yaml:"base_url"` // such as https://acme.atlassian.net
}

// OAuth is a tenant's app at Atlassian.
type OAuth struct {
	ClientID     string    `yaml:"client_id"`
	ClientSecret Ref       `yaml:"client_secret"`
	Scopes       []string  `yaml:"scopes"`
	Refresh      string    `yaml:"refresh"` // lazy (default) or proactive
	Endpoints    Endpoints `yaml:"endpoints"`

	// Secret is what ClientSecret refers to.
	Secret secret.String `yaml:"-"`
}

// Endpoints default to Atlassian's.
type Endpoints struct {
	Authorize string `yaml:"authorize"`
	Token     string `yaml:"token"`
	API       string `yaml:"api"`
}

// Atlassian's endpoints (developer.atlassian.com, "OAuth 2.0 (3LO) apps").
const (
	AtlassianAuthorize = "https://auth.atlassian.com/authorize"
	AtlassianToken     = "https://auth.atlassian.com/oauth/token"
	AtlassianAPI       = "https://api.atlassian.com"
)

// Features are what models are offered.
type Features struct {
	// Toolsets are offered beside the tools that everybody needs, which are few
	// so that they leave room in a model's context: all, or some of [Toolsets].
	Toolsets []string `yaml:"toolsets"`
	// Attachments may be listed, read and moved; true by default.
	Attachments bool `yaml:"attachments"`
}

// Governance is what may be in that which moves.
type Governance struct {
	Attachments policy.Attachments `yaml:"attachments"`
}

// Toolsets are the names that features.toolsets may have.
func Toolsets() []string {
	return []string{"content", "export", "people", "permissions", "properties", "request", "social", "spaces", "tasks", "templates"}
}

// Observability is what the vault says of itself.
type Observability struct {
	Log string `yaml:"log"` // debug, info (default), warn or error
	// Audit is how much of calls audit records keep: metadata (default),
	// hashes or full. Attribution is how they name people: id (default) or hash.
	Audit       string `yaml:"audit"`
	Attribution string `yaml:"attribution"`
	// Retention is how long audit records are kept at least, before whole days
	// of them are sealed and dropped; for ever by default.
	Retention time.Duration `yaml:"retention"`
}

// Audit is what proves the audit records from outside the store.
type Audit struct {
	// Checkpoints is a file that signed ends of the chains are appended to;
	// none by default.
	Checkpoints string `yaml:"checkpoints"`
	// Objects is a folder that gets an object for each of them, and each segment
	// of records before it is dropped; none by default.
	Objects string `yaml:"objects"`
}

const day = 24 * time.Hour

// fill sets what was left out.
func (s *Settings) fill() {
	text := func(at *string, value string) {
		if *at == "" {
			*at = value
		}
	}
	text(&s.Network.Listen, "127.0.0.1:8080")
	if loopback(s.Network.Listen) {
		text(&s.Network.PublicURL, "http://"+s.Network.Listen)
	}
	text(&s.Store.URL, "sqlite:vault.db")
	text(&s.Keys.KEK, "file:kek")
	text(&s.Observability.Log, "info")
	text(&s.Observability.Audit, "metadata")
	text(&s.Observability.Attribution, "id")
	s.Identity.fill()
	s.Anomalies.fill()
	for name, t := range s.Tenants {
		text(&t.OAuth.Refresh, "lazy")
		text(&t.OAuth.Endpoints.Authorize, AtlassianAuthorize)
		text(&t.OAuth.Endpoints.Token, AtlassianToken)
		text(&t.OAuth.Endpoints.API, AtlassianAPI)
		for key, site := range t.Sites {
			text(&site.Kind, "cloud")
			t.Sites[key] = site
		}
		s.Tenants[name] = t
	}
}

// Proxies are the trusted proxies as networks.
func (n Network) Proxies() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range n.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if ip, single := netip.ParseAddr(text); single == nil {
			prefix, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return nil, errors.New("must be addresses or networks, such as 10.0.0.0/8")
		}
		list = append(list, prefix.Masked())
	}
	return list, nil
}

// Path makes a name in the settings absolute.
func (s *Settings) Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.Dir, name)
}
