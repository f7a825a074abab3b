package message

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Held is the long part of a tool's result, encoded once, while the SDK
// encodes the rest: that reads what it encodes four times over, which costs
// more than all else that happens to a page. Nil holds nothing.
type Held struct {
	mark       string
	content    []byte
	structured []byte // nil if there is none
}

var errMark = errors.New("the SDK changed the result of a tool")

// Hold takes the content out of a result. What it returns in its place goes to
// the SDK, and comes back to [Answer] in a response. A result that is a
// question of the vault stays whole.
func Hold(result *mcp.CallToolResult) (_ *mcp.CallToolResult, _ *Held, err error) {
	defer func() { // what a tool answers may have an encoder of its own
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	if result.NeedsInput() || result.InputRequests != nil {
		return result, nil, nil
	}
	h := &Held{mark: rand.Text()}
	content, err := encodeContent(result.Content)
	if err != nil {
		return nil, nil, err
	}
	h.content = content
	short := *result
	short.Content = []mcp.Content{&mcp.TextContent{Text: h.mark}}
	if result.StructuredContent != nil {
		if h.structured, err = encode(nil, result.StructuredContent); err != nil {
			return nil, nil, fmt.Errorf("encoding structured content: %w", err)
		}
		short.StructuredContent = h.mark
	}
	return &short, h, nil
}

// fill appends to data the result of a response with everything in its place.
func (h *Held) fill(data []byte, result json.RawMessage) ([]byte, error) {
	if h == nil {
		return append(data, result...), nil
	}
	places := []struct{ short, long []byte }{
		{[]byte(`[{"type":"text","text":"` + h.mark + `"}]`), h.content},
		{[]byte(`"` + h.mark + `"`), h.structured},
	}
	if h.structured == nil {
		places = places[:1]
	}
	data = slices.Grow(data, len(result)+len(h.content)+len(h.structured))
	for _, place := range places {
		before, after, ok := bytes.Cut(result, place.short)
		if !ok {
			return nil, errMark
		}
		data = append(append(data, before...), place.long...)
		result = after
	}
	return append(data, result...), nil
}

// encodeContent writes texts plainly: the SDK's own encoding escapes what is
// special in HTML, six bytes for one, and pages are full of it.
func encodeContent(all []mcp.Content) ([]byte, error) {
	size := 2
	for _, c := range all {
		if text, ok := c.(*mcp.TextContent); ok {
			size += len(text.Text) + len(text.Text)/16 + 64
		}
	}
	data := append(make([]byte, 0, size), '[')
	for i, c := range all {
		if i > 0 {
			data = append(data, ',')
		}
		var plain any = c
		if text, ok := c.(*mcp.TextContent); ok {
			plain = struct {
				Type        string           `json:"type"`
				Text        string           `json:"text"`
				Meta        mcp.Meta         `json:"_meta,omitempty"`
				Annotations *mcp.Annotations `json:"annotations,omitempty"`
			}{"text", text.Text, text.Meta, text.Annotations}
		}
		var err error
		if data, err = encode(data, plain); err != nil {
			return nil, fmt.Errorf("encoding content: %w", err)
		}
	}
	return append(data, ']'), nil
}

// encode appends v on one line.
func encode(data []byte, v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok && bytes.IndexByte(raw, '\n') < 0 && len(raw) > 0 {
		return append(data, raw...), nil
	}
	buf := bytes.NewBuffer(data)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
