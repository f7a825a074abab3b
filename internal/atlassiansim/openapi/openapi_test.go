package openapi_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/openapi"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

const small = `{"openapi":"3.0.3","paths":{
 "/things/{id}":{
  "parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}],
  "put":{
   "parameters":[
    {"name":"need","in":"query","required":true,"schema":{"type":"boolean"}},
    {"name":"kind","in":"query","schema":{"type":"array","items":{"type":"string","enum":["a","b"]}}},
    {"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":250}}],
   "requestBody":{"$ref":"#/components/requestBodies/Thing"},
   "x-atlassian-oauth2-scopes":[{"scopes":["old"]},{"scopes":["new"]}],
   "responses":{"200":{"content":{"application/json":{"schema":{"allOf":[{"$ref":"#/components/schemas/Thing"},
     {"type":"object","required":["_links"],"properties":{"_links":{"type":"object","additionalProperties":{"type":"string"}}}}]}}}},"404":{}}}},
 "/things/fixed":{"get":{"responses":{"204":{}}}}},
"components":{
 "requestBodies":{"Thing":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}}},
 "schemas":{"Thing":{"type":"object","required":["title"],"properties":{
   "title":{"type":"string"},"n":{"type":"integer","nullable":true},"at":{"type":"string","format":"date-time"},
   "body":{"oneOf":[{"type":"object","properties":{"value":{"type":"string"}}},{"type":"object","properties":{"nested":{"type":"object"}}}]},
   "list":{"type":"array","maxItems":2,"items":{"type":"boolean"}}}}}}}`

func load(t *testing.T) *openapi.Spec {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"confluence-v1.json": `{"paths":{}}`, "confluence-v2.json": small} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := openapi.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	goodPath   = "/ex/confluence/cloud/wiki/api/v2/things/7?need=true"
	goodBody   = `{"title":"x"}`
	goodAnswer = `{"title":"x","_links":{"self":"/y"},"undocumented":1}`
)

func TestCheckExchange(t *testing.T) {
	s := load(t)
	for name, c := range map[string]struct {
		path, body string
		status     int
		answer     string
		want       string // part of the only problem; "" for none
	}{
		"all is well":            {goodPath, goodBody, 200, goodAnswer, ""},
		"the gateway's statuses": {goodPath, goodBody, 429, "<html>", ""},
		"no body described":      {goodPath, goodBody, 404, "<html>", ""},
		"everything at once":     {goodPath + "&kind=a,b&kind=a&limit=250", `{"title":"x","n":null,"at":"2026-10-01T10:00:00.000Z","body":{"nested":{}},"list":[true]}`, 200, goodAnswer, ""},
		"unknown path":           {"/wiki/api/v2/other", "", 200, "{}", "no such operation"},
		"unknown status":         {goodPath, goodBody, 418, "{}", "status 418"},
		"unknown parameter":      {goodPath + "&x=1", goodBody, 200, goodAnswer, "parameter x is not described"},
		"missing parameter":      {"/wiki/api/v2/things/7", goodBody, 200, goodAnswer, "parameter need is missing"},
		"parameter not in enum":  {goodPath + "&kind=a,c", goodBody, 200, goodAnswer, "none of [a b]"},
		"parameter too big":      {goodPath + "&limit=251", goodBody, 200, goodAnswer, "above 250"},
		"parameter not a number": {goodPath + "&limit=many", goodBody, 200, goodAnswer, "not integer"},
		"parameter given twice":  {goodPath + "&limit=1&limit=2", goodBody, 200, goodAnswer, "2 values"},
		"path not a number":      {"/wiki/api/v2/things/seven?need=true", goodBody, 200, goodAnswer, "not integer"},
		"no body":                {goodPath, "", 200, goodAnswer, "needs a body"},
		"body is not JSON":       {goodPath, "<p>", 200, goodAnswer, "not JSON"},
		"required member":        {goodPath, "{}", 200, goodAnswer, "lacks title"},
		"unknown member":         {goodPath, `{"title":"x","tilte":1}`, 200, goodAnswer, "tilte"},
		"wrong type":             {goodPath, `{"title":7}`, 200, goodAnswer, "not string"},
		"null":                   {goodPath, `{"title":null}`, 200, goodAnswer, "is null"},
		"fraction":               {goodPath, `{"title":"x","n":1.5}`, 200, goodAnswer, "whole"},
		"no date":                {goodPath, `{"title":"x","at":"yesterday"}`, 200, goodAnswer, "date"},
		"none of":                {goodPath, `{"title":"x","body":{"third":1}}`, 200, goodAnswer, "none of the 2"},
		"too long":               {goodPath, `{"title":"x","list":[true,true,true]}`, 200, goodAnswer, "more than 2"},
		"element":                {goodPath, `{"title":"x","list":["x"]}`, 200, goodAnswer, "list.0"},
		"answer lacks a member":  {goodPath, goodBody, 200, `{"title":"x"}`, "lacks _links"},
		"answer of wrong type":   {goodPath, goodBody, 200, `{"title":"x","_links":{"self":1}}`, "_links.self"},
		"answer is not JSON":     {goodPath, goodBody, 200, "<html>", "not JSON"},
		"answer is null":         {goodPath, goodBody, 200, "null", ""},
	} {
		t.Run(name, func(t *testing.T) {
			problems := s.CheckExchange(httptest.NewRequest("PUT", c.path, nil), []byte(c.body), c.status, []byte(c.answer))
			switch {
			case name == "answer is null":
				if len(problems) == 0 {
					t.Error("nothing wrong with null")
				}
			case c.want == "" && len(problems) > 0:
				t.Errorf("found %v", problems)
			case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Error(), c.want)):
				t.Errorf("found %v, want only one about %q", problems, c.want)
			}
		})
	}
}

func TestFixedPathsWin(t *testing.T) {
	if problems := load(t).CheckExchange(httptest.NewRequest("GET", "/wiki/api/v2/things/fixed", nil), nil, 204, nil); problems != nil {
		t.Error(problems)
	}
}

func TestScopes(t *testing.T) {
	s := load(t)
	got, err := s.Scopes("PUT", "/wiki/api/v2/things/7")
	if err != nil || !slices.Equal(got, []string{"old", "new"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := s.Scopes("PATCH", "/wiki/api/v2/things/7"); !errors.Is(err, openapi.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// The real files are read, and what was removed from v1 is not in them.
func TestAtlassiansFiles(t *testing.T) {
	s, err := openapi.Load(testenv.OpenAPI(t))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/wiki/api/v2/pages/7": "read:page:confluence", "/wiki/rest/api/search": "search:confluence", "/wiki/rest/api/content/7": "",
	} {
		got, err := s.Scopes("GET", path)
		if want == "" && !errors.Is(err, openapi.ErrUnknown) || want != "" && !slices.Contains(got, want) {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
}
