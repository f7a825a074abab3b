package conformance_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// anything is a schema that takes every object.
var anything = json.RawMessage(`{"type":"object"}`)

// The smallest picture, and the smallest sound, that are any.
var (
	picture = unbase64("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
	sound   = unbase64("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=")
)

func unbase64(text string) []byte {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

type handler = func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error)

// fixtures is the server that the suite wants: what it looks for is in its
// descriptions of scenarios.
func fixtures() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "conformance", Version: "1"}, &mcp.ServerOptions{
		CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{"paris", "park"}, Total: 2}}, nil
		},
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		SetCacheable:       func(_ context.Context, _ mcp.Request, c *mcp.Cacheable) { c.CacheScope = "private" },
	})
	for name, content := range contents() {
		add(s, name, anything, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: content}, nil
		})
	}
	add(s, "test_error_handling", anything, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		result := &mcp.CallToolResult{}
		result.SetError(errors.New("This tool intentionally returns an error for testing"))
		return result, nil
	})
	add(s, "test_tool_with_logging", anything, logs)
	add(s, "test_logging_tool", anything, logs)
	add(s, "test_tool_with_progress", anything, progresses)
	add(s, "json_schema_2020_12_tool", schema202012(), func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return say(string(req.Params.Arguments)), nil
	})
	add(s, "test_trigger_tool_change", anything, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		add(s, "another_tool", anything, logs)
		return say("there is another tool"), nil
	})
	add(s, "test_trigger_prompt_change", anything, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		s.AddPrompt(&mcp.Prompt{Name: "another_prompt", Description: "A prompt"}, prompt(&mcp.TextContent{Text: "hello"}))
		return say("there is another prompt"), nil
	})
	addQuestions(s)
	addResources(s)
	addPrompts(s)
	return s
}

func add(s *mcp.Server, name string, schema any, h handler) {
	s.AddTool(&mcp.Tool{Name: name, Description: "A fixture of the conformance suite", InputSchema: schema}, h)
}

func say(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}

// contents are the tools that always answer the same.
func contents() map[string][]mcp.Content {
	image := &mcp.ImageContent{Data: picture, MIMEType: "image/png"}
	text := func(text string) mcp.Content { return &mcp.TextContent{Text: text} }
	embedded := func(uri, kind, text string) mcp.Content {
		return &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: uri, MIMEType: kind, Text: text}}
	}
	return map[string][]mcp.Content{
		"test_simple_text":            {text("This is a simple text response for testing.")},
		"test_image_content":          {image},
		"test_audio_content":          {&mcp.AudioContent{Data: sound, MIMEType: "audio/wav"}},
		"test_embedded_resource":      {embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")},
		"test_multiple_content_types": {text("Multiple content types test:"), image, embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`)},
		"test_streaming_elicitation":  {text("nothing is asked on the way")},
		"test_reconnection":           {text("no need to")},
		"test_x_mcp_header":           {text("headers are for HTTP")},
	}
}

func logs(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	ctx = tool.Telling(ctx, req.Session, req.Params)
	for _, text := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
		tool.Log(ctx, "info", text)
		time.Sleep(50 * time.Millisecond)
	}
	return say("Tool with logging executed successfully"), nil
}

func progresses(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	ctx = tool.Telling(ctx, req.Session, req.Params)
	for _, done := range []int{1, 50, 100} {
		tool.Progress(ctx, done, 100, fmt.Sprintf("Completed step %d of 100", done))
		time.Sleep(300 * time.Millisecond)
	}
	return say("Tool with progress executed successfully"), nil
}

// schema202012 is a schema of all the words that a list must carry unchanged.
func schema202012() json.RawMessage {
	return json.RawMessage(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"type": "object",
		"$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
		"properties": {
			"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"},
			"contactMethod": {"type": "string", "enum": ["phone", "email"]}, "phone": {"type": "string"}, "email": {"type": "string"}
		},
		"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
		"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
		"then": {"required": ["phone"]}, "else": {"required": ["email"]},
		"additionalProperties": false
	}`)
}

func addResources(s *mcp.Server) {
	give := func(kind, text string, blob []byte) mcp.ResourceHandler {
		return func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: kind, Text: text, Blob: blob}}}, nil
		}
	}
	s.AddResource(&mcp.Resource{Name: "text", URI: "test://static-text", MIMEType: "text/plain"}, give("text/plain", "This is the content of the static text resource.", nil))
	s.AddResource(&mcp.Resource{Name: "binary", URI: "test://static-binary", MIMEType: "image/png"}, give("image/png", "", picture))
	s.AddResource(&mcp.Resource{Name: "watched", URI: "test://watched-resource", MIMEType: "text/plain"}, give("text/plain", "watched", nil))
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "template", URITemplate: "test://template/{id}/data", MIMEType: "application/json"},
		func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			id := strings.TrimSuffix(strings.TrimPrefix(req.Params.URI, "test://template/"), "/data")
			text := fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, id, id)
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "application/json", Text: text}}}, nil
		})
}

func prompt(contents ...mcp.Content) mcp.PromptHandler {
	return func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		out := &mcp.GetPromptResult{}
		for _, c := range contents {
			out.Messages = append(out.Messages, &mcp.PromptMessage{Role: "user", Content: c})
		}
		return out, nil
	}
}

func addPrompts(s *mcp.Server) {
	s.AddPrompt(&mcp.Prompt{Name: "test_simple_prompt", Description: "A prompt"}, prompt(&mcp.TextContent{Text: "This is a simple prompt for testing."}))
	s.AddPrompt(&mcp.Prompt{Name: "test_prompt_with_image", Description: "A prompt"},
		prompt(&mcp.ImageContent{Data: picture, MIMEType: "image/png"}, &mcp.TextContent{Text: "Please analyze the image above."}))
	s.AddPrompt(&mcp.Prompt{Name: "test_prompt_with_arguments", Description: "A prompt", Arguments: []*mcp.PromptArgument{
		{Name: "arg1", Description: "One", Required: true}, {Name: "arg2", Description: "Two", Required: true},
	}}, func(ctx context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		text := fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", req.Params.Arguments["arg1"], req.Params.Arguments["arg2"])
		return prompt(&mcp.TextContent{Text: text})(ctx, req)
	})
	s.AddPrompt(&mcp.Prompt{Name: "test_prompt_with_embedded_resource", Description: "A prompt", Arguments: []*mcp.PromptArgument{
		{Name: "resourceUri", Description: "Of the resource", Required: true},
	}}, func(ctx context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		embedded := &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{
			URI: req.Params.Arguments["resourceUri"], MIMEType: "text/plain", Text: "Embedded resource content for testing.",
		}}
		return prompt(embedded, &mcp.TextContent{Text: "Please process the embedded resource above."})(ctx, req)
	})
}
