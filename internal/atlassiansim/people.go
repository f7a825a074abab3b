package atlassiansim

import "time"

// AddPerson adds a person to the company.
func (s *Sim) AddPerson(p Person) Person { return s.people.AddPerson(p) }

// Person finds a person by name or account id.
func (s *Sim) Person(name string) (Person, bool) { return s.people.Person(name) }

// SiteURL is the address of a site's own host, "" if there is no such site.
func (s *Sim) SiteURL(name string) string {
	site, _ := s.people.Site(name)
	return site.URL
}

// CloudID is the id of a site, "" if there is no such site.
func (s *Sim) CloudID(name string) string {
	site, _ := s.people.Site(name)
	return site.CloudID
}

// MintToken gives a person a grant of the first app without a browser. Both
// tokens are "" if there is no such person or no app.
func (s *Sim) MintToken(person string, scopes []string) (access, refresh string) {
	if len(s.opt.Apps) == 0 {
		return "", ""
	}
	access, refresh, _ = s.oauth.Mint(s.opt.Apps[0].ClientID, person, scopes)
	return access, refresh
}

// Secrets lists every token, code and verifier seen or handed out so far.
func (s *Sim) Secrets() []string { return s.oauth.Secrets() }

// Grants counts the grants that live.
func (s *Sim) Grants() int { return s.oauth.Grants() }

// ExpireTokens ends all access tokens as if their time had come.
func (s *Sim) ExpireTokens() { s.oauth.ExpireAccess() }

// SetTokenLife changes what new access tokens live.
func (s *Sim) SetTokenLife(d time.Duration) { s.oauth.SetAccessLife(d) }

// SetLeeway changes how long a rotated refresh token still works.
func (s *Sim) SetLeeway(d time.Duration) { s.oauth.SetLeeway(d) }

// SetDeny answers every consent with the person's refusal, without asking.
func (s *Sim) SetDeny(deny bool) { s.oauth.SetDeny(deny) }

// RemoveApp is a person removing the app under "Connected apps": all of the
// person's tokens die at once. It returns how many grants ended.
func (s *Sim) RemoveApp(person string) int { return s.oauth.RemoveApp(person) }

// RemoveSite takes a site out of all of a person's grants.
func (s *Sim) RemoveSite(person, site string) { s.oauth.RemoveSite(person, s.CloudID(site)) }
