package signin

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

const maxAddress = 2 << 10

var errAddress = errors.New("not an address on the vault's origin")

// Origin is the scheme, host and port of a URL, in one form.
func Origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + host
}

// checkPage returns address if a browser may be sent there: letter by letter
// what a vault of this origin writes, below prefix. Anything that a shell, an
// opener or a browser could read in another way is refused, not repaired.
func checkPage(vault *url.URL, address, prefix string) (string, error) {
	if len(address) > maxAddress {
		return "", errAddress
	}
	rest, ok := strings.CutPrefix(address, Origin(vault)+"/")
	if !ok || !strings.HasPrefix("/"+rest, prefix) {
		return "", errAddress
	}
	path, query, _ := strings.Cut(rest, "?")
	if !only(path, "-._~/") || !only(query, "-._~/=&") || strings.Contains("/"+path, "/.") || strings.Contains("/"+path, "//") {
		return "", errAddress
	}
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Opaque != "" || u.String() != address || Origin(u) != Origin(vault) {
		return "", errAddress
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return "", errAddress
	}
	return address, nil
}

// only reports whether text has nothing but letters and digits of ASCII and
// the characters of also.
func only(text, also string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(also, r)
	})
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
