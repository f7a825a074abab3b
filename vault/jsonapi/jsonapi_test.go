package jsonapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/jsonapi"
)

func TestRead(t *testing.T) {
	type body struct {
		A int `json:"a"`
	}
	reader := jsonapi.Reader{NotJSON: "say so", TooLarge: "send less", Other: "look"}
	for name, test := range map[string]struct {
		kind, text string
		strict     bool
		code       usererr.Code
		hint       string
	}{
		"good":                {"application/json", `{"a":1}`, true, "", ""},
		"with a charset":      {"application/json; charset=utf-8", ` {"a":1} `, false, "", ""},
		"more members":        {"application/json", `{"a":1,"canary":2}`, false, "", ""},
		"more, but strict":    {"application/json", `{"a":1,"canary":2}`, true, usererr.BadInput, "look"},
		"of no kind":          {"", `{"a":1}`, false, usererr.BadInput, "say so"},
		"of another kind":     {"text/plain", `{"a":1}`, false, usererr.BadInput, "say so"},
		"no JSON":             {"application/json", "canary", false, usererr.BadInput, "look"},
		"nothing":             {"application/json", "", false, usererr.BadInput, "look"},
		"two values":          {"application/json", `{"a":1}{"a":2}`, false, usererr.BadInput, "look"},
		"something behind it": {"application/json", `{"a":1} canary`, false, usererr.BadInput, "look"},
		"too much":            {"application/json", `{"a":1,"b":"` + strings.Repeat("x", 2000) + `"}`, false, usererr.TooLarge, "send less"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.text))
			r.Body = http.MaxBytesReader(nil, r.Body, 1000)
			r.Header.Set("Content-Type", test.kind)
			reader.Strict = test.strict
			var into body
			err := reader.Read(r, &into)
			if usererr.CodeOf(err) != test.code || err == nil && into.A != 1 {
				t.Errorf("Read = %v, %+v", err, into)
			}
			if why, ok := usererr.From(err); ok && (why.Hint != test.hint || strings.Contains(err.Error(), "canary")) {
				t.Errorf("Read = %v with the hint %q", err, why.Hint)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	for code, want := range map[usererr.Code]int{usererr.BadInput: 400, usererr.Denied: 403, usererr.TooLarge: 413, usererr.Unavailable: 503, usererr.Internal: 500, "": 500} {
		if got := jsonapi.Status(code); got != want {
			t.Errorf("Status(%q) = %d, want %d", code, got, want)
		}
	}
}
