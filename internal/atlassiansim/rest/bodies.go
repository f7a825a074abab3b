package rest

import (
	"encoding/json"
	"html"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// render is a body in a format. Only storage is exact; the others have the
// right shape and the right words.
func render(v *wiki.Version, format string) string {
	switch format {
	case "storage":
		return v.Body
	case "view":
		return "<p>" + html.EscapeString(v.Plain()) + "</p>"
	}
	type node map[string]any
	document := node{"type": "doc", "version": 1, "content": []node{}}
	if text := v.Plain(); text != "" {
		document["content"] = []node{{"type": "paragraph", "content": []node{{"type": "text", "text": text}}}}
	}
	data, err := json.Marshal(document)
	if err != nil {
		panic("rest: a document that cannot be encoded: " + err.Error()) // it is ours
	}
	return string(data)
}
