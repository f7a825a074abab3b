package settings

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

var tenantName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// loopback reports whether a host or host:port is this machine only.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// address says what is wrong with a URL that must be https, or http on
// loopback. An origin has nothing behind its host.
func address(text string, origin bool) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "must be an address such as https://vault.example.com"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "must have no user, query or fragment"
	case u.Scheme == "http" && !loopback(u.Host):
		return "must be https; plain http is for loopback only"
	case origin && u.Path != "" && u.Path != "/":
		return "must be an origin, with nothing behind the host"
	}
	return ""
}

// check reports what cannot work.
func (s *Settings) check(r *reader) {
	_, port, err := net.SplitHostPort(s.Network.Listen)
	if _, number := strconv.ParseUint(port, 10, 16); err != nil || number != nil {
		r.at("network.listen", "must be host:port, such as 127.0.0.1:8080")
	}
	if s.Network.PublicURL == "" {
		r.at("network.public_url", "is needed: the https address under which people's computers reach the vault")
	} else if problem := address(s.Network.PublicURL, true); problem != "" {
		r.at("network.public_url", "%s", problem)
	}
	s.Network.PublicURL = strings.TrimSuffix(s.Network.PublicURL, "/")
	if _, err := s.Network.Proxies(); err != nil {
		r.at("network.trusted_proxies", "%s", err)
	}
	if strings.HasPrefix(s.Network.PublicURL, "https:") && s.Network.TLS.CertFile == "" && len(s.Network.TrustedProxies) == 0 {
		s.Warnings = append(s.Warnings, "network.public_url is https and the vault has no certificate of its own, so something in front of it ends TLS: "+
			"name that in network.trusted_proxies, or everybody seems to come from its address")
	}
	if (s.Network.TLS.CertFile == "") != (s.Network.TLS.KeyFile == "") {
		r.at("network.tls", "cert_file and key_file go together")
	}
	s.checkStore(r)
	s.checkKeys(r)
	s.checkObservability(r)
	for i, name := range s.Features.Toolsets {
		if name != "all" && !slices.Contains(Toolsets(), name) {
			r.at("features.toolsets", "number %d: must be all, or one of %s", i+1, strings.Join(Toolsets(), ", "))
		}
	}
	s.Identity.check(r)
	if _, err := policy.New(s.Rules()); err != nil {
		r.all("", err)
	}
	s.checkTenants(r)
	s.checkAdmin(r)
	s.Anomalies.check(r)
}

func (s *Settings) checkObservability(r *reader) {
	o := s.Observability
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, o.Log) {
		r.at("observability.log", "must be debug, info, warn or error")
	}
	if !slices.Contains([]string{"metadata", "hashes", "full"}, o.Audit) {
		r.at("observability.audit", "must be metadata, hashes or full")
	}
	if o.Attribution != "id" && o.Attribution != "hash" {
		r.at("observability.attribution", "must be id or hash")
	}
	if o.Retention != 0 && o.Retention < 2*day {
		r.at("observability.retention", "must be at least 2d, such as 400d; without it records are kept for ever")
	}
	if o.Retention != 0 && s.Audit.Objects == "" {
		s.Warnings = append(s.Warnings, "observability.retention drops old audit records, and audit.objects names no folder that gets them before: then they are gone")
	}
}

func (s *Settings) checkStore(r *reader) {
	if file, ok := strings.CutPrefix(s.Store.URL, "sqlite:"); ok && file != "" {
		if s.Store.Password != "" {
			r.at("store.password", "belongs to a postgres:// store; a SQLite file has none")
		}
		return
	}
	u, err := url.Parse(s.Store.URL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		r.at("store.url", "must be sqlite:FILE or postgres://USER@HOST/DATABASE?sslmode=verify-full")
		return
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		r.at("store.url", "must not have the password in it; name it in store.password, as env:NAME or file:NAME")
	}
	if s.Store.Password != "" && u.User.Username() == "" {
		r.at("store.url", "needs a user, as postgres://USER@HOST/DATABASE, since store.password is set")
	}
}

func (s *Settings) checkKeys(r *reader) {
	if problem := keyAddress(s.Keys.KEK); problem != "" {
		r.at("keys.kek", "%s", problem)
	}
	for i, url := range s.Keys.Former {
		problem := keyAddress(url)
		switch {
		case problem != "":
			r.at("keys.former", "number %d: %s", i+1, problem)
		case url == s.Keys.KEK:
			r.at("keys.former", "%s is keys.kek, too; a former key is another one", url)
		case slices.Contains(s.Keys.Former[:i], url):
			r.at("keys.former", "%s stands here a second time", url)
		}
	}
}

// keyAddress says what is wrong with the address of a key.
func keyAddress(url string) string {
	_, err := keyurl.Parse(url)
	if wrong, ok := usererr.From(err); ok {
		return wrong.Message + ": " + wrong.Hint
	}
	return ""
}

// Rules are what the policy is compiled from.
func (s *Settings) Rules() policy.Rules {
	return policy.Rules{Access: s.Access, StepUp: s.Identity.StepUp, Attachments: s.Governance.Attachments, NoFiles: !s.Features.Attachments}
}

func (s *Settings) checkTenants(r *reader) {
	if len(s.Tenants) == 0 {
		r.at("tenants", "at least one tenant is needed, with its site and its OAuth app")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Tenants)) {
		key := join("tenants", name)
		if !tenantName.MatchString(name) {
			r.at(key, "a tenant's name has small letters, digits and hyphens only, at most 63")
		}
		t := s.Tenants[name]
		if len(t.Sites) == 0 {
			r.at(key, "needs at least one site below sites")
		}
		for _, site := range slices.Sorted(maps.Keys(t.Sites)) {
			checkSite(r, join(join(key, "sites"), site), t.Sites[site])
		}
		checkApp(r, join(key, "oauth"), t.OAuth)
		if len(t.Groups) > 0 && !s.Identity.OIDC.On() {
			r.at(key+".groups", "belongs to the company's sign-in; set identity.oidc")
		}
	}
}

func checkSite(r *reader, key string, site Site) {
	switch site.Kind {
	case "cloud":
	case "datacenter":
		r.at(key+".kind", "Data Center is not supported yet; use cloud")
	default:
		r.at(key+".kind", "must be cloud")
	}
	if site.BaseURL == "" {
		r.at(key+".base_url", "is needed, such as https://acme.atlassian.net")
	} else if problem := address(site.BaseURL, true); problem != "" {
		r.at(key+".base_url", "%s", problem)
	}
}

func checkApp(r *reader, key string, app OAuth) {
	if app.ClientID == "" {
		r.at(key+".client_id", "is needed: the client id of the OAuth 2.0 app in Atlassian's developer console")
	}
	if app.ClientSecret == "" {
		r.at(key+".client_secret", "is needed, as a reference such as env:ACME_CLIENT_SECRET or file:/run/secrets/atlassian")
	}
	if len(app.Scopes) == 0 {
		r.at(key+".scopes", "is needed: what the app may do, such as read:page:confluence")
	}
	if app.Refresh != "lazy" && app.Refresh != "proactive" {
		r.at(key+".refresh", "must be lazy or proactive")
	}
	for name, value := range map[string]string{"authorize": app.Endpoints.Authorize, "token": app.Endpoints.Token, "api": app.Endpoints.API} {
		if problem := address(value, name == "api"); problem != "" {
			r.at(key+".endpoints."+name, "%s", problem)
		}
	}
}

// resolve fetches what the references name.
func (s *Settings) resolve(r *reader, env map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(s.Tenants)) {
		t := s.Tenants[name]
		if t.OAuth.ClientSecret == "" {
			continue
		}
		value, err := t.OAuth.ClientSecret.fetch(s.Dir, env)
		if err != nil {
			r.at(join(join("tenants", name), "oauth.client_secret"), "%s", err)
		}
		t.OAuth.Secret = value
		s.Tenants[name] = t
	}
	if s.Identity.OIDC.ClientSecret != "" {
		value, err := s.Identity.OIDC.ClientSecret.fetch(s.Dir, env)
		if err != nil {
			r.at("identity.oidc.client_secret", "%s", err)
		}
		s.Identity.OIDC.Secret = value
	}
	s.resolveAdmin(r, env)
	s.Anomalies.resolve(r, s.Dir, env)
	if s.Store.Password != "" {
		value, err := s.Store.Password.fetch(s.Dir, env)
		if err != nil {
			r.at("store.password", "%s", err)
		}
		s.Store.Secret = value
	}
	if s.Network.Egress.Proxy != "" {
		value, err := s.Network.Egress.Proxy.fetch(s.Dir, env)
		if err == nil {
			if u, bad := url.Parse(value.Reveal()); bad != nil || u.Host == "" {
				err = errors.New("what it refers to is not the address of a proxy")
			}
		}
		if err != nil {
			r.at("network.egress.proxy", "%s", err)
		}
		s.Network.Egress.URL = value
	}
}
