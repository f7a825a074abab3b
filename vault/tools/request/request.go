// Package request has the tool for what no other tool does: it reads any
// published path of Confluence's REST API, behind the same door.
package request

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/request"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tool.
func Add(s *mcp.Server, set *tool.Set) { tool.Register(s, set, requestTool) }

const name = "confluence_request"

type in struct {
	Path   string `json:"path,omitempty" jsonschema:"path of a published GET operation, such as /wiki/api/v2/pages/123/versions or /wiki/rest/api/search"`
	Query  any    `json:"query,omitempty" jsonschema:"its parameters as an object, such as {\"limit\": 10}"`
	Max    int    `json:"max_characters,omitempty" jsonschema:"of the answer, 1000 to 100000, default 20000"`
	Site   string `json:"site,omitempty" jsonschema:"site name, if the person has several"`
	Cursor string `json:"cursor,omitempty"`
}

type out struct {
	Notice     string `json:"notice"`
	Site       string `json:"site"`
	Answer     any    `json:"answer" jsonschema:"as Confluence sent it, without links; lists as a list of their results"`
	NextCursor string `json:"next_cursor,omitempty" jsonschema:"absent at the end"`
}

var requestTool = tool.Spec[in, out]{
	Name: name, Title: "Read Confluence's REST API",
	Description: "Read what no other tool offers: a GET of a published path of Confluence's REST API (v2, or what is left of v1). The answer is JSON, without what the person may not see through this vault. Prefer the other tools.",
	Toolset:     "request",
	Run:         run,
}

// position is where an answer goes on; it repeats the question.
type position struct {
	Question request.Question
	Site     string
	Max      int
	Skip     int // items of the part that were shown already
}

func run(ctx context.Context, t *tool.Set, in in) (out, string, error) {
	at, err := where(ctx, t, in)
	if err != nil {
		return out{}, "", err
	}
	answered, err := guard.Do(ctx, t.Door, guard.Op[out]{
		Tool: name, Site: at.Site, Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (out, error) {
			answer, err := request.Ask(ctx, w, at.Question)
			if err != nil {
				return out{}, err
			}
			o := out{Notice: tool.Notice, Site: w.Site()}
			if err := o.fill(&at, answer); err != nil {
				return out{}, err
			}
			if at.Skip > 0 || at.Question.Cursor != "" || at.Question.Start != "" {
				at.Site = w.Site()
				o.NextCursor, err = t.Door.Cursor(ctx, name, at)
			}
			return o, err
		},
	})
	return answered, text(answered), err
}

func where(ctx context.Context, t *tool.Set, in in) (position, error) {
	var at position
	if in.Cursor != "" {
		if err := t.Door.OpenCursor(ctx, name, in.Cursor, &at); err != nil {
			return at, err
		}
		return at, request.Check(at.Question)
	}
	if in.Path == "" {
		return at, usererr.New(usererr.BadInput, `The argument "path" is missing`, "Give the path of a published GET operation, such as /wiki/api/v2/pages/123/versions")
	}
	limit, err := arguments.Within("max_characters", in.Max, 20_000, 1_000, 100_000)
	if err != nil {
		return at, err
	}
	parameters, ok := in.Query.(map[string]any)
	if in.Query != nil && !ok {
		return at, usererr.New(usererr.BadInput, `The argument "query" must be an object`, `Such as {"limit": 10}`)
	}
	at = position{Question: request.Question{Path: path(in.Path), Parameters: parameters}, Site: in.Site, Max: limit}
	return at, request.Check(at.Question)
}

// path is below /wiki, however it was written.
func path(text string) string { return strings.TrimPrefix(strings.TrimSpace(text), "/wiki") }

// fill puts as much of an answer into o as there is room for, and moves at to
// where it goes on.
func (o *out) fill(at *position, answer request.Answer) error {
	if !answer.List {
		o.Answer = answer.Items[0]
		size, err := length(o.Answer)
		if err == nil && size > at.Max {
			err = tooLarge(size)
		}
		at.Skip, at.Question.Cursor, at.Question.Start = 0, "", ""
		return err
	}
	items := answer.Items[min(at.Skip, len(answer.Items)):]
	list, left := []any{}, at.Max
	for _, item := range items {
		size, err := length(item)
		switch {
		case err != nil:
			return err
		case size > left && len(list) == 0:
			return tooLarge(size)
		}
		if left -= size; left < 0 {
			break
		}
		list = append(list, item)
	}
	o.Answer = list
	if len(list) < len(items) {
		at.Skip += len(list)
		return nil
	}
	at.Skip, at.Question.Cursor, at.Question.Start = 0, answer.Cursor, answer.Start
	return nil
}

func tooLarge(size int) error {
	return usererr.New(usererr.TooLarge, fmt.Sprintf("One object of the answer has %d characters, more than max_characters", size),
		"Ask for less, such as without body-format or expand, or for more characters")
}

func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	return bytes.TrimSpace(b.Bytes()), err
}

func length(value any) (int, error) {
	data, err := encode(value)
	return len([]rune(string(data))), err
}

func text(o out) string {
	data, err := encode(o.Answer)
	if err != nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(tool.Notice + "\n\n")
	b.Write(data)
	b.WriteString("\n\n")
	tool.More(&b, o.NextCursor)
	return b.String()
}
