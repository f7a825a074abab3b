package files

import (
	"context"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const download = "confluence_download_attachment"

type downloadIn struct {
	Page      arguments.Ref `json:"page" jsonschema:"id or URL"`
	File      string        `json:"file" jsonschema:"name or id (att…)"`
	Folder    string        `json:"folder" jsonschema:"allowed folder of the person's computer"`
	Version   int           `json:"version,omitempty" jsonschema:"default: the latest"`
	Overwrite bool          `json:"overwrite,omitempty" jsonschema:"replace a file there"`
	Site      string        `json:"site,omitempty"`
}

type downloadOut struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	Version int    `json:"version"`
	SHA256  string `json:"sha256"`
}

var downloadTool = tool.Spec[downloadIn, downloadOut]{
	Name: download, Title: "Download a file of a Confluence page",
	Description: "Save an attachment of a page in a folder of the person's computer. The content does not pass through the conversation.",
	Bulk:        true,
	Run:         fetch,
}

func fetch(ctx context.Context, t *tool.Set, in downloadIn) (downloadOut, string, error) {
	if t.Computer == nil {
		return downloadOut{}, "", noComputer()
	}
	if in.Version < 0 {
		return downloadOut{}, "", usererr.New(usererr.BadInput, `The argument "version" must be 1 or more`, "Leave it out for the latest")
	}
	told := in
	told.Folder = base(in.Folder)
	held := tool.Hold(ctx)
	defer held.Drop()
	out, err := guard.Do(asking(ctx, told), t.Door, guard.Op[downloadOut]{
		Tool: download, Site: in.Site, Page: string(in.Page), Bulk: true,
		Run: func(ctx context.Context, w *guard.Wiki) (downloadOut, error) {
			return saving{t, w, held}.save(ctx, in)
		},
	})
	if err == nil {
		out.Path, err = held.Keep()
	}
	return out, fmt.Sprintf("The file was saved: %s (%d bytes, version %d)\n", out.Path, out.Size, out.Version), err
}

// saving is one file on its way to the caller's computer.
type saving struct {
	set  *tool.Set
	w    *guard.Wiki
	held *tool.Held
}

// save writes the file, which is kept later.
func (s saving) save(ctx context.Context, in downloadIn) (downloadOut, error) {
	page, err := s.w.Page(ctx, string(in.Page))
	if err != nil {
		return downloadOut{}, err
	}
	f, err := files.Find(ctx, s.w, page, in.File)
	if err != nil {
		return downloadOut{}, err
	}
	version, size := in.Version, f.Size
	switch {
	case version > f.Version:
		return downloadOut{}, usererr.New(usererr.NotFound, fmt.Sprintf("The file has no version %d", version), fmt.Sprintf("The latest is %d", f.Version))
	case version == f.Version:
		version = 0 // whose size is known
	case version > 0:
		size = 0
	}
	target, err := s.held.Create(ctx, s.set.Computer, in.Folder, f.Name, size)
	if err != nil {
		return downloadOut{}, err
	}
	moved := int64(0)
	sum, err := files.Download(ctx, s.w, page, files.Content{File: f, Version: version, Into: target, Told: func(done int64) {
		moved = done
		tool.Progress(ctx, done, size, "Downloading")
	}})
	if err != nil {
		return downloadOut{}, err
	}
	s.held.Written()
	if version == 0 {
		version = f.Version
	}
	return downloadOut{Name: shown(f).Name, Size: moved, Version: version, SHA256: sum}, nil
}
