package rest

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// traceHeaders are on every answer, whoever gave it.
func traceHeaders(h http.Header) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	text := hex.EncodeToString(id[:])
	h.Set("Atl-Traceid", text)
	h.Set("Atl-Request-Id", strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-"))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Xss-Protection", "1; mode=block")
}

// when is a time as Confluence writes it.
func when(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

func write(w io.Writer, text string) {
	_, _ = io.WriteString(w, text) // the caller has gone: nothing to do
}

func escape(text string) string { return html.EscapeString(text) }

func writeJSON(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic("rest: an answer that cannot be encoded: " + err.Error()) // they are ours
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the caller has gone: nothing to do
}

// htmlPage is what edges and proxies answer with.
func htmlPage(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(status)
	write(w, "<!doctype html><html><head><title>"+title+"</title></head><body><center><h1>"+title+"</h1></center><hr><center>AtlassianEdge (simulated)</center></body></html>\n")
}

// gatewayError is the gateway's own shape.
func gatewayError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{status, message})
}

// notPermitted is for people without a licence or a site outside of the grant.
type notPermitted struct {
	Message    string `json:"message"`
	StatusCode int    `json:"statusCode"`
}

type v2Error struct {
	Status int     `json:"status"`
	Code   string  `json:"code"`
	Title  string  `json:"title"`
	Detail *string `json:"detail"`
}

func writeV2Error(w http.ResponseWriter, status int, code, title string) {
	writeJSON(w, status, struct {
		Errors []v2Error `json:"errors"`
	}{[]v2Error{{Status: status, Code: code, Title: title}}})
}

func writeV1Error(w http.ResponseWriter, status int, message string) {
	type data struct {
		Authorized bool  `json:"authorized"`
		Valid      bool  `json:"valid"`
		Errors     []any `json:"errors"`
		Successful bool  `json:"successful"`
	}
	writeJSON(w, status, struct {
		StatusCode int    `json:"statusCode"`
		Data       data   `json:"data"`
		Message    string `json:"message"`
	}{status, data{true, true, []any{}, true}, message})
}

// fail writes an error in the shape of the API's version.
func (c *call) fail(w http.ResponseWriter, err error) {
	var known *wiki.Error
	if !errors.As(err, &known) {
		known = &wiki.Error{Status: http.StatusInternalServerError, Code: "INTERNAL_SERVER_ERROR", Title: "Internal Server Error"}
	}
	if strings.HasPrefix(c.URL.Path, v2) {
		writeV2Error(w, known.Status, known.Code, known.Title)
		return
	}
	class := map[int]string{http.StatusBadRequest: "BadRequestException", http.StatusNotFound: "NotFoundException"}[known.Status]
	if class == "" {
		class = "ServiceException"
	}
	writeV1Error(w, known.Status, "com.atlassian.confluence.api.service.exceptions.api."+class+": "+known.Title)
}
