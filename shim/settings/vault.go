package settings

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ParseVault reads the address of a vault: https and a host, http only to this
// computer, and nothing else, for it is an origin and not a page. The errors
// never repeat the text, which may hold a password by mistake.
func ParseVault(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New(`is not an address; write it as "https://vault.example.com"`)
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case u.Scheme == "wss":
		return nil, errors.New(`must begin with https:// (the shim itself knows about websockets)`)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New(`must begin with https://, as in "https://vault.example.com"`)
	case u.User != nil:
		return nil, errors.New("must have no user or password in it")
	case u.Hostname() == "" || strings.ContainsAny(u.Hostname(), " %"):
		return nil, errors.New(`names no host; write it as "https://vault.example.com"`)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return nil, errors.New("must end after the host and port, without path, query or fragment")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, errors.New("must begin with https://: without TLS only a vault on this computer can be used")
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("has a port that does not exist")
		}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
