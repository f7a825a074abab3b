package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const upload = "confluence_upload_attachment"

type uploadIn struct {
	Page       arguments.Ref `json:"page" jsonschema:"id or URL"`
	Path       string        `json:"path" jsonschema:"file of the person's computer, in an allowed folder"`
	Name       string        `json:"name,omitempty" jsonschema:"default: that of the file"`
	NewVersion bool          `json:"new_version,omitempty" jsonschema:"replace a file of this name"`
	Comment    string        `json:"comment,omitempty"`
	MinorEdit  bool          `json:"minor_edit,omitempty" jsonschema:"notify nobody"`
	Site       string        `json:"site,omitempty"`
}

type uploadOut struct {
	fileOut
	Page    string `json:"page"`
	Message string `json:"message"`
}

var uploadTool = tool.Spec[uploadIn, uploadOut]{
	Name: upload, Title: "Attach a file to a Confluence page",
	Description: "Attach a file of the person's computer to a page. The content does not pass through the conversation.",
	Write:       true, Bulk: true,
	Run: attach,
}

func attach(ctx context.Context, t *tool.Set, in uploadIn) (uploadOut, string, error) {
	if t.Computer == nil {
		return uploadOut{}, "", noComputer()
	}
	in.Comment = strings.TrimSpace(in.Comment)
	if err := arguments.OneLine("comment", in.Comment, MaxComment); err != nil {
		return uploadOut{}, "", err
	}
	u := &sending{in: in, set: t}
	told := in
	told.Path = base(in.Path)
	out, err := guard.Do(asking(ctx, told), t.Door, guard.Op[uploadOut]{
		Tool: upload, Site: in.Site, Page: string(in.Page), Input: in, Bulk: true,
		Run: u.run, Settle: u.settle,
		Check: "Look for the file with confluence_get_attachment before attaching it again",
	})
	return out, uploadText(out), err
}

// asking replaces the arguments in the audit record by those without the folders
// of somebody's computer.
func asking(ctx context.Context, in any) context.Context {
	data, err := json.Marshal(in)
	if err != nil {
		data = nil // impossible: a struct of texts
	}
	return guard.Asking(ctx, data)
}

// sending is one file on its way to a page.
type sending struct {
	in       uploadIn
	set      *tool.Set
	complete bool // all of it was sent
}

func (u *sending) run(ctx context.Context, w *guard.Wiki) (uploadOut, error) {
	page, err := pageFor(ctx, w, string(u.in.Page))
	if err != nil {
		return uploadOut{}, err
	}
	source, err := u.set.Computer.Open(ctx, u.in.Path)
	if err != nil {
		return uploadOut{}, refused(err)
	}
	defer source.Close()
	name, err := u.name(source)
	if err != nil {
		return uploadOut{}, refused(err)
	}
	// This also sees to it that the token is fresh: a body is sent once.
	before, _, err := files.List(ctx, w, page, files.Query{Name: name, Limit: 5})
	if err != nil {
		return uploadOut{}, refused(err)
	}
	if len(before) > 0 && !u.in.NewVersion {
		return uploadOut{}, tool.Detailed(usererr.Wrap(errors.Join(guard.ErrRefused, files.ErrTaken), usererr.Conflict,
			"The page has a file "+name+" already", "Set new_version to true if the person wants it replaced, or give another name"),
			fmt.Sprintf("The other file: %s (version %d, %d bytes)", before[0].ID, before[0].Version, before[0].Size))
	}
	var made files.File
	made, u.complete, err = files.Upload(ctx, w, page, files.New{
		Name: name, MediaType: mediaType(name), Comment: u.in.Comment, Minor: u.in.MinorEdit, Version: u.in.NewVersion,
		Size: source.Size(), Body: source, Told: func(done int64) { tool.Progress(ctx, done, source.Size(), "Attaching "+name) },
	})
	if err != nil {
		return uploadOut{}, err
	}
	return attached(page, made), nil
}

func (u *sending) name(source tool.Source) (string, error) {
	if u.in.Name != "" {
		return CleanName(u.in.Name)
	}
	return CleanName(source.Name())
}

// refused says that nothing was attached.
func refused(err error) error {
	if errors.Is(err, guard.ErrRefused) {
		return err
	}
	return errors.Join(guard.ErrRefused, err)
}

// pageFor returns a page that takes files.
func pageFor(ctx context.Context, w *guard.Wiki, ref string) (guard.Page, error) {
	page, err := w.Page(ctx, ref)
	if err == nil && page.Status != "current" && page.Status != "draft" {
		err = usererr.New(usererr.BadInput, "The page is "+page.Status+", so it takes no files", "Restore it first")
	}
	if err != nil {
		return page, refused(err)
	}
	return page, nil
}

func attached(page guard.Page, f files.File) uploadOut {
	message := "The file was attached."
	if f.Version > 1 {
		message = fmt.Sprintf("The file was attached as version %d.", f.Version)
	}
	return uploadOut{shown(f), page.ID, message}
}

func uploadText(out uploadOut) string {
	return fmt.Sprintf("%s\n\n%s (%s, %d bytes, %s, version %d) on page %s\n", out.Message, out.Name, out.ID, out.Size, out.MediaType, out.Version, out.Page)
}

// settle looks whether the file is there. One that is not is not sent again: it
// may be large, and whoever asked may have thought better of it.
func (u *sending) settle(ctx context.Context, w *guard.Wiki, started time.Time) (uploadOut, error) {
	page, err := w.Page(ctx, string(u.in.Page))
	if err != nil {
		return uploadOut{}, err
	}
	source, err := u.set.Computer.Open(ctx, u.in.Path)
	if err != nil {
		return uploadOut{}, err
	}
	defer source.Close()
	name, err := u.name(source)
	if err != nil {
		return uploadOut{}, err
	}
	me, err := w.Me(ctx)
	if err != nil {
		return uploadOut{}, err
	}
	found, _, err := files.List(ctx, w, page, files.Query{Name: name, Limit: 5})
	if err != nil {
		return uploadOut{}, err
	}
	for _, f := range found {
		if f.Name == name && f.Author == me.ID && f.Size == source.Size() && since(f.Created, started) {
			return attached(page, f), nil
		}
	}
	if w.Ours() && !u.complete {
		return uploadOut{}, usererr.Wrap(guard.ErrRefused, usererr.Unavailable, "The upload did not come to its end; nothing was attached", "Try again")
	}
	return uploadOut{}, usererr.New(usererr.Unknown, "The file is not there, but Confluence may still be at it", "Look again in a minute")
}
