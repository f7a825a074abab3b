package section_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/section"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

const page = `<p>Intro</p><h1>Plan &amp; <strong>goals</strong></h1><p>a</p><h2>Steps</h2><p>one</p>` +
	`<ac:structured-macro ac:name="expand"><ac:parameter ac:name="title">More</ac:parameter><ac:rich-text-body><p>x</p><h2>Steps</h2><p>in</p><h3>Deep</h3><p>d</p></ac:rich-text-body></ac:structured-macro>` +
	`<h3>Owner</h3><p>o</p><h1>Ünïcode 数</h1><h1>!?</h1><p>end</p>`

func read(t testing.TB, body string) section.Outline {
	t.Helper()
	o, err := section.Read(body)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func one(t testing.TB, o section.Outline, name string) section.Section {
	t.Helper()
	found := o.Find(name)
	if len(found) != 1 {
		t.Fatalf("%d sections are called %q", len(found), name)
	}
	return found[0]
}

func TestOutline(t *testing.T) {
	o := read(t, page)
	var got []string
	for _, s := range o.Sections {
		got = append(got, fmt.Sprintf("%d %s %q %d", s.Level, s.ID, s.Title, len(o.Cut(s))))
	}
	steps := strings.Index(page, "<h2>Steps")
	want := []string{
		`0 _top "" 12`,
		fmt.Sprintf(`1 plan-goals "Plan & goals" %d`, strings.Index(page, "<h1>Ün")-12),
		fmt.Sprintf(`2 steps "Steps" %d`, strings.Index(page, "<h1>Ün")-steps),
		fmt.Sprintf(`2 steps~2 "Steps" %d`, len(`<h2>Steps</h2><p>in</p><h3>Deep</h3><p>d</p>`)),
		fmt.Sprintf(`3 deep "Deep" %d`, len(`<h3>Deep</h3><p>d</p>`)),
		fmt.Sprintf(`3 owner "Owner" %d`, len(`<h3>Owner</h3><p>o</p>`)),
		fmt.Sprintf(`1 ünïcode-数 "Ünïcode 数" %d`, len(`<h1>Ünïcode 数</h1>`)),
		fmt.Sprintf(`1 section "!?" %d`, len(`<h1>!?</h1><p>end</p>`)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if leaf := one(t, o, "steps"); !strings.HasSuffix(page[:leaf.Leaf], "</ac:structured-macro>") {
		t.Errorf("what is below Steps itself ends with …%s", page[leaf.Leaf-20:leaf.Leaf])
	}
	if len(o.Find("Steps")) != 2 || len(o.Find("nothing")) != 0 || one(t, o, "#owner").Title != "Owner" || one(t, o, " OWNER ").ID != "owner" {
		t.Error("sections are not found by their names")
	}
}

func TestOutlineOfFrames(t *testing.T) {
	for body, want := range map[string]string{
		``:                  ``,
		`<p>no heading</p>`: `_top`,
		`<h2>a</h2>`:        `a`,
		` <h2>a</h2>`:       `a`,
		`<p/><h2>a</h2>`:    `_top a`,
		`<h2>a</h2><h2/>`:   `a section`,
		`<h7>a</h7><hr/>`:   `_top`,
		`<ac:layout><ac:layout-section><ac:layout-cell><h1>L</h1></ac:layout-cell><ac:layout-cell><p>r</p><h1>R</h1></ac:layout-cell></ac:layout-section></ac:layout>`: `l r`,
		`<ac:adf-extension><ac:adf-node><ac:adf-content><h2>in</h2></ac:adf-content></ac:adf-node><ac:adf-fallback><h2>in</h2></ac:adf-fallback></ac:adf-extension>`:   `in`,
		`<table><tbody><tr><td><h3>cell</h3></td></tr></tbody></table><h2>b</h2>`:                                                                                      `_top cell b`,
		`<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[<h1>no</h1>]]></ac:plain-text-body></ac:structured-macro>`:                                   `_top`,
	} {
		var ids []string
		for _, s := range read(t, body).Sections {
			ids = append(ids, s.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	if _, err := section.Read("<p>"); err == nil {
		t.Error("a body that is not well-formed has sections")
	}
}

func TestEdits(t *testing.T) {
	o := read(t, page)
	for name, c := range map[string]struct {
		edit section.Edit
		want string
	}{
		"below the heading": {o.Replace(one(t, o, "owner"), "<p>new</p>"), strings.Replace(page, "<p>o</p>", "<p>new</p>", 1)},
		"with the heading":  {o.Replace(one(t, o, "owner"), "<h3>Owners</h3>"), strings.Replace(page, "<h3>Owner</h3><p>o</p>", "<h3>Owners</h3>", 1)},
		"in a frame":        {o.Replace(one(t, o, "deep"), "<p>D</p>"), strings.Replace(page, "<p>d</p>", "<p>D</p>", 1)},
		"the top":           {o.Replace(one(t, o, "_top"), "<p>T</p>"), strings.Replace(page, "<p>Intro</p>", "<p>T</p>", 1)},
		"before":            {o.Before(one(t, o, "owner"), "<p>n</p>"), strings.Replace(page, "<h3>Owner", "<p>n</p><h3>Owner", 1)},
		"after":             {o.After(one(t, o, "steps"), "<p>n</p>"), strings.Replace(page, "<h1>Ün", "<p>n</p><h1>Ün", 1)},
		"append":            {o.Append("<p>n</p>"), page + "<p>n</p>"},
		"prepend":           {o.Prepend("<p>n</p>"), "<p>n</p>" + page},
	} {
		if diff := cmp.Diff(c.want, section.Apply(page, c.edit)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestEditsOfLayouts(t *testing.T) {
	const open, cell, end = `<ac:layout> <ac:layout-section ac:type="two_equal">`, `<ac:layout-cell>`, `</ac:layout-cell>`
	const shut = `</ac:layout-section></ac:layout>`
	for body, want := range map[string][2]string{
		open + cell + `a` + end + cell + `b` + end + shut + "\n": {open + cell + `Na` + end + cell + `b` + end + shut + "\n", open + cell + `a` + end + cell + `bN` + end + shut + "\n"},
		open + `<ac:layout-cell />` + shut:                       {open + cell + `N` + end + shut, open + cell + `N` + end + shut},
		`<p/>` + open + cell + end + shut:                        {`N<p/>` + open + cell + end + shut, `<p/>` + open + cell + `N` + end + shut},
		open + shut:                                              {`N` + open + shut, open + shut + `N`},
		``:                                                       {`N`, `N`},
	} {
		o := read(t, body)
		if got := [2]string{section.Apply(body, o.Prepend("N")), section.Apply(body, o.Append("N"))}; got != want {
			t.Errorf("%s:\n%q, want\n%q", body, got, want)
		}
		for _, top := range o.Find(section.Top) { // which is all of it
			if got := [2]string{section.Apply(body, o.Before(top, "N")), section.Apply(body, o.After(top, "N"))}; got != want {
				t.Errorf("%s: beside the top\n%q, want\n%q", body, got, want)
			}
		}
	}
}

func TestReplaceText(t *testing.T) {
	for _, c := range []struct{ body, old, text, want string }{
		{`<p>The TTL is 1 h.</p>`, "1 h", "2 h", `<p>The TTL is 2 h.</p>`},
		{`<p>a &amp; b &lt;c&gt;</p>`, "a & b <c>", "a & d <c>", `<p>a &amp; d &lt;c&gt;</p>`},
		{`<p>x&nbsp;y</p>`, "x y", "x y & z", `<p>x&nbsp;y &amp; z</p>`},
		{`<p>The <ac:inline-comment-marker ac:ref="1">TTL</ac:inline-comment-marker> is 1 h</p>`, "The TTL is 1 h", "The TTL is 2 h",
			`<p>The <ac:inline-comment-marker ac:ref="1">TTL</ac:inline-comment-marker> is 2 h</p>`},
		{`<p>one <b>two</b> three</p>`, "one two three", "1 3", `<p>1 3<b></b></p>`},
		{`<p>see <a href="/x"><i>the</i> plan</a> now</p>`, "see the plan now", "look now", `<p>look now</p>`},
		{`<p>see <ac:link><ri:page ri:content-title="Plan"/><ac:link-body>the plan</ac:link-body></ac:link> now</p>`, "see the plan", "look", `<p>look now</p>`},
		{`<p>see <ac:link><ri:page ri:content-title="Plan"/></ac:link> now</p>`, "see  now", "look", ``},
		{`<p>see <a href="/x">the plan</a> now</p>`, "see the", "a", `<p>a<a href="/x"> plan</a> now</p>`},
		{`<p>see <a href="/x">it</a> now</p>`, "it now", "that", `<p>see <a href="/x">that</a></p>`},
		{`<p>a<br/>b</p>`, "a b", "c", ``},
		{`<ac:structured-macro ac:name="html"><ac:plain-text-body><![CDATA[<script>go()</script>]]></ac:plain-text-body></ac:structured-macro>`, "go()", "steal()", ``},
		{`<p>a</p><p>b</p>`, "ab", "c", ``},
		{`<p>same</p>`, "same", "same", `<p>same</p>`},
		{`<p>gone soon</p>`, " soon", "", `<p>gone </p>`},
		{`<ac:structured-macro ac:name="code"><ac:parameter ac:name="title">go</ac:parameter><ac:plain-text-body><![CDATA[if a < go {]]></ac:plain-text-body></ac:structured-macro>`, "go", "b]]>",
			`<ac:structured-macro ac:name="code"><ac:parameter ac:name="title">go</ac:parameter><ac:plain-text-body><![CDATA[if a < b]]]]><![CDATA[> {]]></ac:plain-text-body></ac:structured-macro>`},
		{`<p>two &NotEqualTilde; runes</p>`, "two", "2", `<p>2 &NotEqualTilde; runes</p>`},
	} {
		o := read(t, c.body)
		edits, ok := o.ReplaceText(c.old, c.text)
		if ok != (c.want != "") || ok != (o.Count(c.old) > 0) {
			t.Errorf("%s: %v, %d times", c.body, ok, o.Count(c.old))
			continue
		}
		if got := section.Apply(c.body, edits...); ok && got != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.body, got, c.want)
		}
	}
	if n := read(t, `<p>x ababa</p>`).Count("aba"); n != 2 {
		t.Errorf("what overlaps is there %d times", n)
	}
	if n := read(t, `<p>a b a</p><ul><li>A a</li></ul>`).Count("a"); n != 3 {
		t.Errorf("a is there %d times", n)
	}
}

func TestSearch(t *testing.T) {
	found, total := read(t, page).Search("ONE", 5, 3)
	if diff := cmp.Diff([]section.Match{{Section: "steps", Title: "Steps", Text: "one"}}, found); diff != "" || total != 1 {
		t.Error(total, diff)
	}
	body := `<h1>H</h1><p>` + strings.Repeat("word and ", 50) + `</p>`
	found, total = read(t, body).Search("and", 2, 6)
	if total != 50 || len(found) != 2 || found[1].Before != "… word " || found[1].After != " word …" || found[1].Section != "h" {
		t.Errorf("%d %+v", total, found)
	}
	if _, total := read(t, body).Search("  ", 2, 6); total != 0 {
		t.Error("nothing is found everywhere")
	}
}

// FuzzSections: sections tile into their frames, each is well-formed by itself,
// and an edit of one changes no byte outside of it.
func FuzzSections(f *testing.F) {
	for _, seed := range []string{page, ``, `<h1/>`, `<h2>a</h2><h1>b</h1><h2>a</h2>`, `<ul><li><h1>x</h1></li></ul>`, `<p>a &amp; b</p>`,
		`<ac:layout><ac:layout-section><ac:layout-cell/></ac:layout-section></ac:layout>`, `<p>é<b>x&nbsp;</b><![CDATA[y]]></p>`} {
		f.Add(seed, "a b", "<p>new</p>")
	}
	f.Fuzz(func(t *testing.T, body, text, put string) {
		o, err := section.Read(body)
		if err != nil {
			return
		}
		if _, err := storage.Parse(put); err != nil {
			put = "<p>new</p>"
		}
		ids := map[string]bool{}
		for _, s := range o.Sections {
			if ids[s.ID] || s.Start > s.Body || s.Body > s.Leaf || s.Leaf > s.End || s.End > len(body) {
				t.Fatalf("%+v", s)
			}
			ids[s.ID] = true
			well(t, o.Cut(s))
			for _, e := range []section.Edit{o.Replace(s, put), o.Before(s, put), o.After(s, put)} {
				spliced(t, body, e)
			}
		}
		spliced(t, body, o.Append(put))
		spliced(t, body, o.Prepend(put))
		n := o.Count(text)
		edits, ok := o.ReplaceText(text, put)
		if ok != (n > 0) {
			t.Fatalf("%q is there %d times, and was replaced: %v", text, n, ok)
		}
		spliced(t, body, edits...)
		if found, total := o.Search(text, 3, 10); len(found) > 3 || total < len(found) {
			t.Fatal(total, found)
		}
	})
}

func well(t *testing.T, body string) {
	t.Helper()
	if _, err := storage.Parse(body); err != nil && len(body) <= storage.MaxSize {
		t.Fatalf("%q: %v", body, err)
	}
}

// spliced checks that edits keep a page well-formed, and all bytes outside.
func spliced(t *testing.T, body string, edits ...section.Edit) {
	t.Helper()
	after := section.Apply(body, edits...)
	well(t, after)
	if len(edits) == 0 {
		return
	}
	first, last := edits[0], edits[len(edits)-1]
	if !strings.HasPrefix(after, body[:first.Start]) || !strings.HasSuffix(after, body[last.End:]) {
		t.Fatalf("%+v of %q makes %q", edits, body, after)
	}
}

func BenchmarkRead(b *testing.B) {
	body := strings.Repeat(page, 2000)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := section.Read(body); err != nil {
			b.Fatal(err)
		}
	}
}
