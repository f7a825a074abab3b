package arguments_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
)

type in struct {
	Page     arguments.Ref `json:"page"`
	Space    string        `json:"space,omitempty"`
	MaxChars int           `json:"max_chars,omitempty"`
	Expected int           `json:"expected_version,omitempty"`
}

func TestRead(t *testing.T) {
	for text, want := range map[string]in{
		`{"page":"x"}`: {Page: "x"},
		`{"page":123}`: {Page: "123"},
		` {"page" : "1", "space": null, "max_chars": null} `:   {Page: "1"},
		`{"page":"1","max_chars":"10","expected_version":3.0}`: {Page: "1", MaxChars: 10, Expected: 3},
		`{"page":"1","max_chars":-5}`:                          {Page: "1", MaxChars: -5},
	} {
		if got, err := arguments.Of[in]().Read(json.RawMessage(text)); got != want || err != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		``:                                      `"page" is missing. It takes: page, space, max_chars, expected_version`,
		`[1]`:                                   `not a JSON object`,
		`{"page":""}`:                           `"page" is empty`,
		`{"page":"1","space":"\u0000"}`:         `"space" is empty or has characters`,
		`{"page":{}}`:                           `"page" must be a text or a whole number`,
		`{"page":1.5}`:                          `"page" must be a text or a whole number`,
		`{"page":"1","max_chars":1.5}`:          `"max_chars" must be a whole number`,
		`{"page":"1","max_chars":true}`:         `"max_chars" must be a whole number`,
		`{"page":"1","max_chars":1e99}`:         `"max_chars" must be a whole number`,
		`{"page":"1","space":5}`:                `"space" must be a text`,
		`{"pageId":"1"}`:                        `no argument "pageId". Did you mean "page"?`,
		`{"Page":"1"}`:                          `no argument "Page". Did you mean "page"?`,
		`{"version":1}`:                         `Did you mean "expected_version"?`,
		`{"maxChars":1}`:                        `Did you mean "max_chars"?`,
		`{"spcae":1}`:                           `Did you mean "space"?`,
		`{"zzz":1,"yyy":2}`:                     `There are no arguments "yyy", "zzz". It takes`,
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}`: `"e", ….`,
		`{"` + strings.Repeat("n", 1000) + `":1}`: strings.Repeat("n", 40) + "…",
	} {
		if _, err := arguments.Of[in]().Read(json.RawMessage(text)); err == nil || !strings.Contains(usererr.Text(err, ""), want) {
			t.Errorf("%.60s: %s, want %s", text, usererr.Text(err, ""), want)
		}
	}
}

func TestLimits(t *testing.T) {
	for value, want := range map[int]int{0: 10, 1: 1, 50: 50, 51: -1, -1: -1} {
		got, err := arguments.Within("limit", value, 10, 1, 50)
		if want >= 0 && (got != want || err != nil) || want < 0 && err == nil {
			t.Errorf("%d: %d, %v", value, got, err)
		}
	}
	for text, ok := range map[string]bool{"": true, "Ünï": true, "1234567": false, "a\nb": false, "a\tb": false, "\x7f": false} {
		if err := arguments.OneLine("title", text, 6); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzArguments: whatever comes, it is read or refused in words; names may be
// repeated, shortened, values never.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, ``, `[]`, `{"page": 12}`, `{"page": "x", "limit": "3", "max_chars": 1e3}`, `{"pageId": "SECRETVALUE"}`, `{"query": {"SECRETVALUE": 1}}`,
		`{"space":"ENG","title":"T","body":"B"}`, `{"page":"1","expected_version":1,"body":"B\u0000"}`, `{"limit": 99999999999999999999}`, `{"é": 1, "éé": 2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := arguments.Of[in]().Read(json.RawMessage(data))
		if err == nil {
			return
		}
		said := usererr.Text(err, "")
		if usererr.CodeOf(err) != usererr.BadInput || !utf8.ValidString(said) || len(said) > 2000 {
			t.Errorf("%q: %v", data, err)
		}
		var members map[string]json.RawMessage
		_ = json.Unmarshal(data, &members)
		for name, value := range members {
			if strings.Contains(string(value), "SECRETVALUE") && !strings.Contains(name, "SECRETVALUE") && strings.Contains(said, "SECRETVALUE") && len(members) == 1 {
				t.Errorf("%q is repeated in %q", value, said)
			}
		}
	})
}

type more struct {
	DryRun bool            `json:"dry_run,omitempty"`
	Names  []string        `json:"names,omitempty"`
	Pages  []arguments.Ref `json:"pages"`
}

func TestReadSwitchesAndLists(t *testing.T) {
	for text, want := range map[string]more{
		`{"pages":["1",2],"dry_run":true}`:                 {DryRun: true, Pages: []arguments.Ref{"1", "2"}},
		`{"pages":7,"dry_run":"True","names":["a b","c"]}`: {DryRun: true, Names: []string{"a b", "c"}, Pages: []arguments.Ref{"7"}},
		`{"pages":[],"dry_run":false,"names":"a"}`:         {Names: []string{"a"}, Pages: []arguments.Ref{}},
	} {
		if got, err := arguments.Of[more]().Read(json.RawMessage(text)); cmp.Diff(want, got) != "" || err != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		`{}`:                            `"pages" is missing`,
		`{"pages":"1","dry_run":"yes"}`: `"dry_run" must be true or false`,
		`{"pages":"1","dry_run":{}}`:    `"dry_run" must be true or false`,
		`{"pages":["1",{}]}`:            `"pages" must be a list of texts`,
		`{"pages":["1",null]}`:          `"pages" must be a list of texts`,
		`{"pages":["1",""]}`:            `"pages" is empty`,
		`{"pages":[` + strings.Repeat(`"1",`, 300) + `"1"]}`: `"pages" may have at most 300 members`,
	} {
		if _, err := arguments.Of[more]().Read(json.RawMessage(text)); err == nil || !strings.Contains(usererr.Text(err, ""), want) {
			t.Errorf("%.60s: %s, want %s", text, usererr.Text(err, ""), want)
		}
	}
}

func TestOneOf(t *testing.T) {
	for value, want := range map[string]string{"": "full", "full": "full", " Outline ": "outline", "x": ""} {
		if got, err := arguments.OneOf("view", value, "full", "outline"); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", value, got, err)
		}
	}
}
