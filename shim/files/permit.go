package files

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// names says which arguments of a tool name files. A vault that has other
// tools than these gets no files for them.
type names struct {
	read     string // argument that is the path of a file to read
	write    string // argument that is a folder to write into
	markdown bool   // every text may have images that lie on this computer
}

func namesOf(tool string) (names, bool) {
	switch tool {
	case "confluence_upload_attachment":
		return names{read: "path"}, true
	case "confluence_download_attachment", "confluence_export":
		return names{write: "folder"}, true
	case "confluence_create_page", "confluence_update_page", "confluence_edit_page", "confluence_comment", "confluence_create_content":
		return names{markdown: true}, true
	}
	return names{}, false
}

// permit checks a request to open against the call that it is for. It returns
// whether the call says that a file may be overwritten.
func permit(message []byte, open wire.FileOpen) (overwrite bool, err error) {
	var call struct {
		Params struct {
			Name      string                     `json:"name"`
			Arguments map[string]json.RawMessage `json:"arguments"`
		} `json:"params"`
	}
	no := usererr.New(usererr.Denied, "The call does not name this file, so Coatcheck does not touch it", "Tell the vault's administrator")
	if json.Unmarshal(message, &call) != nil || open.Path == "" || len(open.Path) > wire.MaxPath {
		return false, no
	}
	of, known := namesOf(call.Params.Name)
	args := call.Params.Arguments
	switch {
	case !known:
		return false, no
	case open.Mode == wire.FileWrite && of.write != "" && text(args[of.write]) == open.Path:
		return strings.EqualFold(strings.Trim(string(args["overwrite"]), `"`), "true"), nil
	case open.Mode == wire.FileRead && of.read != "" && text(args[of.read]) == open.Path:
		return false, nil
	case open.Mode == wire.FileRead && of.markdown:
		for _, value := range args {
			if shows(value, open.Path) {
				return false, nil
			}
		}
	}
	return false, no
}

func text(value json.RawMessage) string {
	var s string
	_ = json.Unmarshal(value, &s) // no text: ""
	return s
}

// shows reports whether a text anywhere in value has an image or link to path,
// in the way that Markdown writes them.
func shows(value json.RawMessage, path string) bool {
	var any any
	if json.Unmarshal(value, &any) != nil {
		return false
	}
	return inside(any, path)
}

func inside(value any, path string) bool {
	switch v := value.(type) {
	case string:
		return target(v, path)
	case []any:
		return slices.ContainsFunc(v, func(each any) bool { return inside(each, path) })
	case map[string]any:
		for _, each := range v {
			if inside(each, path) {
				return true
			}
		}
	}
	return false
}

// target reports whether path, and not only the beginning of it, stands where
// Markdown has a destination: ![…](path), with < > around it or not, or
// [name]: path.
func target(markdown, path string) bool {
	for at := 0; ; {
		i := strings.Index(markdown[at:], path)
		if i < 0 {
			return false
		}
		before, after := markdown[:at+i], markdown[at+i+len(path):]
		angle := strings.HasSuffix(before, "<")
		before = strings.TrimRight(strings.TrimSuffix(before, "<"), " \t\n")
		opens := strings.HasSuffix(before, "](") || strings.HasSuffix(before, "]:")
		ends := after == "" && !angle || after != "" && (angle && after[0] == '>' || !angle && strings.ContainsRune(") \t\r\n", rune(after[0])))
		if opens && ends {
			return true
		}
		at += i + 1
	}
}
