package policy_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

func rules(t *testing.T, allowed, denied string) *policy.Policy {
	t.Helper()
	list := func(text string) []string {
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	}
	p, err := policy.New(policy.Rules{Access: policy.Access{AllowedSpaces: list(allowed), DeniedSpaces: list(denied)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func table(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/policy.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range txtar.Parse(data).Files {
		if file.Name == name {
			return strings.Split(strings.TrimSpace(string(file.Data)), "\n")
		}
	}
	t.Fatalf("no table %s", name)
	return nil
}

func TestSpaces(t *testing.T) {
	for _, line := range table(t, "spaces") {
		cells := strings.Split(line, "|")
		err := rules(t, cells[0], cells[1]).Space(strings.TrimSpace(cells[2]))
		if want := strings.TrimSpace(cells[3]) == "yes"; (err == nil) != want || err != nil && !errors.Is(err, policy.ErrDenied) {
			t.Errorf("%s: got %v", line, err)
		}
	}
	var none *policy.Policy
	if none.Space("OPS") == nil {
		t.Error("without a policy something is allowed")
	}
	if _, err := none.CQL("type = page"); !errors.Is(err, policy.ErrDenied) {
		t.Error("without a policy something can be searched")
	}
}

func TestChanges(t *testing.T) {
	for _, tt := range []struct {
		access policy.Access
		spaces []string
		may    bool
	}{
		{policy.Access{}, nil, true},
		{policy.Access{}, []string{"ENG"}, true},
		{policy.Access{ReadOnly: true}, nil, false},
		{policy.Access{ReadOnlySpaces: []string{"eng", "~Ada"}}, []string{"OPS", "ENG"}, false},
		{policy.Access{ReadOnlySpaces: []string{"eng", "~Ada"}}, []string{"~ada"}, false},
		{policy.Access{ReadOnlySpaces: []string{"eng", "~Ada"}}, []string{"OPS"}, true},
	} {
		p, err := policy.New(policy.Rules{Access: tt.access})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Change(tt.spaces); (err == nil) != tt.may || err != nil && !errors.Is(err, policy.ErrDenied) {
			t.Errorf("%+v, %v: %v", tt.access, tt.spaces, err)
		}
	}
	if (*policy.Policy)(nil).Change(nil) == nil {
		t.Error("without a policy something may be changed")
	}
	if _, err := policy.New(policy.Rules{Access: policy.Access{ReadOnlySpaces: []string{"no space"}}}); err == nil || !strings.Contains(err.Error(), "access.read_only_spaces") {
		t.Errorf("a key that is none: %v", err)
	}
}

func TestCQL(t *testing.T) {
	for _, line := range table(t, "cql") {
		question, want, _ := strings.Cut(line, "=> ")
		cells := strings.SplitN(question, "|", 3)
		got, err := rules(t, cells[0], cells[1]).CQL(strings.TrimSpace(cells[2]))
		var refusal *policy.QueryError
		if errors.As(err, &refusal) {
			got = "! " + refusal.Problem
		}
		if got != want {
			t.Errorf("%s\n got %s", line, got)
		}
	}
}

func TestCQLIsNarrowedByTrustedClauses(t *testing.T) {
	got, err := rules(t, "", "LEGAL").CQL("a = 1 OR b = 2 ORDER BY created", "space = "+policy.Quote(`O"P\S`))
	if want := `(a = 1 OR b = 2) AND space = "O\"P\\S" AND space NOT IN ("LEGAL") ORDER BY created`; got != want || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestQueriesAreLimited(t *testing.T) {
	p := rules(t, "", "")
	for _, query := range []string{strings.Repeat("a ", policy.MaxQuery), strings.Repeat("(", 21) + strings.Repeat(")", 21), "a = \xff", "a = \"\x00\"", "a\x00"} {
		if _, err := p.CQL(query); !errors.Is(err, policy.ErrQuery) {
			t.Errorf("%.20q: %v", query, err)
		}
	}
}

func TestAllProblemsOfSettingsAtOnce(t *testing.T) {
	_, err := policy.New(policy.Rules{Access: policy.Access{AllowedSpaces: []string{"A B", "OK"}, DeniedSpaces: []string{`x"y`, ""}}})
	for _, want := range []string{"access.allowed_spaces", "A B", "access.denied_spaces", `x\"y`, `""`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestTerms(t *testing.T) {
	for text, want := range map[string]string{
		"vpn setup":               `vpn setup`,
		`"exact words" here`:      `"exact words" here`,
		`x" OR space=DENY OR "`:   `x" OR space=DENY OR "`,
		`x" OR space=DENY`:        `x OR space=DENY`,
		`a\" OR (b)`:              `a OR b`,
		"“smart quotes”":          `"smart quotes"`,
		"deploy* *all -not +must": `deploy* all not must`,
		"a\nb\x00c":               `a b c`,
		" \n ":                    "",
		`"" ()`:                   "",
	} {
		got := policy.Terms(text)
		if got != want {
			t.Errorf("%q\n got %s\nwant %s", text, got, want)
		}
		if got != "" {
			if _, err := rules(t, "", "").CQL("siteSearch ~ " + policy.Quote(got)); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

// FuzzCQL: whatever a person writes, it stays inside the parentheses that
// the policy puts around it, read by a reader that knows only strings and
// parentheses.
func FuzzCQL(f *testing.F) {
	data, err := os.ReadFile("testdata/policy.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		if question, _, ok := strings.Cut(line, "=> "); ok {
			f.Add(question[strings.LastIndex(question, "|")+1:])
		}
	}
	p, err := policy.New(policy.Rules{Access: policy.Access{DeniedSpaces: []string{"LEGAL"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, query := range []string{query, "siteSearch ~ " + policy.Quote(policy.Terms(query))} {
			got, err := p.CQL(query)
			if err != nil {
				if got != "" || !errors.Is(err, policy.ErrQuery) {
					t.Fatalf("%q, %v", got, err)
				}
				continue
			}
			end := closing(got)
			if end < 0 || !strings.HasPrefix(got[end:], `) AND space NOT IN ("LEGAL")`) {
				t.Fatalf("%q became %q", query, got)
			}
			if rest := got[end+len(`) AND space NOT IN ("LEGAL")`):]; rest != "" && (!strings.HasPrefix(rest, " ORDER BY ") || strings.ContainsAny(rest, `()"=<>~!`)) {
				t.Fatalf("%q is followed by %q", query, rest)
			}
		}
	})
}

// closing finds what closes the parenthesis that text begins with.
func closing(text string) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
