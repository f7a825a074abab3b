// Package reply writes answers in the shapes that Confluence, its gateway and
// the servers before them use. There are several.
package reply

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Trace adds the headers that are on every answer, whoever gave it.
func Trace(h http.Header) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	text := hex.EncodeToString(id[:])
	h.Set("Atl-Traceid", text)
	h.Set("Atl-Request-Id", strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-"))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Xss-Protection", "1; mode=block")
}

// JSON answers with a body.
func JSON(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic("reply: an answer that cannot be encoded: " + err.Error()) // they are ours
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the caller has gone: nothing to do
}

// HTML is what edges and proxies answer with.
func HTML(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!doctype html><html><head><title>"+title+"</title></head><body><center><h1>"+title+"</h1></center><hr><center>AtlassianEdge (simulated)</center></body></html>\n") // as in JSON
}

// Gateway is an error in the gateway's own shape.
func Gateway(w http.ResponseWriter, status int, message string) {
	JSON(w, status, struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{status, message})
}

// NotPermitted is for people without a licence or a site outside of the grant.
func NotPermitted(w http.ResponseWriter) {
	JSON(w, http.StatusForbidden, struct {
		Message    string `json:"message"`
		StatusCode int    `json:"statusCode"`
	}{"Current user not permitted to use Confluence", http.StatusForbidden})
}

type v2Error struct {
	Status int     `json:"status"`
	Code   string  `json:"code"`
	Title  string  `json:"title"`
	Detail *string `json:"detail"`
}

// V2 is an error of v2.
func V2(w http.ResponseWriter, status int, code, title string) {
	JSON(w, status, struct {
		Errors []v2Error `json:"errors"`
	}{[]v2Error{{Status: status, Code: code, Title: title}}})
}

// V1 is an error of v1.
func V1(w http.ResponseWriter, status int, message string) {
	type data struct {
		Authorized bool  `json:"authorized"`
		Valid      bool  `json:"valid"`
		Errors     []any `json:"errors"`
		Successful bool  `json:"successful"`
	}
	JSON(w, status, struct {
		StatusCode int    `json:"statusCode"`
		Data       data   `json:"data"`
		Message    string `json:"message"`
	}{status, data{true, true, []any{}, true}, message})
}
