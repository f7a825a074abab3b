// Package files lists, uploads and downloads attachments with the guard's
// leave: a file may be reached where its page may. What moves, moves through;
// nothing of it is kept.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/files"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/bulk"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// Scopes that the calls need. v1 calls take a classic scope as well.
const (
	scopeRead  = "read:attachment:confluence"
	scopeWrite = "write:attachment:confluence and read:content-details:confluence (or write:confluence-file)"
)

// File is an attachment of a page that the person may see.
type File struct {
	ID, Name, MediaType, Comment string
	Size                         int64
	Version                      int
	Author                       string // account id of who made this version
	Created                      time.Time
	URL                          string
	MediaID                      string // under which pictures of pages are named; "" if it is not told
}

// Query says which files of a page are wanted. What is empty does not narrow.
type Query struct {
	Name, MediaType string
	Limit           int
	Cursor          string
}

// List returns a part of the files of a page, and the cursor of the next. Those
// that policy denies are left out.
func List(ctx context.Context, w *guard.Wiki, page guard.Page, q Query) ([]File, string, error) {
	found, next, err := list(ctx, w, page, q)
	all := make([]File, 0, len(found))
	for _, a := range found {
		if w.AllowedFile(policy.File{Name: a.Name, MediaType: a.MediaType, Size: a.Size}) != nil {
			w.Withhold(1)
			continue
		}
		all = append(all, file(w, page, a))
	}
	return all, next, err
}

func list(ctx context.Context, w *guard.Wiki, page guard.Page, q Query) ([]files.Attachment, string, error) {
	if err := switchedOff(w); err != nil {
		return nil, "", err
	}
	var found []files.Attachment
	var next string
	filter := files.Filter{PageID: page.ID, Blog: page.Type == "blogpost", Name: q.Name, MediaType: q.MediaType}
	err := w.Ask(ctx, "The list of files of page "+page.ID, scopeRead, func(c *confluence.Client) (err error) {
		found, next, err = files.List(ctx, c, filter, q.Limit, q.Cursor)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return slices.DeleteFunc(found, func(a files.Attachment) bool {
		return a.PageID != page.ID && a.BlogPostID != page.ID // not what was asked for
	}), next, nil
}

func file(w *guard.Wiki, page guard.Page, a files.Attachment) File {
	w.Note("attachment", a.ID, page.Space)
	return File{a.ID, a.Name, a.MediaType, a.Comment, a.Size, a.Version, a.Author, a.Created, w.Link(a.Path), a.MediaID}
}

// Find returns the file of a page with an id or with exactly this name.
func Find(ctx context.Context, w *guard.Wiki, page guard.Page, ref string) (File, error) {
	if err := switchedOff(w); err != nil {
		return File{}, err
	}
	if files.ValidID(ref) {
		var a files.Attachment
		err := w.Ask(ctx, "The file "+ref, scopeRead, func(c *confluence.Client) (err error) {
			a, err = files.Get(ctx, c, ref)
			if err == nil && (a.PageID != page.ID && a.BlogPostID != page.ID || a.Status != "current") {
				err = &confluence.Error{Kind: confluence.KindNotFound}
			}
			return err
		})
		if err != nil {
			return File{}, lost(err, page)
		}
		f := file(w, page, a)
		return f, admitted(w, page, f)
	}
	found, _, err := list(ctx, w, page, Query{Name: ref, Limit: 5})
	if err != nil {
		return File{}, err
	}
	return one(w, page, found, "The page has no file "+plaintext.Line(ref, 80), func(a files.Attachment) bool { return a.Name == ref })
}

// OfMedia returns the file of a page with a media id, among the first hundred.
func OfMedia(ctx context.Context, w *guard.Wiki, page guard.Page, id string) (File, error) {
	found, _, err := list(ctx, w, page, Query{Limit: 100})
	if err != nil {
		return File{}, err
	}
	return one(w, page, found, "The page has no such file", func(a files.Attachment) bool { return a.MediaID == id })
}

// one is the file that is meant, if policy allows it.
func one(w *guard.Wiki, page guard.Page, found []files.Attachment, none string, meant func(files.Attachment) bool) (File, error) {
	i := slices.IndexFunc(found, meant)
	if i < 0 {
		return File{}, lost(usererr.New(usererr.NotFound, none, ""), page)
	}
	f := file(w, page, found[i])
	return f, admitted(w, page, f)
}

// lost says where the names of files are.
func lost(err error, page guard.Page) error {
	if usererr.CodeOf(err) != usererr.NotFound {
		return err
	}
	said, _ := usererr.From(err)
	return usererr.Wrap(err, usererr.NotFound, said.Message, "confluence_get_attachment with page "+page.ID+" and without a file lists its files")
}

// New is a file to attach.
type New struct {
	Name, MediaType, Comment string
	Minor                    bool
	Version                  bool // one of this name may be there, and gets another version
	Size                     int64
	Body                     io.Reader
	// Told is called with the bytes that are on their way or there. Optional.
	Told func(done int64)
}

// ErrTaken is in the chain of the error for a page that has a file of this name.
var ErrTaken = errors.New("the page has a file of this name")

// Upload attaches a file to a page, within a call with a Settle. Whether the
// body was read to its end, so that the file may be there although it fails,
// tells complete.
func Upload(ctx context.Context, w *guard.Wiki, page guard.Page, n New) (f File, complete bool, err error) {
	if err := admitted(w, page, File{Name: n.Name, MediaType: n.MediaType, Size: n.Size}); err != nil {
		return File{}, false, errors.Join(guard.ErrRefused, err)
	}
	body := newMeter(ctx, n.Body, n.Told)
	var a files.Attachment
	err = w.Send(ctx, "The page "+page.ID, scopeWrite, func(c *confluence.Client) (err error) {
		if body.begun {
			return &confluence.Error{Kind: confluence.KindToken} // it cannot be sent again
		}
		a, err = files.Upload(ctx, c, files.New{
			PageID: page.ID, Name: n.Name, MediaType: n.MediaType, Comment: n.Comment, Minor: n.Minor, Draft: page.Status == "draft",
			Version: n.Version, Size: n.Size, Body: body,
		})
		return err
	})
	complete = body.end == io.EOF //nolint:errorlint // as readers return it
	cutShort := body.end != nil && !complete
	switch {
	case err == nil && a.Size != n.Size:
		return File{}, true, &confluence.Error{Kind: confluence.KindProtocol, Unsure: true}
	case err == nil:
		w.Remark(body.remark(n.Name))
		return file(w, page, a), true, nil
	case cutShort || !complete && !errors.Is(err, guard.ErrRefused):
		return File{}, false, broken(ctx, err, body)
	}
	return File{}, complete, refusal(err, n)
}

// broken is the error of an upload whose body did not come to its end, so that
// Confluence cannot have taken it.
func broken(ctx context.Context, err error, body *meter) error {
	switch {
	case body.end != nil:
		err = body.end
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	if _, ok := usererr.From(err); !ok {
		err = usererr.Wrap(err, usererr.Unavailable, "The upload was cut off; nothing was attached", "Try again")
	}
	return errors.Join(guard.ErrRefused, hide{err})
}

// hide keeps errors of package confluence, which would leave the outcome open,
// out of the chain of one that is certain.
type hide struct{ error }

// As finds the user error alone.
func (h hide) As(target any) bool {
	said, ok := usererr.From(h.error)
	if into, is := target.(**usererr.Error); ok && is {
		*into = said
		return true
	}
	return false
}

func refusal(err error, n New) error {
	var e *confluence.Error
	if !errors.As(err, &e) || e.Unsure {
		return err
	}
	switch {
	case e.Kind == confluence.KindBadRequest && !n.Version:
		return usererr.Wrap(errors.Join(guard.ErrRefused, ErrTaken), usererr.Conflict,
			"The page has a file "+plaintext.Line(n.Name, 80)+" already", "Set new_version to true, or give another name")
	case e.Kind == confluence.KindTooLarge, e.Kind == confluence.KindNotFound:
		return usererr.Wrap(errors.Join(guard.ErrRefused, err), usererr.Denied,
			fmt.Sprintf("Confluence does not take this file of %d bytes: it is larger than the site allows, or you may not attach files to this page", n.Size),
			"Ask the site's administrator for the limit and for the permission")
	}
	return err
}

// Content is the content of a file that is wanted.
type Content struct {
	File    File
	Version int // 0 for the latest
	Into    io.Writer
	Told    func(done int64) // optional; called with the bytes that have come
}

// Download writes the content of a file of page. It returns its SHA-256.
func Download(ctx context.Context, w *guard.Wiki, page guard.Page, c Content) (string, error) {
	body, length, err := open(ctx, w, page, c)
	if err != nil {
		return "", err
	}
	defer body.Close()
	content := newMeter(ctx, body, c.Told)
	content.admit = func(n int64) error { // an older version may be larger than the file is now
		return admitted(w, page, File{ID: c.File.ID, Name: c.File.Name, MediaType: c.File.MediaType, Size: n})
	}
	if c.Version == 0 {
		content.from = io.LimitReader(body, c.File.Size+1) // one more shows that there is more
	}
	_, err = io.Copy(c.Into, content)
	switch {
	case err != nil && content.end == nil:
		return "", err // of who takes it
	case err != nil && ctx.Err() != nil:
		return "", cut(context.Cause(ctx))
	case err != nil, length >= 0 && content.n != length, c.Version == 0 && content.n != c.File.Size:
		return "", cut(err)
	}
	w.Remark(content.remark(c.File.Name))
	return content.sum(), nil
}

func cut(err error) error {
	if _, ok := usererr.From(err); ok {
		return err
	}
	return usererr.Wrap(err, usererr.Unavailable, "The file was cut off on its way from Confluence", "Try again")
}

func open(ctx context.Context, w *guard.Wiki, page guard.Page, want Content) (body io.ReadCloser, length int64, err error) {
	err = w.Ask(ctx, "The file "+plaintext.Line(want.File.Name, 80), "readonly:content.attachment:confluence (or "+scopeRead+")", func(c *confluence.Client) (err error) {
		body, length, err = files.Download(ctx, c, page.ID, want.File.ID, want.Version)
		return err
	})
	return body, length, err
}

// meter counts and hashes what is read, and says that the call gets on.
type meter struct {
	ctx   context.Context //nolint:containedctx // of the one call
	from  io.Reader
	told  func(int64)
	hash  hash.Hash
	n     int64
	admit func(n int64) error // whether there may be so much; nil for any
	end   error               // the first error, io.EOF included
	begun bool
}

func newMeter(ctx context.Context, from io.Reader, told func(int64)) *meter {
	return &meter{ctx: ctx, from: from, told: told, hash: sha256.New()}
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	m.begun = true
	n, err := m.from.Read(p)
	if n > 0 {
		m.hash.Write(p[:n])
		m.n += int64(n)
		bulk.Moved(m.ctx)
		if m.told != nil {
			m.told(m.n)
		}
		if m.admit != nil {
			if no := m.admit(m.n); no != nil {
				err = no
			}
		}
	}
	if err != nil && m.end == nil {
		m.end = err
	}
	return n, err
}

func (m *meter) sum() string { return hex.EncodeToString(m.hash.Sum(nil)) }

// remark is what the audit record says of a file.
func (m *meter) remark(name string) string {
	return fmt.Sprintf("file %q, %d bytes, sha256 %s", plaintext.Line(name, 200), m.n, m.sum())
}
