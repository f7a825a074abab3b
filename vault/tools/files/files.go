// Package files has the tools that move and read the attachments of pages, and
// brings the images of a text to the page that it is written for. Files go from
// the caller's computer to Confluence and back without being kept, and never
// through the conversation, but for what a model can read of them.
package files

import (
	"mime"
	"path"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tools of attachments.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, newReading().tool())
	tool.Register(s, set, uploadTool)
	tool.Register(s, set, downloadTool)
}

// MaxComment is how many characters of a comment Confluence keeps in sight.
const MaxComment = 500

// fileOut is a file as answers have it.
type fileOut struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Size      int64  `json:"size"`
	Version   int    `json:"version"`
	Created   string `json:"created,omitempty"`
	Comment   string `json:"comment,omitempty"`
	URL       string `json:"url,omitempty"`
}

func shown(f files.File) fileOut {
	return fileOut{
		f.ID, plaintext.Line(f.Name, 255), plaintext.Line(f.MediaType, 100), f.Size, f.Version, tool.Stamp(f.Created),
		plaintext.Line(f.Comment, MaxComment), f.URL,
	}
}

// noComputer is for calls that did not come over a shim.
func noComputer() error {
	return usererr.New(usererr.Unavailable, "This vault moves no files", "Ask the administrator of the vault")
}

// base is the name in a path of any system.
func base(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return name
}

// CleanName is a name fit for an attachment: one line without separators and
// without quotation marks, which servers read from a form in several ways.
func CleanName(name string) (string, error) {
	name = strings.TrimSpace(strings.NewReplacer(`"`, "'", `\`, "_").Replace(plaintext.Line(base(name), 200)))
	if name == "" || name == "." || name == ".." {
		return "", usererr.New(usererr.BadInput, "The file has no name that can be used", "Give a name")
	}
	return name, nil
}

// mediaType is what a name says of a file's content.
func mediaType(name string) string {
	ending := strings.ToLower(path.Ext(name))
	for kind, known := range endings {
		if known == ending {
			return kind
		}
	}
	switch ending { // which not every system knows
	case ".md":
		return "text/markdown"
	case ".csv":
		return "text/csv"
	case ".docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case ".xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case ".pptx":
		return "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	}
	if kind := mime.TypeByExtension(ending); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

// since reports whether a version was made after a write was begun, as far as
// clocks tell.
func since(made, started time.Time) bool { return !made.Before(started.Add(-2 * time.Minute)) }
