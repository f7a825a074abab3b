package variables_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/variables"
)

const template = `<at:declarations><at:string at:name="Service &amp; co" /><at:list at:name="Team"><at:option at:value="SRE"/><at:option at:value="Ops"/></at:list></at:declarations>` +
	`<h1>Of <at:var at:name="Service &amp; co" /></h1><p><at:var at:name="Team" />, <at:var at:name="Undeclared"></at:var></p><p><at:var at:name="Team" /></p>`

func TestRead(t *testing.T) {
	got, err := variables.Read(template)
	want := []variables.Variable{{Name: "Service & co"}, {Name: "Team", Options: []string{"SRE", "Ops"}}, {Name: "Undeclared"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestFill(t *testing.T) {
	got, missing, err := variables.Fill(template, map[string]string{"Service & co": "a<b>\n&c", "Team": "SRE", "Other": "x"})
	want := `<h1>Of a&lt;b&gt;<br />&amp;c</h1><p>SRE, </p><p>SRE</p>`
	if got != want || err != nil || cmp.Diff([]string{"Undeclared"}, missing) != "" {
		t.Errorf("%s, without %q, %v", got, missing, err)
	}
	if got, _, _ := variables.Fill("<p>x</p>", nil); got != "<p>x</p>" {
		t.Error(got)
	}
	if _, _, err := variables.Fill("<p>", nil); err == nil {
		t.Error("a template that is not well-formed is filled in")
	}
}

// Many variables cost no more than their number, and no value makes a page that
// is too large to be one.
func TestFillIsBounded(t *testing.T) {
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `<at:var at:name="%d"/>`, i)
	}
	began := time.Now()
	all, err := variables.Read(many.String())
	_, missing, err2 := variables.Fill(many.String(), nil)
	if len(all) != 100_000 || len(missing) != 100_000 || err != nil || err2 != nil {
		t.Error(len(all), len(missing), err, err2)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	_, _, err = variables.Fill(strings.Repeat(`<at:var at:name="x"/>`, 10_000), map[string]string{"x": strings.Repeat("<", 10_000)})
	if !errors.Is(err, variables.ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
}

// FuzzFill: whatever the values are, they stay text.
func FuzzFill(f *testing.F) {
	f.Add(template, "Team", "</p><ac:structured-macro/>")
	f.Add(`<at:var at:name="x"/>`, "x", "]]>\x00&")
	f.Fuzz(func(t *testing.T, template, name, value string) {
		body, _, err := variables.Fill(template, map[string]string{name: value})
		if err != nil {
			return
		}
		plain, _, _ := variables.Fill(template, map[string]string{name: ""})
		if _, err := storage.Parse(body); err != nil && len(body) < storage.MaxSize {
			t.Fatalf("%q: %v", body, err)
		}
		if a, b := strings.Count(body, "<ac:"), strings.Count(plain, "<ac:"); a != b {
			t.Fatalf("%q has a macro that was not asked for", body)
		}
	})
}
