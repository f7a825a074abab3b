// Package message reads and writes what text frames carry: one JSON-RPC
// message each. It finds what is wrong with a message before a library
// stumbles over it, says so in the words of JSON-RPC, and sees to it that an
// answer never confirms a question that it was not given for. It knows nothing
// of streams and of what methods mean.
package message

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

const methodCancelled = "notifications/cancelled"

// ErrTooBig says that a message is over the limit of the wire.
var ErrTooBig = errors.New("message over the limit")

// Names gives the requests of the vault on one stream their ids: a prefix that
// no other stream has, and a number. An answer to a question from before a
// restart is therefore no answer to one from after it.
type Names struct{ prefix string }

// NewNames returns fresh names.
func NewNames() Names { return Names{"v" + rand.Text()[:10] + "."} }

// Decode reads a text frame. It returns a message, or the answer that the
// frame deserves instead and why, or nothing: answers are never answered.
func (n Names) Decode(data []byte) (msg jsonrpc.Message, answer []byte, bad *Fault) {
	seen, bad := scan(data)
	switch {
	case bad != nil:
	case seen.method != nil:
		m, bad := seen.request(data)
		if bad == nil {
			return m, nil, nil
		}
		return nil, bad.Answer(seen.id), bad
	default:
		msg, err := jsonrpc.DecodeMessage(data)
		switch {
		case err != nil && seen.id != nil:
			return nil, nil, nil
		case err != nil:
			bad = Invalid("not a JSON-RPC 2.0 message")
		default:
			return n.ours(msg), nil, nil
		}
	}
	if bytes.HasPrefix(seen.id, []byte(`"`+n.prefix)) {
		return nil, nil, nil
	}
	return nil, bad.Answer(seen.id), bad
}

// request makes a request or notification of what scan has seen in data. The
// SDK's decoder does the same with four times the garbage.
func (e envelope) request(data []byte) (*jsonrpc.Request, *Fault) {
	if !json.Valid(data) {
		return nil, parseError("not JSON")
	}
	m := new(jsonrpc.Request)
	if string(e.version) != `"2.0"` || json.Unmarshal(e.method, &m.Method) != nil || string(e.method) == "null" {
		return nil, Invalid("not a JSON-RPC 2.0 message")
	}
	m.Params = bytes.Clone(e.params)
	if e.id == nil {
		return m, nil
	}
	var id any
	if err := json.Unmarshal(e.id, &id); err != nil {
		return nil, Invalid("not a JSON-RPC 2.0 message")
	}
	var err error
	if m.ID, err = jsonrpc.MakeID(id); err != nil || !m.IsCall() {
		return nil, Invalid("not a JSON-RPC 2.0 message")
	}
	return m, nil
}

// ours gives an answer to one of our questions the id under which it was asked.
// Answers to questions of an older stream, and to none, are nothing.
func (n Names) ours(msg jsonrpc.Message) jsonrpc.Message {
	m, ok := msg.(*jsonrpc.Response)
	if !ok {
		return msg
	}
	text, _ := m.ID.Raw().(string)
	number, ours := strings.CutPrefix(text, n.prefix)
	i, err := strconv.ParseInt(number, 10, 64)
	if !ours || err != nil || strconv.FormatInt(i, 10) != number {
		return nil
	}
	if m.ID, err = jsonrpc.MakeID(float64(i)); err != nil {
		return nil
	}
	return m
}

// Encode writes a request or notification of the vault. [ErrTooBig] if it is
// over the limit.
func (n Names) Encode(m *jsonrpc.Request) ([]byte, error) {
	out := *m
	if m.IsCall() {
		id, err := jsonrpc.MakeID(n.prefix + Key(m.ID))
		if err != nil {
			return nil, err
		}
		out.ID = id
	}
	if m.Method == methodCancelled {
		out.Params = n.cancelled(m.Params)
	}
	data, err := jsonrpc.EncodeMessage(&out)
	if err == nil && len(data) > wire.MaxMessage {
		return nil, ErrTooBig
	}
	return data, err
}

// cancelled gives the request that the vault takes back the name under which
// the client knows it.
func (n Names) cancelled(params json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(params, &members) != nil || bytes.HasPrefix(members["requestId"], []byte(`"`)) {
		return params
	}
	members["requestId"] = json.RawMessage(`"` + n.prefix + string(members["requestId"]) + `"`)
	renamed, err := json.Marshal(members)
	if err != nil {
		return params
	}
	return renamed
}

// Answer writes an answer of the vault, with what was held back of it. One that
// cannot be sent becomes an error that can; err is for the log.
func Answer(m *jsonrpc.Response, held *Held) (data []byte, err error) {
	key := Key(m.ID)
	if m.Error == nil && len(m.Result) > 0 {
		// The SDK has just encoded the result; its encoder of messages would read
		// all of it again.
		data = make([]byte, 0, len(m.Result)+len(key)+48)
		data = append(append(data, `{"jsonrpc":"2.0","id":`...), key...)
		data, err = held.fill(append(data, `,"result":`...), m.Result)
		data = append(data, '}')
	} else {
		data, err = jsonrpc.EncodeMessage(m)
	}
	if err != nil {
		return (&Fault{jsonrpc.CodeInternalError, unencodable}).Answer([]byte(key)), err
	}
	return bounded(key, data)
}

// Key is the JSON text of an id, such as `7` or `"a"`, as the SDK writes it.
func Key(id jsonrpc.ID) string {
	switch v := id.Raw().(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		var text strings.Builder
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if enc.Encode(v) == nil {
			return strings.TrimSuffix(text.String(), "\n")
		}
	}
	return "null"
}
