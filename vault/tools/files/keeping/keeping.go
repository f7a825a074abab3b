// Package keeping renames the files of pages, gives them other comments, and
// puts them into the trash after a yes: what confluence_manage_page does with a
// file instead of a page.
package keeping

import (
	"context"
	"errors"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/files"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/confirm"
	named "github.com/coatcheck-mcp/coatcheck/vault/tools/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Deed is one action on a file of a page.
type Deed struct {
	Tool     string
	Action   string // "rename" or "trash"
	Site     string
	Page     string // id or address
	File     string // name or id
	Name     string // rename: the new one; "" stays
	Comment  string // rename: the new one; "" stays
	Expected int    // version of the file; 0 for any
	Dry      bool
	Confirm  string
	Input    any // the arguments
}

// Do does it, once. Of a deletion the person is asked first.
func Do(ctx context.Context, t *tool.Set, d Deed) (change.Out, string, error) {
	k := keeping{set: t, Deed: d}
	op := guard.Op[change.Out]{
		Tool: d.Tool, Site: d.Site, Page: d.Page, Input: d.Input,
		Check: "Look at the file with confluence_get_attachment",
	}
	var err error
	if d.Action == "trash" {
		k.agreed, k.confirmed, err = confirm.Given(ctx, t, d.Tool, d.Confirm)
		op.Run, op.Settle = k.trash, k.trashed
	} else {
		k.Name, err = d.name()
		op.Run, op.Settle = k.rename, k.renamed
	}
	if err != nil {
		return change.Out{}, "", err
	}
	caller, _ := identity.From(ctx) // a guest is refused below
	// One that comes again may have been agreed to before: the journal knows.
	if asks := d.Action == "trash" && !k.confirmed && !caller.Replayed; d.Dry || asks {
		op.Run, op.Settle = k.ask, nil
	}
	out, err := guard.Do(ctx, t.Door, op)
	return out, text(out), err
}

// name is the new name, fit for a file.
func (d Deed) name() (string, error) {
	if err := arguments.OneLine("message", d.Comment, named.MaxComment); err != nil {
		return "", err
	}
	switch {
	case d.Name != "":
		return named.CleanName(d.Name)
	case d.Comment == "":
		return "", usererr.New(usererr.BadInput, `The argument "title" is missing`, "Give the new name of the file as title, or its new comment as message")
	}
	return "", nil
}

func text(out change.Out) string {
	return fmt.Sprintf("%s\n\n%s (file %s of page %s in space %s on site %s, version %d)\n%s\n", out.Message, out.Title, out.ID, out.ParentID, out.Space, out.Site, out.Version, out.URL)
}

// keeping is a deed on its way.
type keeping struct {
	Deed
	set       *tool.Set
	agreed    confirm.Deed
	confirmed bool
}

// find reads the page and the file, at the version that is expected, if one is.
func (k keeping) find(ctx context.Context, w *guard.Wiki) (guard.Page, files.File, error) {
	page, err := w.Page(ctx, k.Page)
	if err != nil {
		return page, files.File{}, err
	}
	f, err := files.Find(ctx, w, page, k.File)
	if err == nil && k.Expected != 0 && f.Version != k.Expected {
		err = usererr.Wrap(guard.ErrConflict, usererr.Conflict, fmt.Sprintf("The file is at version %d, not %d; nothing was done", f.Version, k.Expected), "Look at it first")
	}
	return page, f, err
}

// answered is the answer about a file: its page stands in the place of what is
// above a page.
func answered(w *guard.Wiki, page guard.Page, f files.File, message string) change.Out {
	return change.Out{
		ID: f.ID, Title: plaintext.Line(f.Name, 255), Space: page.Space, Site: w.Site(), Version: f.Version, URL: f.URL,
		ParentID: page.ID, Message: message,
	}
}

// shows says that the text of a page names a file, which it then looks for in
// vain.
func shows(page guard.Page, f files.File) string {
	if strings.Contains(page.Body, `ri:filename="`+html.EscapeString(f.Name)+`"`) {
		return ", which the text of the page shows or links to"
	}
	return ""
}

// ask says what would happen, and asks for a yes to a deletion.
func (k keeping) ask(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, f, err := k.find(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	about := fmt.Sprintf("the file %q (%s, version %d, %d bytes) of the page %q%s", plaintext.Line(f.Name, 200), f.ID, f.Version, f.Size, page.Title, shows(page, f))
	switch {
	case k.Action == "trash" && !k.Dry:
		return change.Out{}, confirm.Ask(ctx, k.set, k.Tool, k.deed(w, f), "Put into the trash: "+about+", in space "+page.Space+" on site "+w.Site())
	case k.Action == "trash":
		return answered(w, page, f, "Nothing was done: this would put into the trash "+about+"."), nil
	}
	if err := k.free(ctx, w, page, f); err != nil {
		return change.Out{}, err
	}
	var would []string
	if k.Name != "" {
		would = append(would, fmt.Sprintf("rename it to %q", k.Name))
	}
	if k.Comment != "" {
		would = append(would, "change its comment")
	}
	return answered(w, page, f, "Nothing was done: of "+about+" this would "+strings.Join(would, " and ")+"."), nil
}

// deed is what the person agrees to.
func (k keeping) deed(w *guard.Wiki, f files.File) confirm.Deed {
	return confirm.Deed{Action: k.Action, Site: w.Site(), Kind: "attachment", ID: f.ID, Version: f.Version}
}

// free refuses a name that another file of the page has.
func (k keeping) free(ctx context.Context, w *guard.Wiki, page guard.Page, f files.File) error {
	if k.Name == "" || k.Name == f.Name {
		return nil
	}
	other, err := files.Find(ctx, w, page, k.Name)
	switch {
	case usererr.CodeOf(err) == usererr.NotFound:
		return nil
	case err != nil:
		return errors.Join(guard.ErrRefused, err)
	}
	return usererr.Wrap(guard.ErrDuplicate, usererr.Conflict, "The page has a file "+plaintext.Line(other.Name, 80)+" already", "Give another name")
}

func (k keeping) rename(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, f, err := k.find(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	if err := k.free(ctx, w, page, f); err != nil {
		return change.Out{}, err
	}
	return k.change(ctx, w, page, f)
}

func (k keeping) change(ctx context.Context, w *guard.Wiki, page guard.Page, f files.File) (change.Out, error) {
	now, err := files.Change(ctx, w, page, f, files.Edit{Name: k.Name, Comment: k.Comment})
	if err != nil {
		return change.Out{}, err
	}
	return k.changed(w, page, f, now), nil
}

func (k keeping) changed(w *guard.Wiki, page guard.Page, was, now files.File) change.Out {
	message := "The file was changed."
	if named := shows(page, was); named != "" && was.Name != now.Name {
		message = fmt.Sprintf("The file was changed. It was %q%s: look whether it still does.", plaintext.Line(was.Name, 80), named)
	}
	return answered(w, page, now, message)
}

// renamed finds out whether the file is as it should be, and makes it so if it
// is as it was: that is the same however often it is done.
func (k keeping) renamed(ctx context.Context, w *guard.Wiki, _ time.Time) (change.Out, error) {
	unsure := usererr.New(usererr.Unknown, "It is not certain whether the file was changed", "Look for it with confluence_get_attachment")
	page, err := w.Page(ctx, k.Page)
	if err != nil {
		return change.Out{}, err
	}
	f, err := files.Find(ctx, w, page, k.File)
	if usererr.CodeOf(err) == usererr.NotFound && k.Name != "" { // it was named by its former name
		f, err = files.Find(ctx, w, page, k.Name)
	}
	switch {
	case usererr.CodeOf(err) == usererr.NotFound:
		return change.Out{}, unsure
	case err != nil:
		return change.Out{}, err
	case (k.Name == "" || f.Name == k.Name) && (k.Comment == "" || f.Comment == k.Comment):
		return k.changed(w, page, files.File{Name: k.File}, f), nil
	case k.Expected != 0 && f.Version != k.Expected, k.free(ctx, w, page, f) != nil:
		return change.Out{}, unsure // somebody was here
	}
	return k.change(ctx, w, page, f)
}

func (k keeping) trash(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	if !k.confirmed {
		return change.Out{}, guard.Refused(usererr.Refused, "Nothing was done: this needs to be confirmed", "Make the call again")
	}
	page, f, err := k.find(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	if err := k.agreed.Covers(k.deed(w, f)); err != nil {
		return change.Out{}, err
	}
	return k.remove(ctx, w, page, f)
}

func (k keeping) remove(ctx context.Context, w *guard.Wiki, page guard.Page, f files.File) (change.Out, error) {
	if err := files.Trash(ctx, w, f); err != nil {
		return change.Out{}, err
	}
	return k.gone(w, page, f), nil
}

func (k keeping) gone(w *guard.Wiki, page guard.Page, f files.File) change.Out {
	out := answered(w, page, f, "The file is in the trash. Confluence can restore it from there, in the browser.")
	out.Status = "trashed"
	return out
}

// trashed finds out whether the file is gone. It was agreed to when this was
// begun.
func (k keeping) trashed(ctx context.Context, w *guard.Wiki, _ time.Time) (change.Out, error) {
	page, f, err := k.find(ctx, w)
	switch {
	case usererr.CodeOf(err) == usererr.NotFound && page.ID != "":
		gone := files.File{ID: k.agreed.ID, Name: k.File, Version: k.agreed.Version}
		return k.gone(w, page, gone), nil
	case errors.Is(err, guard.ErrConflict), err == nil && (!k.confirmed || k.agreed.Covers(k.deed(w, f)) != nil):
		// Another version, or perhaps another file that has the name by now.
		return change.Out{}, usererr.New(usererr.Unknown, "There is such a file, and it is not certain whether it is the one that was to be deleted", "Look at it")
	case err != nil:
		return change.Out{}, err
	}
	return k.remove(ctx, w, page, f)
}
