// Package files lists, uploads and downloads the attachments of pages.
package files

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Attachment is a file of a page or blog post, in one version.
type Attachment struct {
	ID, Status, Name, MediaType, Comment string
	PageID                               string // "" for a blog post
	BlogPostID                           string
	MediaID                              string // under which pictures of pages are named; "" if it is not told
	Size                                 int64
	Version                              int
	Author                               string // account id of who made this version
	Created                              time.Time
	Path                                 string // on the site, below /wiki
}

type attachmentJSON struct {
	ID         string             `json:"id"`
	Status     string             `json:"status"`
	Title      string             `json:"title"`
	MediaType  string             `json:"mediaType"`
	Comment    string             `json:"comment"`
	PageID     confluence.ID      `json:"pageId"`
	BlogPostID confluence.ID      `json:"blogPostId"`
	FileID     string             `json:"fileId"`
	FileSize   int64              `json:"fileSize"`
	WebUILink  string             `json:"webuiLink"`
	Version    confluence.Version `json:"version"`
}

var (
	numeric = regexp.MustCompile(`^[0-9]{1,19}$`)
	attID   = regexp.MustCompile(`^att[0-9]{1,19}$`)
)

// ValidID reports whether text is the id of an attachment.
func ValidID(text string) bool { return attID.MatchString(text) }

func (a attachmentJSON) attachment() (Attachment, error) {
	if !ValidID(a.ID) || a.Title == "" || a.Version.Number < 1 || a.FileSize < 0 {
		return Attachment{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	return Attachment{
		ID: a.ID, Status: a.Status, Name: a.Title, MediaType: a.MediaType, Comment: a.Comment,
		PageID: string(a.PageID), BlogPostID: string(a.BlogPostID), MediaID: a.FileID, Size: a.FileSize,
		Version: a.Version.Number, Author: a.Version.AuthorID, Created: a.Version.Created, Path: confluence.SitePath(a.WebUILink),
	}, nil
}

// Filter says which attachments of a page are wanted. What is empty does not
// narrow.
type Filter struct {
	PageID    string
	Blog      bool // PageID is that of a blog post
	Name      string
	MediaType string
}

// List returns a part of the attachments of a page, and the cursor of the next,
// "" at the end.
func List(ctx context.Context, c *confluence.Client, f Filter, limit int, cursor string) ([]Attachment, string, error) {
	if !numeric.MatchString(f.PageID) {
		return nil, "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	for name, value := range map[string]string{"filename": f.Name, "mediaType": f.MediaType, "cursor": cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	of := "pages"
	if f.Blog {
		of = "blogposts"
	}
	found, next, err := confluence.List[attachmentJSON](ctx, c, "/api/v2/"+of+"/"+f.PageID+"/attachments", query)
	if err != nil {
		return nil, "", err
	}
	all := make([]Attachment, len(found))
	for i, a := range found {
		if all[i], err = a.attachment(); err != nil {
			return nil, "", err
		}
	}
	return all, next, nil
}

// Get returns an attachment by its id.
func Get(ctx context.Context, c *confluence.Client, id string) (Attachment, error) {
	if !ValidID(id) {
		return Attachment{}, &confluence.Error{Kind: confluence.KindNotFound}
	}
	var answer attachmentJSON
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: "/api/v2/attachments/" + id}, &answer); err != nil {
		return Attachment{}, err
	}
	return answer.attachment()
}

// New is a file to attach to a page.
type New struct {
	PageID, Name, MediaType, Comment string
	Minor                            bool // nobody is told
	Draft                            bool // the page is a draft
	Version                          bool // one of this name may be there, and gets another version
	Size                             int64
	Body                             io.Reader // Size bytes
}

// uploaded is the answer of v1 to an upload.
type uploaded struct {
	Results []struct {
		ID      string `json:"id"`
		Title   string `json:"title"`
		Status  string `json:"status"`
		Version struct {
			Number int       `json:"number"`
			When   time.Time `json:"when"`
			By     struct {
				AccountID string `json:"accountId"`
			} `json:"by"`
		} `json:"version"`
		Extensions struct {
			MediaType string `json:"mediaType"`
			FileSize  int64  `json:"fileSize"`
			Comment   string `json:"comment"`
		} `json:"extensions"`
		Links confluence.Links `json:"_links"`
	} `json:"results"`
}

// Upload attaches a file, of which no more is in memory than what is on its way.
// It is tried once. A page that has a file of this name answers KindBadRequest,
// unless the file may get another version.
func Upload(ctx context.Context, c *confluence.Client, n New) (Attachment, error) {
	if !numeric.MatchString(n.PageID) {
		return Attachment{}, &confluence.Error{Kind: confluence.KindNotFound}
	}
	before, after, kind, err := n.form()
	if err != nil {
		return Attachment{}, &confluence.Error{Kind: confluence.KindProtocol, Err: err}
	}
	method, query := http.MethodPost, url.Values{"status": {"current"}}
	if n.Version {
		method = http.MethodPut
	}
	if n.Draft {
		query.Set("status", "draft")
	}
	var answer uploaded
	err = c.Stream(ctx, confluence.Upload{
		Method: method, Path: "/rest/api/content/" + n.PageID + "/child/attachment", Query: query, Type: kind,
		Length: int64(len(before)) + n.Size + int64(len(after)),
		Body:   io.MultiReader(bytes.NewReader(before), n.Body, bytes.NewReader(after)),
	}, &answer)
	if err != nil {
		return Attachment{}, err
	}
	if len(answer.Results) != 1 || !ValidID(answer.Results[0].ID) || answer.Results[0].Version.Number < 1 {
		return Attachment{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK, Unsure: true}
	}
	r := answer.Results[0]
	return Attachment{
		ID: r.ID, Status: r.Status, Name: r.Title, MediaType: r.Extensions.MediaType, Comment: r.Extensions.Comment, PageID: n.PageID,
		Size: r.Extensions.FileSize, Version: r.Version.Number, Author: r.Version.By.AccountID, Created: r.Version.When,
		Path: confluence.SitePath(r.Links.WebUI),
	}, nil
}

// form is what stands before and after the file in the body, which is multipart
// form data (RFC 7578), and the media type of all of it.
func (n New) form() (before, after []byte, kind string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	field := func(name, kind, value string) {
		if err != nil {
			return
		}
		header := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"`}}
		if kind != "" {
			header.Set("Content-Type", kind)
		}
		part, failed := form.CreatePart(header)
		if failed == nil {
			_, failed = io.WriteString(part, value)
		}
		err = failed
	}
	field("minorEdit", "", strconv.FormatBool(n.Minor))
	if n.Comment != "" {
		field("comment", "text/plain; charset=utf-8", n.Comment)
	}
	if err == nil {
		_, err = form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename="%s"`, quoted.Replace(n.Name))},
			"Content-Type":        {n.MediaType},
		})
	}
	head := b.Len()
	if err == nil {
		err = form.Close()
	}
	return b.Bytes()[:head:head], b.Bytes()[head:], form.FormDataContentType(), err
}

// quoted makes a name fit for a quoted string, in the way of browsers.
var quoted = strings.NewReplacer("\\", "_", `"`, "%22", "\r", "_", "\n", "_")

// Edit is what changes of a file without its content. What is "" stays.
type Edit struct {
	Name, Comment string
}

// Change renames a file of a page or gives it another comment, of which nobody is
// told. Number must be the version of the file, else it is KindConflict: the
// published description says in one place that this is the current one, and in
// another the one after it.
func Change(ctx context.Context, c *confluence.Client, a Attachment, number int, e Edit) (Attachment, error) {
	page := a.PageID + a.BlogPostID
	if !numeric.MatchString(page) || !ValidID(a.ID) {
		return Attachment{}, &confluence.Error{Kind: confluence.KindNotFound}
	}
	body := map[string]any{"id": a.ID, "type": "attachment", "version": map[string]any{"number": number, "minorEdit": true, "when": nil}}
	if e.Name != "" {
		body["title"] = e.Name
		a.Name = e.Name
	}
	if e.Comment != "" {
		body["metadata"] = map[string]any{"comment": e.Comment}
		a.Comment = e.Comment
	}
	var answer struct {
		ID      string             `json:"id"`
		Title   string             `json:"title"`
		Version confluence.Version `json:"version"`
	}
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodPut, Path: "/rest/api/content/" + page + "/child/attachment/" + a.ID, Body: body}, &answer); err != nil {
		return Attachment{}, err
	}
	if answer.ID != a.ID || answer.Title != a.Name || answer.Version.Number < a.Version {
		return Attachment{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK, Unsure: true}
	}
	a.Version = answer.Version.Number
	return a, nil
}

// Trash puts a file into the trash.
func Trash(ctx context.Context, c *confluence.Client, id string) error {
	if !ValidID(id) {
		return &confluence.Error{Kind: confluence.KindNotFound}
	}
	_, err := c.Do(ctx, confluence.Request{Method: http.MethodDelete, Path: "/api/v2/attachments/" + id}, nil)
	return err
}

// Download returns the content of a version of an attachment, 0 for the latest,
// and its length, -1 if it is not told. The caller closes it.
func Download(ctx context.Context, c *confluence.Client, pageID, id string, version int) (io.ReadCloser, int64, error) {
	if !numeric.MatchString(pageID) || !ValidID(id) {
		return nil, 0, &confluence.Error{Kind: confluence.KindNotFound}
	}
	query := url.Values{}
	if version > 0 {
		query.Set("version", strconv.Itoa(version))
	}
	return c.Download(ctx, "/rest/api/content/"+pageID+"/child/attachment/"+id+"/download", query)
}
