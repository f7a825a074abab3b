package message

import (
	"encoding/json"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// Fault is why a message is not taken, as JSON-RPC says it.
type Fault struct {
	Code int
	Text string
}

// Invalid is a message that breaks a rule of JSON-RPC.
func Invalid(what string) *Fault {
	return &Fault{jsonrpc.CodeInvalidRequest, "invalid request: " + what}
}

// TooMuch is a message that would be fine alone.
func TooMuch(what string) *Fault { return &Fault{codeLimit, what} }

func parseError(what string) *Fault { return &Fault{jsonrpc.CodeParseError, "parse error: " + what} }

// Answer is the answer to the request with the JSON text id; an id that cannot
// be repeated becomes null.
func (f *Fault) Answer(id []byte) []byte {
	if len(id) == 0 || len(id) > maxID || !json.Valid(id) {
		id = []byte("null")
	}
	type failure struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	data, err := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   failure         `json:"error"`
	}{"2.0", id, failure{f.Code, f.Text}})
	if err != nil {
		panic("gateway: encoding an error: " + err.Error()) // impossible: the id is valid JSON
	}
	return data
}
