package message

import (
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// CheckScan compares what scan says with what encoding/json and the decoder
// say.
func CheckScan(data []byte) error {
	found, bad := scan(data)
	if bad != nil {
		if answer := bad.Answer(found.id); !json.Valid(answer) {
			return fmt.Errorf("the answer to %q is %q", data, answer)
		}
		return nil
	}
	if !json.Valid(data) {
		// The decoder comes next and must find it, or the glance was right
		// about what counts: there is one id.
		if _, err := jsonrpc.DecodeMessage(data); err == nil {
			return fmt.Errorf("%q passes as a message", data)
		}
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return fmt.Errorf("scan accepts %q, but %w", data, err)
	}
	if string(members["id"]) != string(found.id) {
		return fmt.Errorf("id of %q: got %q, want %q", data, found.id, members["id"])
	}
	if _, ok := members["method"]; ok != (found.method != nil) {
		return fmt.Errorf("method of %q: got %v, want %v", data, found.method, ok)
	}
	return nil
}
