// Package files has the attachments of the simulated Confluence: those that
// were uploaded, and those that the text of a page mentions, whose content is
// made up.
package files

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/media"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

const (
	read   = "read:attachment:confluence"
	write  = "write:confluence-file write:attachment:confluence"
	remove = "delete:attachment:confluence"
	old    = op.V1 + "/content/{id}/child/attachment"
)

// Add adds the operations.
func Add(add op.Add, store *media.Store) {
	s := shelf{store}
	add("GET "+op.V2+"/pages/{id}/attachments", read, s.list)
	add("GET "+op.V2+"/blogposts/{id}/attachments", read, s.list)
	add("GET "+op.V2+"/attachments/{id}", read, s.get)
	add("DELETE "+op.V2+"/attachments/{id}", remove, s.trash)
	add("POST "+old, write, func(c *op.Call) (any, error) { return s.upload(c, false) })
	add("PUT "+old, write, func(c *op.Call) (any, error) { return s.upload(c, true) })
	add("PUT "+old+"/{attachment}", write, s.change)
	add("GET "+old+"/{attachment}/download", "readonly:content.attachment:confluence "+read, s.download)
}

type shelf struct{ store *media.Store }

// file is an attachment of either kind.
type file struct {
	media.File
	made bool // mentioned in the page, with made-up content
	id   string
}

var inBody = regexp.MustCompile(`<ri:attachment[^>]* ri:filename="([^"]+)"`)

// of lists the attachments of a page.
func (s shelf) of(c *op.Call, p wiki.Page) []file {
	var all []file
	var names []string
	for _, f := range s.store.Of(c.Cloud(), p.ID) {
		all = append(all, file{File: f, id: fmt.Sprintf("att%d", f.ID)})
		names = append(names, f.Name)
	}
	for i, m := range inBody.FindAllStringSubmatch(p.Newest().Body, -1) {
		if slices.Contains(names, m[1]) {
			continue
		}
		names = append(names, m[1])
		v := media.Version{Number: 1, MediaType: media.Type(m[1]), Author: p.Author(), Created: p.Created(), Size: int64(len(media.Content(m[1])))}
		all = append(all, file{File: media.File{Page: p.ID, Name: m[1], Versions: []media.Version{v}}, made: true, id: fmt.Sprintf("att%d%02d", p.ID, i)})
	}
	return all
}

type versionJSON struct {
	CreatedAt string `json:"createdAt"`
	Message   string `json:"message"`
	Number    int    `json:"number"`
	MinorEdit bool   `json:"minorEdit"`
	AuthorID  string `json:"authorId"`
}

type attachmentJSON struct {
	ID           string            `json:"id"`
	Status       string            `json:"status"`
	Title        string            `json:"title"`
	CreatedAt    string            `json:"createdAt"`
	PageID       string            `json:"pageId,omitempty"`
	BlogPostID   string            `json:"blogPostId,omitempty"`
	MediaType    string            `json:"mediaType"`
	Comment      string            `json:"comment"`
	FileID       string            `json:"fileId"`
	FileSize     int64             `json:"fileSize"`
	WebUILink    string            `json:"webuiLink"`
	DownloadLink string            `json:"downloadLink"`
	Version      versionJSON       `json:"version"`
	Links        map[string]string `json:"_links"`
}

func show(p wiki.Page, f file) attachmentJSON {
	v := f.Newest()
	a := attachmentJSON{
		ID: f.id, Status: "current", Title: f.Name, CreatedAt: op.When(f.Versions[0].Created), MediaType: v.MediaType, Comment: v.Comment,
		FileID: "sim-" + f.id, FileSize: v.Size,
		Version:      versionJSON{op.When(v.Created), v.Comment, v.Number, v.Minor, v.Author},
		WebUILink:    "/pages/viewpageattachments.action?pageId=" + op.ID(p.ID),
		DownloadLink: "/download/attachments/" + op.ID(p.ID) + "/" + url.PathEscape(f.Name) + "?version=" + strconv.Itoa(v.Number) + "&api=v2",
	}
	if f.Trashed {
		a.Status = "trashed"
	}
	a.PageID = op.ID(p.ID)
	if p.Type == "blogpost" {
		a.PageID, a.BlogPostID = "", a.PageID
	}
	a.Links = map[string]string{"webui": a.WebUILink, "download": a.DownloadLink}
	return a
}

func (s shelf) list(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	q := c.URL.Query()
	var all []file
	for _, f := range s.of(c, p) {
		name, kind := q.Get("filename"), q.Get("mediaType")
		if (name == "" || name == f.Name) && (kind == "" || kind == f.Newest().MediaType) {
			all = append(all, f)
		}
	}
	return op.Cut(c, all, func(f file) attachmentJSON { return show(p, f) })
}

// find finds an attachment by its id, and its page.
func (s shelf) find(c *op.Call, id string) (wiki.Page, file, error) {
	number, _ := strings.CutPrefix(id, "att")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return wiki.Page{}, file{}, wiki.NotFound()
	}
	f, uploaded := s.store.Find(c.Cloud(), n)
	page := f.Page
	if !uploaded {
		page = n / 100
	}
	p, err := c.Wiki.Page(c.Cloud(), c.Who, page)
	if err != nil {
		return wiki.Page{}, file{}, wiki.NotFound()
	}
	if uploaded {
		return p, file{File: f, id: id}, nil
	}
	for _, f := range s.of(c, p) {
		if f.id == id {
			return p, f, nil
		}
	}
	return wiki.Page{}, file{}, wiki.NotFound()
}

func (s shelf) get(c *op.Call) (any, error) {
	p, f, err := s.find(c, c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return show(p, f), nil
}

func (s shelf) trash(c *op.Call) (any, error) {
	p, f, err := s.find(c, c.PathValue("id"))
	if err == nil {
		err = mayWrite(c, p)
	}
	if err != nil {
		return nil, err
	}
	s.store.Trash(c.Cloud(), f.ID)
	return nil, nil
}

// change changes what is known of a file, without its content or its version.
func (s shelf) change(c *op.Call) (any, error) {
	var want struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		Version struct {
			Number int `json:"number"`
		} `json:"version"`
		Metadata struct {
			Comment *string `json:"comment"`
		} `json:"metadata"`
	}
	if err := c.Read(&want); err != nil {
		return nil, err
	}
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	_, f, err := s.find(c, c.PathValue("attachment"))
	if err == nil && (f.Page != p.ID || f.made || f.Trashed) {
		err = wiki.NotFound()
	}
	if err == nil {
		err = mayWrite(c, p)
	}
	if err != nil {
		return nil, err
	}
	// Of the number the description says two things, so that both are taken.
	is := f.Newest().Number
	switch {
	case want.ID != f.id || want.Type != "attachment" || want.Version.Number < 1:
		return nil, wiki.Bad("The attachment id or version number is invalid")
	case want.Version.Number != is && want.Version.Number != is+1:
		return nil, &wiki.Error{Status: http.StatusConflict, Code: "CONFLICT", Title: "Version does not match"}
	}
	changed, ok := s.store.Change(f.File, want.Title, want.Metadata.Comment)
	if !ok {
		return nil, wiki.Bad("There is an attachment of this name already")
	}
	return content(c, p, changed), nil
}

// mayWrite refuses whoever may not change a page, as if it were not there.
func mayWrite(c *op.Call, p wiki.Page) error {
	space, err := c.Wiki.Space(c.Cloud(), c.Who, p.Space)
	if err != nil || space.Writers != nil && !slices.Contains(space.Writers, c.Who.Name) {
		return wiki.NotFound()
	}
	return nil
}

// form is what comes in a multipart body.
type form struct {
	name, kind, comment string
	minor               bool
	body                media.Body
}

func (s shelf) upload(c *op.Call, again bool) (any, error) {
	if token := c.Header.Get("X-Atlassian-Token"); token != "nocheck" && token != "no-check" {
		return nil, &wiki.Error{Status: http.StatusForbidden, Code: "FORBIDDEN", Title: "XSRF check failed"}
	}
	p, err := c.Page()
	if err == nil {
		err = mayWrite(c, p)
	}
	if err != nil {
		return nil, err
	}
	if status := c.URL.Query().Get("status"); status != "" && status != p.Status && p.Status != "current" {
		return nil, wiki.NotFound()
	}
	reader, err := c.MultipartReader()
	if err != nil {
		return nil, &wiki.Error{Status: http.StatusUnsupportedMediaType, Code: "UNSUPPORTED_MEDIA_TYPE", Title: "HTTP 415 Unsupported Media Type"}
	}
	f, err := s.read(reader)
	if err != nil {
		return nil, err
	}
	v := media.Version{MediaType: f.kind, Comment: f.comment, Minor: f.minor, Author: c.Who.AccountID, Created: time.Now()}
	stored, ok := s.store.Put(media.New{Site: c.Cloud(), Page: p.ID, Name: f.name, Version: v, Body: f.body, Again: again})
	if !ok {
		return nil, wiki.Bad("Cannot add a new attachment with same file name as an existing attachment: " + f.name)
	}
	return op.Older[contentJSON]{Results: []contentJSON{content(c, p, stored)}, Limit: 1, Size: 1, Links: map[string]string{"base": c.Site.URL + "/wiki", "context": "/wiki"}}, nil
}

// maxField is how long the fields beside the file may be.
const maxField = 4 << 10

// read reads the form; nothing is stored of one that does not come to its end.
func (s shelf) read(reader *multipart.Reader) (form, error) {
	var f form
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return f, wiki.Bad("org.apache.commons.fileupload: the stream ended unexpectedly")
		}
		switch part.FormName() {
		case "file":
			if f.name != "" {
				return f, wiki.Bad("one file at a time, please: this is a simulation")
			}
			f.name, f.kind = part.FileName(), part.Header.Get("Content-Type")
			f.body, err = s.store.Receive(part)
		case "comment":
			f.comment, err = field(part)
		case "minorEdit":
			var text string
			text, err = field(part)
			f.minor = text == "true"
		}
		if errors.Is(err, media.ErrTooLarge) {
			return f, wiki.NotFound() // as its description says
		}
		if err != nil {
			return f, wiki.Bad("org.apache.commons.fileupload: the stream ended unexpectedly")
		}
	}
	if f.name == "" {
		return f, wiki.Bad("At least one attachment file was expected")
	}
	return f, nil
}

func field(part io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(part, maxField))
	return string(text), err
}

func (s shelf) download(c *op.Call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	for _, f := range s.of(c, p) {
		if f.id != c.PathValue("attachment") {
			continue
		}
		v := f.Newest()
		if number := c.URL.Query().Get("version"); number != "" {
			n, err := strconv.Atoi(number)
			if err != nil || n < 1 || n > v.Number {
				return nil, wiki.NotFound()
			}
			v = f.Versions[n-1]
		}
		if f.made {
			return op.Redirect(media.Address(c.Request, f.Name)), nil
		}
		return op.Redirect(media.Stored(c.Request, f.File, v)), nil
	}
	return nil, wiki.NotFound()
}
