// Package greeting has what the shim answers before the vault does: to
// initialize, server/discover and tools/list. It remembers what the vault last
// said for each protocol revision, in files that are checked like anything
// foreign when they are read, and has a minimum of its own for the first time.
//
// A remembered answer carries no secret and decides nothing: the vault answers
// the same question again later, and what it says then counts.
package greeting

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
)

// Kind is a question with a remembered answer.
type Kind string

// The kinds.
const (
	Initialize Kind = "initialize"
	Discover   Kind = "discover"
	Tools      Kind = "tools"
)

// The revisions of MCP that vaults speak.
const (
	Latest     = "2025-11-25" // the latest in which conversations are set up
	Batching   = "2025-03-26" // the one in which messages may come in batches
	Stateless  = "2026-07-28" // the first in which they are not
	StatusTool = "coatcheck_status"
)

// Stateful lists the revisions in which a conversation is set up, latest first.
func Stateful() []string { return []string{Latest, "2025-06-18", Batching, "2024-11-05"} }

// Speaks reports whether we know revision.
func Speaks(revision string) bool {
	return revision == Stateless || slices.Contains(Stateful(), revision)
}

// Book holds the answers of one vault. It may be used from several goroutines.
type Book struct {
	files   files
	version string
	log     *slog.Logger

	mu   sync.Mutex
	read map[string][]byte // guarded by mu; by name; nil for none
}

// Open returns the book of the vault at origin, kept below dir; "" keeps it in
// memory. It reads nothing yet. Version is the shim's own.
func Open(dir, origin, version string, log *slog.Logger) *Book {
	return &Book{files: files{dir: dir, origin: origin}, version: version, log: log, read: map[string][]byte{}}
}

// Known returns the result that the vault last gave to kind in revision, as
// one line of JSON, or nil.
func (b *Book) Known(kind Kind, revision string) []byte {
	if !Speaks(revision) {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	name := string(kind) + "-" + revision
	if result, ok := b.read[name]; ok {
		return result
	}
	result, err := b.files.read(kind, revision)
	if err != nil {
		b.log.Warn("a remembered answer was not usable and is not used", "answer", name, "err", err)
	}
	b.read[name] = result
	return result
}

// Keep remembers a result of the vault. It returns false for one that is not
// worth it: too long, incomplete or not what it should be.
func (b *Book) Keep(kind Kind, revision string, result []byte) bool {
	result, ok := check(kind, result)
	if !ok || !Speaks(revision) {
		return false
	}
	known := b.Known(kind, revision)
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes.Equal(known, result) {
		return true
	}
	b.read[string(kind)+"-"+revision] = result
	if err := b.files.write(kind, revision, result); err != nil {
		b.log.Warn("an answer of the vault could not be remembered", "answer", string(kind)+"-"+revision, "err", err)
	}
	return true
}

// implementation is an MCP Implementation.
type implementation struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Version string `json:"version"`
}

type changing struct {
	ListChanged bool `json:"listChanged"`
}

// capabilities are those of a vault that is as old as this shim. A test of both
// compares them with the vault's own.
type capabilities struct {
	Completions struct{} `json:"completions"`
	Logging     struct{} `json:"logging"`
	Prompts     changing `json:"prompts"`
	Resources   changing `json:"resources"`
	Tools       changing `json:"tools"`
}

const instructions = "Confluence of the person's company. If a call says that a sign-in is open, tell the person to finish it in the browser and call again. " +
	"If it says that the vault cannot be reached, tell the person why and what to do."

func (b *Book) self() implementation {
	return implementation{Name: "coatcheck", Title: "Coatcheck: Confluence", Version: b.version}
}

func least() capabilities {
	yes := changing{ListChanged: true}
	return capabilities{Prompts: yes, Resources: yes, Tools: yes}
}

// Initialize returns the result for a client that asks for revision.
func (b *Book) Initialize(revision string) []byte {
	if !slices.Contains(Stateful(), revision) {
		revision = Latest
	}
	if known := b.Known(Initialize, revision); known != nil {
		return known
	}
	return encode(struct {
		Revision     string         `json:"protocolVersion"`
		Capabilities capabilities   `json:"capabilities"`
		Server       implementation `json:"serverInfo"`
		Instructions string         `json:"instructions"`
	}{revision, least(), b.self(), instructions})
}

// stateless is what each result has in the stateless revision.
type stateless struct {
	Type  string         `json:"resultType,omitempty"`
	Meta  map[string]any `json:"_meta,omitempty"`
	TTL   *int           `json:"ttlMs,omitempty"`
	Scope string         `json:"cacheScope,omitempty"`
}

func (b *Book) stateless() stateless {
	return stateless{Type: "complete", Meta: map[string]any{MetaServer: b.self()}, TTL: new(int), Scope: "private"}
}

// Names in _meta, from the stateless revision on.
const (
	MetaRevision     = "io.modelcontextprotocol/protocolVersion"
	MetaServer       = "io.modelcontextprotocol/serverInfo"
	MetaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	MetaLogLevel     = "io.modelcontextprotocol/logLevel"
	MetaSubscription = "io.modelcontextprotocol/subscriptionId"
)

// Discover returns the result of server/discover.
func (b *Book) Discover() []byte {
	if known := b.Known(Discover, Stateless); known != nil {
		return known
	}
	return encode(struct {
		stateless
		Versions     []string     `json:"supportedVersions"`
		Capabilities capabilities `json:"capabilities"`
		Instructions string       `json:"instructions"`
	}{b.stateless(), append([]string{Stateless}, Stateful()...), least(), instructions})
}

// LeastTools returns a result of tools/list for when the vault's is not known:
// one tool, whose call says what is wrong.
func (b *Book) LeastTools(revision string) []byte {
	type tool struct {
		Name        string          `json:"name"`
		Title       string          `json:"title"`
		Description string          `json:"description"`
		Input       json.RawMessage `json:"inputSchema"`
		Annotations json.RawMessage `json:"annotations"`
	}
	out := struct {
		stateless
		Tools []tool `json:"tools"`
	}{Tools: []tool{{
		StatusTool, "Sign-in status",
		"Tell whether Confluence can be reached now and what to do if not. More tools appear when it can.",
		json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`), json.RawMessage(`{"readOnlyHint":true}`),
	}}}
	if revision >= Stateless {
		out.stateless = b.stateless()
	}
	return encode(out)
}

// CallFailed returns the result of a tools/call that failed.
func (b *Book) CallFailed(text, revision string) []byte {
	type content struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	out := struct {
		stateless
		Content []content `json:"content"`
		IsError bool      `json:"isError"`
	}{Content: []content{{"text", text}}, IsError: true}
	if revision >= Stateless {
		out.stateless = b.stateless()
		out.TTL, out.Scope = nil, ""
	}
	return encode(out)
}

func encode(v any) []byte {
	out, err := jsonline.Marshal(v)
	if err != nil {
		panic("greeting: " + err.Error()) // impossible: plain structs
	}
	return out
}
