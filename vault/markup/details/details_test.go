package details_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/details"
)

func macro(inside string) string {
	return `<p>before</p><ac:structured-macro ac:name="details"><ac:parameter ac:name="id">facts</ac:parameter><ac:rich-text-body>` + inside + `</ac:rich-text-body></ac:structured-macro>`
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want []details.Row
	}{
		"keys in the first column": {
			macro(`<table><tbody><tr><th><p>Owner</p></th><td><p>Ada &amp; Ben</p></td></tr><tr><th>State</th><td><strong>Live</strong></td><td>ignored</td></tr></tbody></table>`),
			[]details.Row{{"facts", "Owner", "<p>Ada &amp; Ben</p>"}, {"facts", "State", "<strong>Live</strong>"}},
		},
		"keys in the first row": {
			macro(`<table><tbody><tr><th>Owner</th><th>State</th></tr><tr><td>Ada</td><td>Live</td></tr></tbody></table>`),
			[]details.Row{{"facts", "Owner", "Ada"}, {"facts", "State", "Live"}},
		},
		"a header in each of the two cells of the only row": {
			macro(`<table><tr><th>Owner</th><th>Ada</th></tr></table>`),
			[]details.Row{{"facts", "Owner", "Ada"}},
		},
		"inside of a layout and with a table in a cell": {
			`<ac:layout><ac:layout-section><ac:layout-cell>` + macro(`<div><table><tr><th>Hosts</th><td><table><tr><th>inner</th><td>1</td></tr></table></td></tr></table></div>`) + `</ac:layout-cell></ac:layout-section></ac:layout>`,
			[]details.Row{{"facts", "Hosts", "<table><tr><th>inner</th><td>1</td></tr></table>"}},
		},
		"tables outside and macros without a body": {
			`<table><tr><th>no</th><td>1</td></tr></table><ac:structured-macro ac:name="details" />`, nil,
		},
		"a key without text": {macro(`<table><tr><th> </th><td>1</td></tr></table>`), nil},
	} {
		got, err := details.Read(c.body)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
	if _, err := details.Read("<p>"); err == nil {
		t.Error("a page that is not well-formed has properties")
	}
}

func TestReadIsBounded(t *testing.T) {
	rows, err := details.Read(macro("<table>" + strings.Repeat("<tr><th>k</th><td>v</td></tr>", 1000) + "</table>"))
	if err != nil || len(rows) != 200 {
		t.Errorf("%d rows, %v; want 200", len(rows), err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(macro(`<table><tr><th>a</th><td>b</td></tr></table>`))
	f.Fuzz(func(t *testing.T, body string) {
		rows, err := details.Read(body)
		if err != nil && rows != nil {
			t.Error("an error with rows")
		}
		for _, r := range rows {
			if !strings.Contains(body, r.Value) {
				t.Errorf("%q is not of the page", r.Value)
			}
		}
	})
}
