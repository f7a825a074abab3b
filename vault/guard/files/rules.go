package files

import (
	"errors"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

const askAdministrator = "Ask the administrator of the vault"

// admitted refuses a file of a page, or one that is to be, that policy denies.
// Unlike a page it is not said to be missing: the person sees in a browser that
// it is there, and looks for a mistake in vain.
func admitted(w *guard.Wiki, page guard.Page, f File) error {
	err := w.AllowedFile(policy.File{Name: f.Name, MediaType: f.MediaType, Size: f.Size})
	if err == nil {
		return nil
	}
	w.Remark("denied: attachment " + plaintext.Line(f.ID+" "+f.Name, 120) + "@" + page.Space)
	return usererr.Wrap(err, usererr.Denied, "The file "+plaintext.Line(f.Name, 80)+" is "+err.Error(), askAdministrator)
}

// switchedOff refuses where no files may be seen at all.
func switchedOff(w *guard.Wiki) error {
	err := w.AllowedFile(policy.File{})
	if no := (*policy.FileError)(nil); errors.As(err, &no) && no.Off {
		return usererr.Wrap(err, usererr.Denied, "Files are switched off for this vault", askAdministrator)
	}
	return nil
}
