package loss_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/loss"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

func TestBetween(t *testing.T) {
	const (
		toc     = `<ac:structured-macro ac:name="toc"><ac:parameter ac:name="maxLevel">2</ac:parameter></ac:structured-macro>`
		comment = `<p>The <ac:inline-comment-marker ac:ref="5d0c">TTL</ac:inline-comment-marker> is 1 h.</p>`
		red     = `<p><span style="color: red;">Stop at once</span> please</p>`
		include = `<ac:structured-macro ac:name="include"><ac:parameter ac:name="">Plan #`
		end     = `</ac:parameter></ac:structured-macro>`
		excerpt = `<ac:structured-macro ac:name="excerpt"><ac:rich-text-body><p>x</p></ac:rich-text-body></ac:structured-macro>`
		panel   = `<ac:structured-macro ac:name="panel"><ac:parameter ac:name="bgColor">#fff</ac:parameter><ac:rich-text-body><p>Vault owner</p></ac:rich-text-body></ac:structured-macro>`
		table   = `<table data-layout="wide"><colgroup><col style="width: 9px;"/><col/></colgroup><tbody><tr><td data-highlight-colour="#fff"><p>db1</p></td></tr></tbody></table>`
	)
	for name, test := range map[string]struct {
		before, after string
		want          []string
	}{
		"nothing":                      {toc + comment + red, toc + comment + red, nil},
		"a macro":                      {toc + "<p>a</p>", "<p>a</p>", []string{"[[confluence:toc maxLevel=2]]"}},
		"a macro that moved":           {toc + excerpt, excerpt + toc, nil},
		"one of two":                   {toc + toc, toc, []string{"[[confluence:toc maxLevel=2]]"}},
		"a frame":                      {excerpt, "<p>x</p>", []string{"[[confluence:excerpt]]"}},
		"a comment":                    {comment, "<p>The TTL is 1 h.</p>", []string{"inline comment on “TTL”"}},
		"a comment and its text":       {comment, "<p>x</p>", []string{"inline comment on “TTL”"}},
		"a comment whose text changed": {comment, `<p><ac:inline-comment-marker ac:ref="5d0c">expiry</ac:inline-comment-marker></p>`, nil},
		"a comment on nothing":         {comment, `<p>The <ac:inline-comment-marker ac:ref="5d0c"><strong> </strong></ac:inline-comment-marker> is 1 h</p>`, []string{"inline comment on “TTL”"}},
		"a macro of another number":    {include + "1" + end + include + "2" + end, include + "1" + end + include + "1" + end, []string{"[[confluence:include Plan #2]]"}},
		"a look":                       {red, "<p>Stop at once please</p>", []string{"colour of “Stop at once”"}},
		"a look and its text":          {red, "<p>please</p>", nil},
		"a look whose text changed":    {red, `<p><span style="color: red;">Stop now</span></p>`, nil},
		"alignment":                    {`<h2 style="text-align: center;">A title</h2>`, "<h2>A title</h2>", []string{"alignment of “A title”"}},
		"indentation":                  {`<p style="margin-left: 30px;">text</p>`, "<p>text</p>", []string{"indentation of “text”"}},
		"a panel's look":               {panel, `<ac:structured-macro ac:name="panel"><ac:rich-text-body><p>Vault owner</p></ac:rich-text-body></ac:structured-macro>`, []string{"panel style of “Vault owner”"}},
		"a table's looks":              {table, "<table><tbody><tr><td><p>db1</p></td></tr></tbody></table>", []string{"table layout of “db1”", "column width “db1”", "colour of “db1”"}},
		"what Markdown shows":          {`<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[x]]></ac:plain-text-body></ac:structured-macro><hr/>`, "<p>y</p>", nil},
		"everything":                   {toc + comment, "", []string{"[[confluence:toc maxLevel=2]]", "inline comment on “TTL”"}},
	} {
		t.Run(name, func(t *testing.T) {
			before, err1 := storage.Parse(test.before)
			after, err2 := storage.Parse(test.after)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if diff := cmp.Diff(test.want, loss.Between(before, after)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
