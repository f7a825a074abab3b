package oauth

import (
	"slices"
	"time"
)

// newAccess makes an access token. The caller holds s.mu.
func (s *Server) newAccess(f *family, scopes []string) string {
	token := forge(accessSize, s.cfg.Canary, map[string]any{
		"aud": "api.atlassian.com", "iss": "https://auth.atlassian.com", "sub": f.person, "scope": scopes,
	})
	s.access[token] = &accessToken{family: f, scopes: scopes, expires: time.Now().Add(s.life)}
	s.seen = append(s.seen, token)
	return token
}

// newRefresh makes a refresh token. The caller holds s.mu.
func (s *Server) newRefresh(f *family) string {
	token := forge(refreshSize, s.cfg.Canary, map[string]any{"aud": f.app, "iss": "https://auth.atlassian.com", "pat": "single-use"})
	s.refresh[token] = &refreshing{family: f}
	s.seen = append(s.seen, token)
	return token
}

// rotate exchanges a refresh token. The caller holds s.mu.
func (s *Server) rotate(token, app string) (*family, *problem) {
	r, ok := s.refresh[token]
	now := time.Now()
	switch {
	case !ok || r.family.app != app:
		return nil, invalidRefresh()
	case r.family.dead, now.Sub(r.family.used) > s.cfg.Inactivity:
		return nil, invalidGrant("Unknown or invalid refresh token.")
	case !r.rotated.IsZero() && now.Sub(r.rotated) > s.leeway:
		// A token that was rotated out long ago is a breach: the newest dies too.
		r.family.dead = true
		return nil, invalidRefresh()
	case r.rotated.IsZero():
		r.rotated = now
	}
	r.family.used = now
	return r.family, nil
}

// end kills the families that match and counts them.
func (s *Server) end(match func(*family) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, f := range s.families {
		if !f.dead && match(f) {
			f.dead = true
			n++
		}
	}
	return n
}

// RemoveApp is a person removing the app in the account's "Connected apps":
// all tokens die at once. It returns how many grants ended.
func (s *Server) RemoveApp(person string) int {
	return s.end(func(f *family) bool { return f.person == person })
}

// RemoveSite takes a site out of all of a person's grants.
func (s *Server) RemoveSite(person, cloudID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.families {
		if f.person == person {
			f.sites = slices.DeleteFunc(slices.Clone(f.sites), func(id string) bool { return id == cloudID })
		}
	}
}

// ExpireAccess ends all access tokens as if their time had come.
func (s *Server) ExpireAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.access {
		t.expires = time.Time{}
	}
}

// SetAccessLife changes what new access tokens live.
func (s *Server) SetAccessLife(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = d
}

// SetLeeway changes how long a rotated refresh token still works.
func (s *Server) SetLeeway(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leeway = d
}

// SetDeny answers every consent with the person's refusal, without asking.
func (s *Server) SetDeny(deny bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deny = deny
}

// Grants counts the grants that live.
func (s *Server) Grants() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, f := range s.families {
		if !f.dead {
			n++
		}
	}
	return n
}
