package message

import (
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// ToolCall reads the parameters of a tools/call that has nothing but a name,
// arguments and metadata. What has more, or is wrong, is for the SDK: ok is
// false. The arguments stay a part of params, which must be valid JSON.
func ToolCall(params json.RawMessage) (call *mcp.CallToolParamsRaw, ok bool) {
	s := scanner{data: params}
	if s.space(); s.at >= len(params) || params[s.at] != '{' {
		return nil, false
	}
	call, ok = new(mcp.CallToolParamsRaw), true
	bad := s.members(func(key, value []byte) {
		switch string(key) {
		case "name":
			ok = ok && value[0] == '"' && json.Unmarshal(value, &call.Name) == nil
		case "arguments":
			call.Arguments = value
		case "_meta":
			ok = ok && value[0] == '{' && json.Unmarshal(value, &call.Meta) == nil
		default:
			ok = false
		}
	})
	return call, ok && bad == nil && call.Name != ""
}

// Cancelled reads the parameters of notifications/cancelled: the key of the
// request that is not wanted any more, "" if there is none.
func Cancelled(params json.RawMessage) string {
	var said struct {
		ID any `json:"requestId"`
	}
	if json.Unmarshal(params, &said) != nil {
		return ""
	}
	id, err := jsonrpc.MakeID(said.ID)
	if err != nil || !id.IsValid() {
		return ""
	}
	return Key(id)
}

// Result writes the answer to the call of a tool with this key, like [Answer].
func Result(key string, result *mcp.CallToolResult, failed error) (data []byte, err error) {
	defer func() { // what a tool answers may have an encoder of its own
		if r := recover(); r != nil {
			data, err = (&Fault{jsonrpc.CodeInternalError, unencodable}).Answer([]byte(key)), fmt.Errorf("panic: %v", r)
		}
	}()
	if failed == nil {
		data = append(make([]byte, 0, 64+len(key)), `{"jsonrpc":"2.0","id":`...)
		data = append(append(data, key...), `,"result":`...)
		if data, err = encodeResult(data, result); err == nil {
			return bounded(key, append(data, '}'))
		}
		failed = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: unencodable}
	}
	said, encoding := json.Marshal(Error(failed, ""))
	if encoding != nil {
		return (&Fault{jsonrpc.CodeInternalError, unencodable}).Answer([]byte(key)), encoding
	}
	data, tooBig := bounded(key, []byte(`{"jsonrpc":"2.0","id":`+key+`,"error":`+string(said)+`}`))
	if err == nil {
		err = tooBig
	}
	return data, err
}

const unencodable = "internal error: the answer cannot be encoded"

// bounded returns an answer, or what is answered in place of one that is too
// long.
func bounded(key string, data []byte) ([]byte, error) {
	if len(data) > wire.MaxMessage {
		return TooMuch("the answer is larger than 8 MiB, which is the limit; ask for less").Answer([]byte(key)), nil
	}
	return data, nil
}

// encodeResult appends a result. One that asks something of the client, or has
// more than tools usually answer, is encoded as the SDK does.
func encodeResult(data []byte, result *mcp.CallToolResult) ([]byte, error) {
	if result.NeedsInput() || result.InputRequests != nil || result.RequestState != "" || result.Meta != nil {
		return encode(data, result)
	}
	content, err := encodeContent(result.Content)
	if err != nil {
		return nil, err
	}
	data = append(append(data, `{"content":`...), content...)
	if result.StructuredContent != nil {
		if data, err = encode(append(data, `,"structuredContent":`...), result.StructuredContent); err != nil {
			return nil, err
		}
	}
	if result.IsError {
		data = append(data, `,"isError":true`...)
	}
	return append(data, '}'), nil
}
