package stream

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/vault/gateway/message"
)

const (
	methodInitialize = "initialize"
	methodCall       = "tools/call"
	methodCancelled  = "notifications/cancelled"
)

// direct answers a call of a tool without the SDK's connection, if the
// conversation is set up and the call is a plain one. It is the one request
// that must be fast, and the connection starts three goroutines and reads each
// message several times over. What answers is the same.
func (s *Stream) direct(m *jsonrpc.Request, key string) bool {
	if s.cfg.Answer == nil || m.Method != methodCall {
		return false
	}
	params, ok := message.ToolCall(m.Params)
	if !ok {
		return false
	}
	s.mu.Lock()
	c, ok := s.calls[key]
	if !ok || s.closed || !s.settled || s.sdk == nil {
		s.mu.Unlock()
		return false
	}
	ctx, cancel := context.WithCancel(s.life)
	c.cancel = cancel
	s.calls[key] = c
	req := &mcp.CallToolRequest{Session: s.sdk, Params: params, Extra: extra(key)}
	s.mu.Unlock()
	s.cfg.Host.Spawn(func() { // ends with the call, at the latest soon after the stream
		defer cancel()
		result, err := s.cfg.Answer(ctx, methodCall, req)
		said, _ := result.(*mcp.CallToolResult) // always, for this method
		data, encoding := message.Result(key, said, err)
		if encoding != nil {
			s.cfg.Log.Error("an answer cannot be encoded", "device", s.device, "stream", s.id, "call", key, "err", encoding)
		}
		_ = s.sendText(data, key) // fails only when the stream has ended
	})
	return true
}

// extra is how [Of] knows a request again. The SDK keeps the last requests of
// a stream for as long as that idles, so they carry the name of their call and
// nothing else.
func extra(key string) *mcp.RequestExtra {
	return &mcp.RequestExtra{TokenInfo: &auth.TokenInfo{UserID: key}}
}

// cancelled ends a call that was answered without the SDK; it reports whether
// there is one.
func (s *Stream) cancelled(m *jsonrpc.Request) bool {
	if m.Method != methodCancelled {
		return false
	}
	s.mu.Lock()
	cancel := s.calls[message.Cancelled(m.Params)].cancel
	s.mu.Unlock()
	if cancel == nil {
		return false
	}
	cancel()
	return true
}
