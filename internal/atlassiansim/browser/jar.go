package browser

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// jar keeps cookies as browsers do: by host without port, with the rules for
// Secure, SameSite, Domain, Path and the name prefixes (RFC 6265bis). The zero
// jar is empty.
type jar struct {
	mu   sync.Mutex
	list []stored // guarded by mu
}

type stored struct {
	http.Cookie
	host     string
	hostOnly bool
}

// keep takes the cookies of an answer that may be taken.
func (j *jar) keep(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		s := stored{Cookie: *c, host: u.Hostname(), hostOnly: c.Domain == ""}
		if !s.hostOnly {
			s.host = strings.ToLower(strings.TrimPrefix(c.Domain, "."))
		}
		if s.Path == "" || s.Path[0] != '/' {
			s.Path = defaultPath(u.Path)
		}
		if !s.acceptable(u) {
			continue
		}
		j.list = slices.DeleteFunc(j.list, func(old stored) bool {
			return old.Name == s.Name && old.host == s.host && old.Path == s.Path
		})
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.MaxAge == 0 && c.Expires.Before(time.Now()) {
			continue
		}
		if c.MaxAge > 0 {
			s.Expires = time.Now().Add(time.Duration(c.MaxAge) * time.Second)
		}
		j.list = append(j.list, s)
	}
}

func defaultPath(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

func (s stored) acceptable(u *url.URL) bool {
	https := u.Scheme == "https"
	switch {
	case !s.hostOnly && !domainMatch(u.Hostname(), s.host):
		return false
	case s.Secure && !https:
		return false
	case s.SameSite == http.SameSiteNoneMode && !s.Secure:
		return false
	case strings.HasPrefix(s.Name, "__Host-"):
		return s.Secure && s.hostOnly && s.Path == "/"
	case strings.HasPrefix(s.Name, "__Secure-"):
		return s.Secure
	}
	return true
}

func domainMatch(host, domain string) bool {
	if host == domain {
		return true
	}
	return net.ParseIP(host) == nil && strings.Contains(domain, ".") && strings.HasSuffix(host, "."+domain)
}

// cookies lists what goes along with a request that a page at from led to.
func (j *jar) cookies(u *url.URL, from, method string) []*http.Cookie {
	cross := from != "" && !sameSite(from, u)
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []*http.Cookie
	for _, s := range j.list {
		switch {
		case s.hostOnly && s.host != u.Hostname() || !domainMatch(u.Hostname(), s.host):
		case s.Secure && u.Scheme != "https":
		case !s.Expires.IsZero() && s.Expires.Before(time.Now()):
		case !pathMatch(u.Path, s.Path):
		case cross && s.SameSite == http.SameSiteStrictMode:
		case cross && method != http.MethodGet && s.SameSite != http.SameSiteNoneMode:
			// Without SameSite a cookie is Lax.
		default:
			all = append(all, &http.Cookie{Name: s.Name, Value: s.Value})
		}
	}
	return all
}

func pathMatch(path, prefix string) bool {
	if path == "" {
		path = "/"
	}
	return path == prefix || strings.HasPrefix(path, prefix) && (strings.HasSuffix(prefix, "/") || path[len(prefix)] == '/')
}

// sameSite reports whether two addresses belong to one site: scheme and the
// last two labels of the host. That is near enough to the list of public
// suffixes for the hosts of tests.
func sameSite(from string, to *url.URL) bool {
	u, err := url.Parse(from)
	return err == nil && u.Scheme == to.Scheme && registrable(u.Hostname()) == registrable(to.Hostname())
}

func registrable(host string) string {
	if net.ParseIP(host) != nil {
		return host
	}
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}
