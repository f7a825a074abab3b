package conformance_test

//lint:file-ignore SA1019 the suite asks for roots and sampling, as clients have them for a year to come

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// form is a question with a form for its answer.
func form(text, schema string) *mcp.ElicitParams {
	return &mcp.ElicitParams{Message: text, RequestedSchema: json.RawMessage(schema)}
}

const nameForm = `{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`

// addQuestions adds the tools that ask the client something: on the way, as
// conversations do, or in place of an answer, as the stateless revision does.
func addQuestions(s *mcp.Server) {
	add(s, "test_sampling", json.RawMessage(`{"type":"object","properties":{"prompt":{"type":"string"}},"required":["prompt"]}`), samples)
	for name, question := range map[string]*mcp.ElicitParams{
		"test_elicitation": form("Please provide your information", `{"type":"object","properties":{"username":{"type":"string"},"email":{"type":"string"}},"required":["username"]}`),
		"test_elicitation_sep1034_defaults": form("Please review the defaults", `{"type":"object","properties":{
			"name":{"type":"string","default":"John Doe"}, "age":{"type":"integer","default":30}, "score":{"type":"number","default":95.5},
			"status":{"type":"string","enum":["active","inactive","pending"],"default":"active"}, "verified":{"type":"boolean","default":true}}}`),
		"test_elicitation_sep1330_enums": form("Please choose", `{"type":"object","properties":{
			"untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
			"titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
			"legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},
			"untitledMulti":{"type":"array","items":{"type":"string","enum":["option1","option2","option3"]}},
			"titledMulti":{"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}}}`),
	} {
		add(s, name, anything, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			answer, err := req.Session.Elicit(ctx, question)
			if err != nil {
				return nil, err
			}
			return say(fmt.Sprintf("Elicitation completed: action=%s, content=%v", answer.Action, answer.Content)), nil
		})
	}
	add(s, "test_missing_capability", anything, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if can := req.ClientCapabilities(); can != nil && can.Sampling != nil {
			return say("the client samples"), nil
		}
		return nil, &jsonrpc.Error{Code: mcp.CodeMissingRequiredClientCapabilities, Message: "sampling is needed", Data: json.RawMessage(`{"requiredCapabilities":{"sampling":{}}}`)}
	})
	const tool = "test_input_required_result_"
	wants := map[string]mcp.InputRequestMap{
		"elicitation": {"user_name": form("What is your name?", nameForm)},
		"sampling":    {"capital_question": sample("What is the capital of France?")},
		"list_roots":  {"client_roots": &mcp.ListRootsParams{}},
		"multiple_inputs": {
			"user_name": form("What is your name?", nameForm), "greeting": sample("Generate a greeting"), "client_roots": &mcp.ListRootsParams{},
		},
	}
	for name, requests := range wants {
		add(s, tool+name, anything, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if text, ok := answers(req.Params.InputResponses, requests); ok {
				return say(text), nil
			}
			out := &mcp.CallToolResult{InputRequests: requests}
			if len(requests) > 1 {
				out.RequestState = "several"
			}
			return out, nil
		})
	}
	add(s, tool+"request_state", anything, confirms)
	add(s, tool+"tampered_state", anything, confirms)
	add(s, tool+"multi_round", anything, rounds)
	add(s, tool+"capabilities", anything, asksWhatCanBeAnswered)
	s.AddPrompt(&mcp.Prompt{Name: tool + "prompt", Description: "A prompt"}, func(ctx context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		if given := accepted(req.Params.InputResponses, "user_context"); given != nil {
			return prompt(&mcp.TextContent{Text: fmt.Sprint("Context: ", given["context"])})(ctx, req)
		}
		return &mcp.GetPromptResult{InputRequests: mcp.InputRequestMap{
			"user_context": form("Please provide context", `{"type":"object","properties":{"context":{"type":"string"}},"required":["context"]}`),
		}}, nil
	})
}

func sample(text string) *mcp.CreateMessageParams {
	return &mcp.CreateMessageParams{MaxTokens: 100, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: text}}}}
}

func samples(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var in struct{ Prompt string }
	if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
		return nil, err
	}
	//lint:ignore SA1019 clients of the older revisions still answer it
	answer, err := req.Session.CreateMessage(ctx, sample(in.Prompt))
	if err != nil {
		return nil, err
	}
	text, _ := answer.Content.(*mcp.TextContent)
	if text == nil {
		return say("LLM response: no text"), nil
	}
	return say("LLM response: " + text.Text), nil
}

// accepted is what a person filled in and agreed to, nil for nothing.
func accepted(responses mcp.InputResponseMap, key string) map[string]any {
	given, _ := responses[key].(*mcp.ElicitResult)
	if given == nil || given.Action != "accept" {
		return nil
	}
	return given.Content
}

// answers puts what was answered to requests into one text; it is false until
// all are there.
func answers(responses mcp.InputResponseMap, requests mcp.InputRequestMap) (string, bool) {
	var all []string
	for key := range requests {
		switch given := responses[key].(type) {
		case *mcp.ElicitResult:
			name, _ := accepted(responses, key)["name"].(string)
			if name == "" {
				return "", false
			}
			all = append(all, "Hello, "+name+"!")
		case *mcp.CreateMessageWithToolsResult:
			for _, c := range given.Content {
				if text, ok := c.(*mcp.TextContent); ok {
					all = append(all, text.Text)
				}
			}
		case *mcp.ListRootsResult:
			all = append(all, fmt.Sprintf("%d roots", len(given.Roots)))
		default:
			return "", false
		}
	}
	return strings.Join(all, " "), true
}

const state = "state-that-comes-back"

// confirms asks for a yes, with a state that must come back as it was.
func confirms(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if given := req.Params.RequestState; given != "" && given != state {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "the state is not what was given out"}
	}
	if req.Params.RequestState == state && accepted(req.Params.InputResponses, "confirm") != nil {
		return say("state-ok: confirmed"), nil
	}
	return &mcp.CallToolResult{RequestState: state, InputRequests: mcp.InputRequestMap{
		"confirm": form("Please confirm", `{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}`),
	}}, nil
}

// rounds asks twice; what was answered first is in the state.
func rounds(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	name, second := strings.CutPrefix(req.Params.RequestState, "second:")
	switch {
	case second:
		return say(fmt.Sprintf("%s likes %v", name, accepted(req.Params.InputResponses, "step2")["color"])), nil
	case req.Params.RequestState == "first":
		return &mcp.CallToolResult{
			RequestState: fmt.Sprint("second:", accepted(req.Params.InputResponses, "step1")["name"]),
			InputRequests: mcp.InputRequestMap{
				"step2": form("Step 2: What is your favorite color?", `{"type":"object","properties":{"color":{"type":"string"}},"required":["color"]}`),
			},
		}, nil
	}
	return &mcp.CallToolResult{RequestState: "first", InputRequests: mcp.InputRequestMap{"step1": form("Step 1: What is your name?", nameForm)}}, nil
}

// asksWhatCanBeAnswered asks of each client what that can answer.
func asksWhatCanBeAnswered(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	can, requests := req.ClientCapabilities(), mcp.InputRequestMap{}
	if can != nil && can.Elicitation != nil {
		requests["user_name"] = form("What is your name?", nameForm)
	}
	if can != nil && can.Sampling != nil {
		requests["greeting"] = sample("Generate a short greeting")
	}
	if len(requests) == 0 || len(req.Params.InputResponses) > 0 {
		return say("nothing more to ask"), nil
	}
	return &mcp.CallToolResult{InputRequests: requests}, nil
}
