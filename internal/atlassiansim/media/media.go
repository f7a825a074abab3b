// Package media keeps the files of the simulated Confluence and is the service
// that serves their content to whoever has a signed address. The real one is
// another host, so a token must not come along.
package media

import (
	"fmt"
	"io"
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

// Stored is the signed address of a version of a file that was uploaded.
func Stored(r *http.Request, f File, v Version) string {
	return fmt.Sprintf("%s%s%d/%d?token=signed", host(r), Prefix, f.ID, v.Number)
}

// ServeHTTP implements http.Handler: it answers with the content of a file. A
// request with a token is refused.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" || r.URL.Query().Get("token") != "signed" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	id, number, two := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	if name, v, ok := s.version(id, number); two && ok {
		w.Header().Set("Content-Type", v.MediaType)
		w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(name))
		http.ServeContent(w, r, "", v.Created, io.NewSectionReader(v.content, 0, v.Size))
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
