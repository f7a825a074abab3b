package wiki_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/cql"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// company is a wiki with an open space, and one that only ada may see.
type company struct {
	*wiki.Wiki
	t            *testing.T
	site         string
	ada, ben     directory.Person
	open, hidden wiki.Space
	home         wiki.Page
}

func newCompany(t *testing.T) *company {
	t.Helper()
	people := directory.New([]directory.Person{{Name: "ada"}, {Name: "ben"}}, []directory.Site{{Name: "acme"}})
	c := &company{Wiki: wiki.New(people.Sites()), t: t, site: people.Sites()[0].CloudID}
	c.ada, _ = people.Person("ada")
	c.ben, _ = people.Person("ben")
	c.open = c.AddSpace(c.site, wiki.Space{Key: "OPEN", Name: "Open", Writers: []string{"ada"}})
	c.hidden = c.AddSpace(c.site, wiki.Space{Key: "HID", Name: "Hidden", VisibleTo: []string{"ada"}})
	c.home = c.create(wiki.Draft{Space: c.open.ID, Root: true, Title: "Home"})
	return c
}

func (c *company) create(d wiki.Draft) wiki.Page {
	c.t.Helper()
	if d.Status == "" {
		d.Status = "current"
	}
	p, err := c.Create(c.site, c.ada, d)
	if err != nil {
		c.t.Fatalf("creating %q: %v", d.Title, err)
	}
	return p
}

func (c *company) refused(err error, status int, what string) {
	c.t.Helper()
	var e *wiki.Error
	if !errors.As(err, &e) || e.Status != status {
		c.t.Errorf("%s: %v, want status %d", what, err, status)
	}
}

func (c *company) titles(pages []wiki.Page, err error) string {
	c.t.Helper()
	if err != nil {
		c.t.Error(err)
	}
	var all []string
	for _, p := range pages {
		all = append(all, p.Newest().Title)
	}
	return strings.Join(all, ", ")
}

func TestTree(t *testing.T) {
	c := newCompany(t)
	a := c.create(wiki.Draft{Space: c.open.ID, Title: "A"})
	b := c.create(wiki.Draft{Space: c.open.ID, Parent: a.ID, Title: "B"})
	top := c.create(wiki.Draft{Space: c.open.ID, Root: true, Title: "Top"})
	if a.Parent != c.home.ID || top.Parent != 0 {
		t.Errorf("A is below %d, Top below %d", a.Parent, top.Parent)
	}
	if got := c.titles(c.Ancestors(c.site, c.ada, b.ID)); got != "Home, A" {
		t.Errorf("above B: %s", got)
	}
	if got := c.titles(c.Children(c.site, c.ada, c.home.ID)); got != "A" {
		t.Errorf("below Home: %s", got)
	}
	_, err := c.Update(c.site, c.ada, wiki.Edit{ID: a.ID, Status: "current", Title: "A", Parent: b.ID})
	c.refused(err, http.StatusBadRequest, "a page below itself")
	if _, err := c.Update(c.site, c.ada, wiki.Edit{ID: b.ID, Status: "current", Title: "B", Parent: c.home.ID, KeepBody: true}); err != nil {
		t.Error(err)
	}
	if got := c.titles(c.Children(c.site, c.ada, c.home.ID)); got != "A, B" {
		t.Errorf("below Home after the move: %s", got)
	}
	_, err = c.Create(c.site, c.ada, wiki.Draft{Space: c.open.ID, Parent: 1, Title: "C"})
	c.refused(err, http.StatusNotFound, "no such parent")
}

func TestWhoSeesWhat(t *testing.T) {
	c := newCompany(t)
	secret := c.create(wiki.Draft{Space: c.hidden.ID, Title: "Secret"})
	above := c.create(wiki.Draft{Space: c.open.ID, Title: "Above", VisibleTo: []string{"ada"}})
	below := c.create(wiki.Draft{Space: c.open.ID, Title: "Below", Parent: above.ID})
	draft := c.create(wiki.Draft{Space: c.open.ID, Title: "Draft", Status: "draft"})
	for _, id := range []int64{secret.ID, above.ID, below.ID, draft.ID} {
		if _, err := c.Page(c.site, c.ada, id); err != nil {
			t.Errorf("ada asks for %d: %v", id, err)
		}
		_, err := c.Page(c.site, c.ben, id)
		c.refused(err, http.StatusNotFound, fmt.Sprint("ben asks for ", id))
		_, err = c.Update(c.site, c.ben, wiki.Edit{ID: id, Status: "current", Title: "x"})
		c.refused(err, http.StatusNotFound, "ben changes it")
		c.refused(c.Delete(c.site, c.ben, id, false), http.StatusNotFound, "ben deletes it")
	}
	if _, err := c.Page(c.site, c.ben, c.home.ID); err != nil {
		t.Error(err)
	}
	_, err := c.Create(c.site, c.ben, wiki.Draft{Space: c.open.ID, Status: "current", Title: "Ben's"})
	c.refused(err, http.StatusNotFound, "ben writes where he may read")
	if spaces := c.Spaces(c.site, c.ben); len(spaces) != 1 {
		t.Errorf("ben sees %d spaces", len(spaces))
	}
	_, err = c.Space(c.site, c.ben, c.hidden.ID)
	c.refused(err, http.StatusNotFound, "ben asks for the hidden space")
	if got := c.titles(c.Pages(c.site, c.ben, func(*wiki.Page) bool { return true }), nil); got != "Home" {
		t.Errorf("ben sees %s", got)
	}
}

func TestTitlesAndVersions(t *testing.T) {
	c := newCompany(t)
	p := c.create(wiki.Draft{Space: c.open.ID, Title: "Plan", Body: "<p>one</p>"})
	_, err := c.Create(c.site, c.ada, wiki.Draft{Space: c.open.ID, Status: "current", Title: " plan "})
	c.refused(err, http.StatusBadRequest, "a second page of the title")
	c.create(wiki.Draft{Space: c.hidden.ID, Title: "Plan"})
	for _, number := range []int{1, 3, 99} {
		_, err := c.Update(c.site, c.ada, wiki.Edit{ID: p.ID, Status: "current", Title: "Plan", Number: number})
		c.refused(err, http.StatusConflict, fmt.Sprint("version ", number))
	}
	two, err := c.Update(c.site, c.ada, wiki.Edit{ID: p.ID, Status: "current", Title: "Plan B", Body: "<p>two</p>", Message: "m", Number: 2})
	if err != nil || two.Newest().Number != 2 || two.Newest().Message != "m" {
		t.Fatalf("%+v, %v", two.Newest(), err)
	}
	if old, ok := two.Version(1); !ok || old.Title != "Plan" || old.Body != "<p>one</p>" {
		t.Errorf("version 1 is %+v", old)
	}
	if _, ok := two.Version(3); ok {
		t.Error("there is a version 3")
	}
	if len(p.Versions) != 1 {
		t.Error("an update changed a page that was read before")
	}
	c.create(wiki.Draft{Space: c.open.ID, Title: "Plan"}) // the title is free again
	_, err = c.Update(c.site, c.ada, wiki.Edit{ID: p.ID, Status: "current", Title: "PLAN", Number: 3})
	c.refused(err, http.StatusBadRequest, "the title of another page")
	_, err = c.Create(c.site, c.ada, wiki.Draft{Space: c.open.ID, Status: "current", Title: strings.Repeat("ä", 256)})
	c.refused(err, http.StatusBadRequest, "a long title")
	_, err = c.Create(c.site, c.ada, wiki.Draft{Space: c.open.ID, Status: "current", Title: "Big", Body: strings.Repeat("x", wiki.MaxBody+1)})
	c.refused(err, http.StatusRequestEntityTooLarge, "a long body")
}

func TestTrash(t *testing.T) {
	c := newCompany(t)
	p := c.create(wiki.Draft{Space: c.open.ID, Title: "Old"})
	c.refused(c.Delete(c.site, c.ada, p.ID, true), http.StatusBadRequest, "purging what is not in the trash")
	if err := c.Delete(c.site, c.ada, p.ID, false); err != nil {
		t.Fatal(err)
	}
	c.refused(c.Delete(c.site, c.ada, p.ID, false), http.StatusNotFound, "deleting twice")
	again := c.create(wiki.Draft{Space: c.open.ID, Title: "Old"})
	_, err := c.Update(c.site, c.ada, wiki.Edit{ID: p.ID, Status: "current", Title: "ignored"})
	c.refused(err, http.StatusBadRequest, "restoring while the title is taken")
	if err := c.Delete(c.site, c.ada, again.ID, false); err != nil {
		t.Fatal(err)
	}
	back, err := c.Update(c.site, c.ada, wiki.Edit{ID: p.ID, Status: "current", Title: "ignored", Body: "ignored"})
	if err != nil || back.Status != "current" || back.Newest().Title != "Old" || back.Newest().Number != 1 {
		t.Errorf("restored %+v, %v", back, err)
	}
	if err := c.Delete(c.site, c.ada, again.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err = c.Page(c.site, c.ada, again.ID)
	c.refused(err, http.StatusNotFound, "a purged page")
}

func TestDrafts(t *testing.T) {
	c := newCompany(t)
	p := c.create(wiki.Draft{Space: c.open.ID, Title: "", Status: "draft"})
	_, err := c.Update(c.site, c.ada, wiki.Edit{ID: p.ID, Status: "draft", Title: "x", Number: 2})
	c.refused(err, http.StatusConflict, "version 2 of a draft")
	for _, e := range []wiki.Edit{{Status: "draft", Title: "Almost"}, {Status: "current", Title: "Done"}} {
		e.ID, e.Number = p.ID, 1
		got, err := c.Update(c.site, c.ada, e)
		if err != nil || got.Status != e.Status || len(got.Versions) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestTheIndexLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		find := func(query string) int {
			q, err := cql.Parse(query)
			if err != nil {
				t.Fatal(err)
			}
			return len(c.Search(c.site, c.ada, q, 20*time.Second))
		}
		p := c.create(wiki.Draft{Space: c.open.ID, Title: "Fresh", Body: "<p>apple</p>"})
		if n := find("text ~ apple"); n != 0 {
			t.Errorf("%d found at once", n)
		}
		time.Sleep(21 * time.Second)
		if n := find("text ~ apple"); n != 1 {
			t.Errorf("%d found later", n)
		}
		if _, err := c.Update(c.site, c.ada, wiki.Edit{ID: p.ID, Status: "current", Title: "Fresh", Body: "<p>pear</p>"}); err != nil {
			t.Fatal(err)
		}
		if find("text ~ apple") != 1 || find("text ~ pear") != 0 {
			t.Error("the index knows the new version at once")
		}
		time.Sleep(21 * time.Second)
		if err := c.Delete(c.site, c.ada, p.ID, false); err != nil {
			t.Fatal(err)
		}
		if find("text ~ pear") != 1 {
			t.Error("a deleted page is gone from the index at once")
		}
		time.Sleep(21 * time.Second)
		if find("text ~ pear") != 0 {
			t.Error("a deleted page lingers")
		}
	})
}

// Of many who write the same version, or the same title, one wins.
func TestWritersAtOnce(t *testing.T) {
	c := newCompany(t)
	p := c.create(wiki.Draft{Space: c.open.ID, Title: "Shared"})
	var group sync.WaitGroup
	var mu sync.Mutex
	updated, created := 0, 0
	for range 20 {
		group.Go(func() {
			_, err := c.Update(c.site, c.ada, wiki.Edit{ID: p.ID, Status: "current", Title: "Shared", Number: 2})
			_, err2 := c.Create(c.site, c.ada, wiki.Draft{Space: c.open.ID, Status: "current", Title: "New"})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				updated++
			}
			if err2 == nil {
				created++
			}
		})
	}
	group.Wait()
	if updated != 1 || created != 1 {
		t.Errorf("%d updates and %d creations won", updated, created)
	}
}

func TestNormalise(t *testing.T) {
	for body, want := range map[string]string{
		"<p>x</p>": "<p>x</p>", "a<hr/>b": "a<hr />b", "a<br  />": "a<br />", "": "", "plain &amp; &nbsp;simple": "plain &amp; &nbsp;simple",
		`<p ac:local-id="1">x<!-- c --></p>`: `<p ac:local-id="1">x<!-- c --></p>`,
		"<![CDATA[<a> & b]]>":                "<![CDATA[<a> & b]]>",
	} {
		if got, err := wiki.Normalise(body); err != nil || got != want {
			t.Errorf("%s becomes %s, %v, want %s", body, got, err, want)
		}
	}
	got, err := wiki.Normalise(`<ac:structured-macro ac:name="toc"/>`)
	if err != nil || !strings.HasPrefix(got, `<ac:structured-macro ac:name="toc" ac:schema-version="1" ac:macro-id="`) || !strings.HasSuffix(got, `" />`) {
		t.Errorf("%s, %v", got, err)
	}
	if again, err := wiki.Normalise(got); err != nil || again != got {
		t.Errorf("%s, %v", cmp.Diff(got, again), err)
	}
	for _, body := range []string{"<p>", "</p>", "<p></b>", "a < b", "&nonsense;", "</root><root>", "<?xml?>", "<!DOCTYPE x>", strings.Repeat("<b>", 600) + strings.Repeat("</b>", 600)} {
		if got, err := wiki.Normalise(body); err == nil {
			t.Errorf("%.40q becomes %.40q", body, got)
		}
	}
}

func TestPlain(t *testing.T) {
	body := `<h1>Title</h1><ac:structured-macro ac:name="code"><ac:parameter ac:name="language">go</ac:parameter><ac:plain-text-body><![CDATA[a < b]]></ac:plain-text-body></ac:structured-macro><p>caf&eacute;</p>`
	if got := wiki.Plain(body); got != "Title a < b café" {
		t.Errorf("%q", got)
	}
}

// FuzzNormalise: any body is refused, or kept in a form that does not change
// when it is kept again.
func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"<p>x</p>", "<hr/>", `<ac:structured-macro ac:name="toc"/>`, "&amp;", "<![CDATA[x]]>", "<a b='c'/>", "</root>", "<p", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		kept, err := wiki.Normalise(body)
		_ = wiki.Plain(body)
		if err != nil {
			return
		}
		if again, err := wiki.Normalise(kept); err != nil || again != kept {
			t.Errorf("%q is kept as %q, then as %q, %v", body, kept, again, err)
		}
	})
}
