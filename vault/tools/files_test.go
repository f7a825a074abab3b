package tools_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"image"
	"image/png"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/media"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// disk is a computer with files in memory.
type disk struct {
	mu    sync.Mutex
	files map[string][]byte // guarded by mu; by path
	cut   int               // bytes after which a file that is read breaks off; 0 never
	fail  error             // of every write
	later map[string][]byte // guarded by mu; what files become once they were opened
}

func (d *disk) Open(_ context.Context, path string) (tool.Source, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	data, ok := d.files[path]
	if !ok {
		return nil, usererr.New(usererr.NotFound, "There is no such file", "")
	}
	s := &diskSource{name: path, size: len(data), rest: data}
	if changed, ok := d.later[path]; ok {
		d.files[path] = changed
	}
	if d.cut > 0 {
		s.rest, s.end = data[:min(d.cut, len(data))], usererr.New(usererr.Conflict, "The file changed while it was read", "Try again")
	}
	return s, nil
}

type diskSource struct {
	name string
	size int
	rest []byte
	end  error
}

func (s *diskSource) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if s.end != nil {
			return 0, s.end
		}
		return 0, io.EOF
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *diskSource) Close() error { return nil }
func (s *diskSource) Name() string { return path.Base(s.name) }
func (s *diskSource) Size() int64  { return int64(s.size) }

func (d *disk) Create(_ context.Context, folder, name string, _ int64) (tool.Target, error) {
	return &diskTarget{disk: d, path: folder + "/" + name}, nil
}

type diskTarget struct {
	bytes.Buffer
	disk *disk
	path string
}

func (t *diskTarget) Write(p []byte) (int, error) {
	if t.disk.fail != nil {
		return 0, t.disk.fail
	}
	return t.Buffer.Write(p)
}

func (t *diskTarget) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{t}, r) }

func (t *diskTarget) Keep() (string, error) {
	t.disk.mu.Lock()
	defer t.disk.mu.Unlock()
	t.disk.files[t.path] = bytes.Clone(t.Bytes())
	return t.path, nil
}

func (t *diskTarget) Drop() {}

// withDisk is a client whose computer has files.
func withDisk(t *testing.T, opt atlassiansim.Options) (*client, *disk) {
	t.Helper()
	d := &disk{files: map[string][]byte{}}
	r := newRig(t, opt)
	r.computer = d
	r.start()
	return r.connect(), d
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func TestAFileGoesUpAndComesBack(t *testing.T) {
	c, d := withDisk(t, atlassiansim.Options{})
	page := c.r.sim.AnyPage("ENG")
	data := bytes.Repeat([]byte("0123456789"), 300_000)
	d.files["/home/ada/work/Übersicht \"1\".bin"] = data
	up := object{"page": page.ID, "path": "/home/ada/work/Übersicht \"1\".bin", "comment": "for the review", "minor_edit": true}
	a := c.call("confluence_upload_attachment", up)
	files := c.r.sim.Files(page.ID)
	if a.IsError || len(files) != 1 || files[0].SHA256 != hash(data) || !files[0].Minor || files[0].Comment != "for the review" || files[0].Name != "Übersicht '1'.bin" {
		t.Fatalf("%s; there is %+v", a.text(), files)
	}
	if again := c.call("confluence_upload_attachment", up); !again.IsError || !strings.Contains(again.text(), "already") || !strings.Contains(again.text(), files[0].ID) {
		t.Errorf("a second one: %s", again.text())
	}
	d.files["/home/ada/work/Übersicht \"1\".bin"] = append(data, 'x')
	up["new_version"] = true
	if next := c.call("confluence_upload_attachment", up); next.IsError || next.field("version") != "2" {
		t.Errorf("a new version: %s", next.text())
	}
	for version, want := range map[int][]byte{0: append(data, 'x'), 1: data} {
		args := object{"page": page.ID, "file": files[0].ID, "folder": "/home/ada/down"}
		if version > 0 {
			args["version"] = version
		}
		down := c.call("confluence_download_attachment", args)
		if down.IsError || down.field("sha256") != hash(want) || !bytes.Equal(d.files[down.field("path")], want) {
			t.Errorf("version %d: %s", version, down.text())
		}
	}
	for _, e := range c.r.audited {
		if strings.Contains(e.Detail+string(e.Asked)+strings.Join(e.Objects, ""), "/home/ada") {
			t.Errorf("the record knows the folder: %s %s", e.Detail, e.Asked)
		}
	}
	first := c.r.audited[0]
	if !strings.Contains(first.Detail, hash(data)) || !strings.Contains(first.Detail, "3000000 bytes") || !strings.Contains(strings.Join(first.Objects, " "), "attachment:"+files[0].ID+"@ENG") {
		t.Errorf("the record: %s %v", first.Detail, first.Objects)
	}
	if strings.Contains(c.r.log.String(), "token=signed") {
		t.Error("a signed address is in the log")
	}
}

func TestAFileThatBreaksOffIsNotAttached(t *testing.T) {
	c, d := withDisk(t, atlassiansim.Options{MaxFile: 1 << 20})
	page := c.r.sim.AnyPage("ENG")
	d.files["/w/a.bin"], d.files["/w/large.bin"] = make([]byte, 500_000), make([]byte, 2<<20)
	d.cut = 200_000
	a := c.call("confluence_upload_attachment", object{"page": page.ID, "path": "/w/a.bin"})
	if !a.IsError || !strings.Contains(a.text(), "changed while it was read") {
		t.Errorf("%s", a.text())
	}
	d.cut = 0
	if a = c.call("confluence_upload_attachment", object{"page": page.ID, "path": "/w/large.bin"}); !a.IsError || !strings.Contains(a.text(), "larger than the site allows") {
		t.Errorf("%s", a.text())
	}
	if files := c.r.sim.Files(page.ID); len(files) != 0 {
		t.Errorf("attached: %+v", files)
	}
	c.r.sim.Fail(1, atlassiansim.Fault{Method: "POST", Path: "/child/attachment", After: true, Drop: true})
	if a = c.call("confluence_upload_attachment", object{"page": page.ID, "path": "/w/a.bin"}); a.IsError || len(c.r.sim.Files(page.ID)) != 1 {
		t.Errorf("whose answer is lost: %s", a.text())
	}
	c.r.sim.Fail(1, atlassiansim.Fault{Method: "POST", Path: "/child/attachment", Drop: true})
	if a = c.call("confluence_upload_attachment", object{"page": page.ID, "path": "/w/a.bin", "name": "b.bin"}); !a.IsError || !strings.Contains(a.text(), "Try again") || len(c.r.sim.Files(page.ID)) != 1 {
		t.Errorf("that did not begin: %s", a.text())
	}
	d.fail = usererr.New(usererr.TooLarge, "The disk is full", "Make room")
	if a = c.call("confluence_download_attachment", object{"page": page.ID, "file": "a.bin", "folder": "/w"}); !a.IsError || !strings.Contains(a.text(), "disk is full") {
		t.Errorf("%s", a.text())
	}
}

// Without a record nothing of Confluence stays on anybody's disk.
func TestNoFileWithoutARecord(t *testing.T) {
	c, d := withDisk(t, atlassiansim.Options{})
	page := c.r.sim.AnyPage("ENG")
	d.files["/w/a.bin"] = []byte("content")
	if a := c.call("confluence_upload_attachment", object{"page": page.ID, "path": "/w/a.bin"}); a.IsError {
		t.Fatal(a.text())
	}
	c.r.auditErr = outage()
	a := c.call("confluence_download_attachment", object{"page": page.ID, "file": "a.bin", "folder": "/down"})
	if !a.IsError || !strings.Contains(a.text(), "cannot store its audit record") || len(d.files) != 1 {
		t.Errorf("%s, and there are %d files", a.text(), len(d.files))
	}
}

// endless is a Confluence whose files go on after their end.
type endless struct {
	http.RoundTripper
	given atomic.Int64
}

func (e *endless) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := e.RoundTripper.RoundTrip(r)
	if err == nil && strings.HasPrefix(r.URL.Path, media.Prefix) {
		resp.Body, resp.ContentLength = struct {
			io.Reader
			io.Closer
		}{e, resp.Body}, -1
	}
	return resp, err
}

func (e *endless) Read(p []byte) (int, error) {
	if e.given.Add(int64(len(p))) > 16<<20 {
		return 0, io.EOF
	}
	return len(p), nil
}

func TestAFileThatDoesNotEndIsNotTaken(t *testing.T) {
	d := &disk{files: map[string][]byte{"/w/a.bin": make([]byte, 1000)}}
	r := newRig(t, atlassiansim.Options{})
	site := &endless{RoundTripper: r}
	r.computer, r.doorHTTP = d, &http.Client{Transport: site}
	r.start()
	c, page := r.connect(), r.sim.AnyPage("ENG")
	if a := c.call("confluence_upload_attachment", object{"page": page.ID, "path": "/w/a.bin"}); a.IsError {
		t.Fatal(a.text())
	}
	a := c.call("confluence_download_attachment", object{"page": page.ID, "file": "a.bin", "folder": "/down"})
	if !a.IsError || !strings.Contains(a.text(), "cut off") || len(d.files) != 1 || site.given.Load() > 1<<20 {
		t.Errorf("%s after %d bytes", a.text(), site.given.Load())
	}
}

func TestFilesOfPagesThatNobodyMaySee(t *testing.T) {
	c, d := withDisk(t, atlassiansim.Options{})
	d.files["/w/a.png"] = []byte("x")
	secret := c.r.sim.AnyPage("LEGAL")
	for name, args := range map[string]object{
		"confluence_upload_attachment":   {"page": secret.ID, "path": "/w/a.png"},
		"confluence_download_attachment": {"page": secret.ID, "file": "x", "folder": "/w"},
		"confluence_get_attachment":      {"page": secret.ID},
	} {
		if a := c.call(name, args); !a.IsError || !strings.Contains(a.text(), "was not found") {
			t.Errorf("%s: %s", name, a.text())
		}
	}
	page := c.r.sim.AnyPage("ENG")
	for _, file := range []string{"att1", "../../x", "nothing.txt", "att" + secret.ID + "00"} {
		if a := c.call("confluence_get_attachment", object{"page": page.ID, "file": file}); !a.IsError || !strings.Contains(a.text(), "confluence_get_attachment") {
			t.Errorf("%s: %s", file, a.text())
		}
	}
	if files := c.r.sim.Files(secret.ID); len(files) != 0 {
		t.Errorf("attached: %+v", files)
	}
}

func picture(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func document(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("word/document.xml")
	if err == nil {
		_, err = io.WriteString(f, `<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>`+text+`</w:t></w:r></w:p></w:body></w:document>`)
	}
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFilesAreLookedAt(t *testing.T) {
	c, d := withDisk(t, atlassiansim.Options{})
	page := c.r.sim.AnyPage("ENG")
	for name, data := range map[string][]byte{
		"/w/wide.png": picture(t, 4000, 1000), "/w/notes.md": []byte(strings.Repeat("a line of notes\n", 100)), "/w/plan.docx": document(t, "The plan"),
		"/w/odd.bin": []byte("x"), "/w/broken.png": []byte("no picture"), "/w/broken.docx": []byte("PK no zip"),
	} {
		d.files[name] = data
		if a := c.call("confluence_upload_attachment", object{"page": page.ID, "path": name}); a.IsError {
			t.Fatal(a.text())
		}
	}
	list := c.call("confluence_get_attachment", object{"page": page.ID, "limit": 2})
	if list.IsError || !strings.Contains(list.text(), "There is more") {
		t.Errorf("%s", list.text())
	}
	if next := c.call("confluence_get_attachment", object{"page": page.ID, "limit": 2, "cursor": list.field("cursor")}); next.IsError || next.text() == list.text() {
		t.Errorf("the next part: %s", next.text())
	}
	for file, want := range map[string]string{
		"plan.docx": "The plan", "odd.bin": "cannot be shown", "broken.png": "cannot be shown", "broken.docx": "cannot be shown",
	} {
		if a := c.call("confluence_get_attachment", object{"page": page.ID, "file": file}); a.IsError || !strings.Contains(a.text(), want) {
			t.Errorf("%s: %s", file, a.text())
		}
	}
	var all strings.Builder
	args := object{"page": page.ID, "file": "notes.md", "max_chars": 700}
	for range 5 {
		a := c.call("confluence_get_attachment", args)
		all.WriteString(a.field("text"))
		if args["cursor"] = a.field("cursor"); args["cursor"] == "<nil>" {
			break
		}
	}
	if all.String() != strings.Repeat("a line of notes\n", 100) {
		t.Errorf("the parts are not the whole: %d bytes", all.Len())
	}
	shown := c.call("confluence_get_attachment", object{"page": page.ID, "file": "wide.png"}).Content
	if len(shown) != 2 || shown[1].Type != "image" || !strings.Contains(shown[0].Text, "4000 x 1000") {
		t.Fatalf("%+v", shown)
	}
	data := shown[1].Data
	if config, _, err := image.DecodeConfig(bytes.NewReader(data)); err != nil || config.Width != 1568 || config.Height != 392 {
		t.Errorf("%+v, %v", config, err)
	}
}

// An image that is another one by the time it is sent does not get the name of
// the first.
func TestImagesThatChangeAreNotBrought(t *testing.T) {
	for _, later := range [][]byte{picture(t, 20, 20), append(picture(t, 10, 10)[:20:20], make([]byte, len(picture(t, 10, 10))-20)...)} {
		c, d := withDisk(t, atlassiansim.Options{})
		page := c.r.put("ada", "ENG", "Changing", "<p>p</p>")
		d.files["/w/net.png"], d.later = picture(t, 10, 10), map[string][]byte{"/w/net.png": later}
		a := c.call("confluence_edit_page", object{"page": page, "expected_version": 1, "operation": "append", "body": "![net](/w/net.png)"})
		if now, _ := c.r.sim.PageByID(page); !a.IsError || !strings.Contains(a.text(), "net.png changed while it was read") || now.Version != 1 || len(c.r.sim.Files(page)) != 0 {
			t.Errorf("version %d, files %v: %s", now.Version, c.r.sim.Files(page), a.text())
		}
	}
}

func TestImagesThatATextBringsAlong(t *testing.T) {
	c, d := withDisk(t, atlassiansim.Options{})
	d.files["/w/net plan.png"] = picture(t, 10, 10)
	dot := "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture(t, 2, 2))
	text := "# Net\n\n![the net](</w/net plan.png>) and ![again](</w/net plan.png>)\n\n![dot](" + dot + ")\n\n![there](net.png) ![far](https://x.example/a.png)\n\n" +
		"```\n![no](/w/none.png)\n```\n"
	args := object{"space": "ENG", "title": "With images", "body": text}
	dry := object{"space": "ENG", "title": "With images", "body": text, "dry_run": true}
	if a := c.call("confluence_create_page", dry); a.IsError || c.r.sim.CountPages("ENG", "With images") != 0 {
		t.Fatalf("%s", a.text())
	}
	a := c.call("confluence_create_page", args)
	if a.IsError {
		t.Fatal(a.text())
	}
	page, _ := c.r.sim.PageByID(a.field("id"))
	files := c.r.sim.Files(page.ID)
	if len(files) != 2 || page.Status != "current" {
		t.Fatalf("%s page with %+v", page.Status, files)
	}
	for _, f := range files {
		if !strings.Contains(page.Body, `ri:filename="`+f.Name+`"`) || f.MediaType != "image/png" {
			t.Errorf("%s is not on the page: %s", f.Name, page.Body)
		}
	}
	if strings.Contains(page.Body, "/w/net") || strings.Contains(page.Body, "base64") || !strings.Contains(page.Body, "/w/none.png") {
		t.Errorf("%s", page.Body)
	}
	edit := object{"page": page.ID, "expected_version": page.Version, "operation": "append", "body": "![more](/w/none.png)"}
	if a := c.call("confluence_edit_page", edit); !a.IsError || !strings.Contains(a.text(), "no such file") {
		t.Errorf("%s", a.text())
	}
	edit["body"] = "![more](</w/net plan.png>)"
	if a := c.call("confluence_edit_page", edit); a.IsError || len(c.r.sim.Files(page.ID)) != 2 {
		t.Errorf("%s", a.text())
	}
	if now, _ := c.r.sim.PageByID(page.ID); strings.Count(now.Body, files[0].Name)+strings.Count(now.Body, files[1].Name) != 4 {
		t.Errorf("%s", now.Body)
	}
}
