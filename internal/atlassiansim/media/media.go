// Package media is the service that serves the content of files to whoever has
// a signed address. The real one is another host, so a token must not come
// along.
package media

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Prefix is the path below which files are served.
const Prefix = "/_media/"

// Address is the signed address of a file, as seen from a request.
func Address(r *http.Request, name string) string {
	return host(r) + Prefix + url.PathEscape(name) + "?token=signed"
}

// host is this server under another name, so that it is another origin.
func host(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	if rest, ok := strings.CutPrefix(r.Host, "127.0.0.1"); ok {
		return scheme + "localhost" + rest
	}
	return scheme + "media." + r.Host
}

// Serve answers with a file. A request with a token is refused.
func Serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" || r.URL.Query().Get("token") != "signed" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	name := path.Base(r.URL.Path)
	w.Header().Set("Content-Type", Type(name))
	_, _ = w.Write(Content(name)) // the caller has gone: nothing to do
}

// Type is the media type of a file by its name.
func Type(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".png":
		return "image/png"
	case ".svg":
		return "image/svg+xml"
	case ".csv":
		return "text/csv"
	case ".pdf":
		return "application/pdf"
	}
	return "application/octet-stream"
}

// Content is the made-up content of a file.
func Content(name string) []byte {
	return []byte("This is " + name + " of the simulated Atlassian.\n" + strings.Repeat(name+"\n", 64))
}
