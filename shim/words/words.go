// Package words has the few words of MCP that the shim itself understands or
// says: parameters of some requests, answers, notifications. What it reads, it
// reads from copies of messages that pass unchanged.
package words

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
)

// JSON-RPC codes besides those of jsonline: two of the standard, one of MCP,
// and two of ours that the vault uses too.
const (
	CodeNoMethod    = -32601
	CodeBadParams   = -32602
	CodeRevision    = -32022
	CodeLimit       = -32010
	CodeUnavailable = -32013
)

// The methods that the shim does something about.
const (
	Initialize   = "initialize"
	Initialized  = "notifications/initialized"
	Discover     = "server/discover"
	Ping         = "ping"
	CallTool     = "tools/call"
	ListTools    = "tools/list"
	ListPrompts  = "prompts/list"
	ListPages    = "resources/list"
	ListKinds    = "resources/templates/list"
	SetLevel     = "logging/setLevel"
	Subscribe    = "resources/subscribe"
	Unsubscribe  = "resources/unsubscribe"
	Listen       = "subscriptions/listen"
	Cancelled    = "notifications/cancelled"
	Acknowledged = "notifications/subscriptions/acknowledged"

	logMessage    = "notifications/message"
	elicit        = "elicitation/create"
	elicitIsOver  = "notifications/elicitation/complete"
	listRoots     = "roots/list"
	ownQuestion   = "coatcheck-shim-"
	unsupportedIs = "unsupported protocol version"
)

// Stateful reports whether method is only for the revisions in which a
// conversation is set up.
func Stateful(method string) bool {
	switch method {
	case Initialize, Ping, SetLevel, Subscribe, Unsubscribe:
		return true
	}
	return false
}

// Params is what the shim reads of the parameters of some messages.
type Params struct {
	Revision  string // protocolVersion
	URLs      bool   // the client can show a URL to the person
	Roots     bool   // … and tell the folders that it works in
	URI       string
	Level     string
	Name      string
	Cursor    string
	RequestID []byte         // JSON text
	Changes   greeting.Lists // of which a subscription wants to know
	meta      []byte
}

// ParamsOf reads the parameters of a message that was scanned; what does not fit
// stays empty: the vault complains about it.
func ParamsOf(message []byte) (p Params) {
	jsonline.Members(jsonline.Member(message, "params"), func(name string, value []byte) {
		switch name {
		case "protocolVersion":
			p.Revision = jsonline.Text(value)
		case "capabilities":
			p.URLs, p.Roots = showsLinks(value), jsonline.Member(value, "roots") != nil
		case "_meta":
			p.meta = value
		case "uri":
			p.URI = jsonline.Text(value)
		case "level":
			p.Level = jsonline.Text(value)
		case "name":
			p.Name = jsonline.Text(value)
		case "cursor":
			p.Cursor = jsonline.Text(value)
		case "requestId":
			p.RequestID = value
		case "notifications":
			p.Changes = greeting.ReadLists(value, func(list string) []string { return []string{list + "ListChanged"} })
		}
	})
	return p
}

// Meta is a value in _meta, nil if there is none.
func (p Params) Meta(name string) []byte { return jsonline.Member(p.meta, name) }

// Tag is a text in _meta, "" if there is none.
func (p Params) Tag(name string) string { return jsonline.Text(p.Meta(name)) }

// Subscription is the id, in its one form, of the subscription that a
// notification belongs to; "" for none.
func (p Params) Subscription() string {
	return string(jsonline.ID(p.Meta(greeting.MetaSubscription)))
}

// Success answers a request. Id is JSON text.
func Success(id string, result []byte) []byte {
	return slices.Concat([]byte(`{"jsonrpc":"2.0","id":`), []byte(id), []byte(`,"result":`), result, []byte(`}`))
}

// Failure answers a request, or with the id null a line that was none.
func Failure(id string, code int, message string) []byte {
	return slices.Concat([]byte(`{"jsonrpc":"2.0","id":`), []byte(id), []byte(`,"error":{"code":`), strconv.AppendInt(nil, int64(code), 10),
		[]byte(`,"message":`), encode(message), []byte(`}}`))
}

// WrongRevision answers a request in a revision that nobody speaks.
func WrongRevision(id, asked string) []byte {
	return encode(map[string]any{
		"jsonrpc": "2.0", "id": json.RawMessage(id),
		"error": map[string]any{
			"code": CodeRevision, "message": unsupportedIs,
			"data": map[string]any{"supported": append([]string{greeting.Stateless}, greeting.Stateful()...), "requested": asked},
		},
	})
}

// Confirmed tells a client that its subscription of this id stands.
func Confirmed(id string, changes greeting.Lists) []byte {
	wanted := map[string]any{}
	for _, list := range names(changes) {
		wanted[list+"ListChanged"] = true
	}
	return notification(Acknowledged, map[string]any{"_meta": about(id), "notifications": wanted})
}

// Changed announces that lists are other ones now, on a subscription where there
// are such.
func Changed(lists greeting.Lists, subscription string) (messages [][]byte) {
	var params any
	if subscription != "" {
		params = map[string]any{"_meta": about(subscription)}
	}
	for _, list := range names(lists) {
		messages = append(messages, notification("notifications/"+list+"/list_changed", params))
	}
	return messages
}

func names(lists greeting.Lists) (all []string) {
	for name, there := range map[string]bool{"tools": lists.Tools, "prompts": lists.Prompts, "resources": lists.Resources} {
		if there {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func about(subscription string) map[string]any {
	return map[string]any{greeting.MetaSubscription: json.RawMessage(subscription)}
}

// Log is a log message.
func Log(level, text string) []byte {
	return notification(logMessage, map[string]any{"level": level, "logger": "coatcheck", "data": text})
}

// Severe reports whether level is at least minimum; "" is no minimum.
func Severe(level, minimum string) bool {
	levels := []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"} // RFC 5424 §6.2.1
	return slices.Index(levels, level) >= slices.Index(levels, minimum)
}

// AskToOpen asks the client to show a link. The id, which the shim makes up
// from name, is that of the request and of the elicitation.
func AskToOpen(name, url, message string) (question []byte, id string) {
	id = ownQuestion + name
	return encode(map[string]any{
		"jsonrpc": "2.0", "id": id, "method": elicit,
		"params": map[string]any{"mode": "url", "elicitationId": id, "url": url, "message": message},
	}), id
}

// AskRoots asks the client for the folders that it works in. The id, JSON text,
// is that of the question, made up from name.
func AskRoots(name string) (question []byte, id string) {
	return encode(map[string]any{"jsonrpc": "2.0", "id": ownQuestion + name, "method": listRoots}), `"` + ownQuestion + name + `"`
}

// AskRootsInAnswer answers a call with that question, under a name.
func AskRootsInAnswer(call, name string) []byte {
	return Success(call, encode(map[string]any{
		"resultType":    "input_required",
		"inputRequests": map[string]any{name: map[string]any{"method": listRoots, "params": map[string]any{}}},
	}))
}

// AskInAnswer answers a call with a question instead of a result, as the
// stateless revision does: the client shows a link and makes the call again.
func AskInAnswer(call, name, url, message string) []byte {
	return Success(call, encode(map[string]any{
		"resultType": "input_required",
		"inputRequests": map[string]any{"sign-in": map[string]any{
			"method": elicit,
			"params": map[string]any{"mode": "url", "elicitationId": ownQuestion + name, "url": url, "message": message},
		}},
	}))
}

// ShowsLinks reports whether the client of a request of the stateless revision
// can show a URL to the person.
func (p Params) ShowsLinks() bool { return showsLinks(p.Meta(greeting.MetaCapabilities)) }

func showsLinks(capabilities []byte) bool {
	return jsonline.Member(jsonline.Member(capabilities, "elicitation"), "url") != nil
}

// NotWanted takes a request back, whose id is JSON text.
func NotWanted(id string) []byte {
	return notification(Cancelled, map[string]any{"requestId": json.RawMessage(id)})
}

// Own reports whether id, as JSON text, is that of a question of the shim.
func Own(id []byte) bool {
	return len(id) > len(ownQuestion) && string(id[1:1+len(ownQuestion)]) == ownQuestion
}

// OpenNoMore tells a client that the link of that question is not needed.
func OpenNoMore(id string) []byte {
	return notification(elicitIsOver, map[string]any{"elicitationId": id})
}

func notification(method string, params any) []byte {
	message := map[string]any{"jsonrpc": "2.0", "method": method}
	if params != nil {
		message["params"] = params
	}
	return encode(message)
}

func encode(v any) []byte {
	out, err := jsonline.Marshal(v)
	if err != nil {
		panic("words: " + err.Error()) // impossible: texts, and ids that were JSON
	}
	return out
}
