package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/coatcheck-mcp/coatcheck/internal/typo"
)

const maxFile = 64 << 10

// readFile reads a settings file. One that is not there is an error only if it
// must be.
func readFile(name string, source Source, must bool) (map[string]raw, []Problem) {
	if name == "" {
		return nil, nil
	}
	text, err := readCapped(name)
	// ENOTDIR: a home "folder" such as /dev/null, which some accounts have.
	if !must && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		return nil, nil
	}
	if err != nil {
		return nil, []Problem{{Where: name, Text: "cannot be read (" + cause(err) + ")"}}
	}
	return parse(name, source, text)
}

func readCapped(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would be waited for
		return nil, errors.New("not a file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("longer than %d bytes", maxFile)
	}
	return text, err
}

// cause is an error of the file system without the path, which is said already.
func cause(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}

// parse reads one YAML mapping of known keys to single values.
func parse(name string, source Source, text []byte) (found map[string]raw, problems []Problem) {
	wrong := func(line int, key, text string) {
		problems = append(problems, Problem{Key: key, Where: name + ":" + strconv.Itoa(line), Text: text})
	}
	defer func() { // the parser reads what anybody wrote
		if recover() != nil {
			found, problems = nil, []Problem{{Where: name, Text: notYAML}}
		}
	}()
	// That a key is there twice is said below, with all the rest.
	file, err := parser.ParseBytes(bytes.TrimPrefix(text, []byte("\ufeff")), 0, parser.AllowDuplicateMapKey())
	if err != nil || bytes.ContainsRune(text, 0) {
		wrong(place(err), "", notYAML)
		return nil, problems
	}
	var bodies []ast.Node
	for _, document := range file.Docs {
		if document.Body != nil && document.Body.Type() != ast.DirectiveType {
			bodies = append(bodies, document.Body)
		}
	}
	if len(bodies) > 1 {
		wrong(line(bodies[1]), "", "has more than one document")
	}
	if len(bodies) == 0 || bodies[0].Type() == ast.NullType || bodies[0].Type() == ast.CommentType {
		return nil, problems
	}
	root, ok := bodies[0].(ast.MapNode)
	if !ok {
		wrong(line(bodies[0]), "", `must be lines of the form "key: value"`)
		return nil, problems
	}
	found = map[string]raw{}
	for each := root.MapRange(); each.Next(); {
		at := line(each.Key())
		key, _ := scalar(each.Key())
		value, single := scalar(each.Value())
		where := name + ":" + strconv.Itoa(at)
		switch _, known := find(key); {
		case !known:
			wrong(at, "", unknown(key))
		case each.Value().Type() == ast.NullType: // the key is there, and nothing behind it
		case !single:
			wrong(line(each.Value()), key, "must be a single value")
		case found[key].where != "":
			wrong(at, key, "is there twice, first at "+found[key].where)
		default:
			found[key] = raw{value, source, where}
		}
	}
	return found, problems
}

// notYAML says nothing of what the parser says, which shows parts of the file.
const notYAML = "is not YAML: look for a quotation mark that is missing, or a line that is indented"

// scalar returns the text of a single value. What is not a text is returned as
// it was written; anchors, tags and the like are more than a value.
func scalar(n ast.Node) (text string, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func line(n ast.Node) int { return n.GetToken().Position.Line }

// place is the line that an error of the parser is about.
func place(err error) int {
	known, ok := errors.AsType[interface {
		error
		GetToken() *token.Token
	}](err)
	if !ok || known.GetToken() == nil || known.GetToken().Position == nil {
		return 1
	}
	return max(known.GetToken().Position.Line, 1)
}

// unknown names a key that is not one, and the one that may have been meant.
func unknown(name string) string {
	if runes := []rune(name); len(runes) > 40 {
		name = string(runes[:40]) + "…"
	}
	said := fmt.Sprintf("unknown key %q", name)
	nearest, best := "", 4
	for _, key := range Keys() {
		if d := typo.Distance(strings.ToLower(name), key.Name); d < best {
			nearest, best = key.Name, d
		}
		if strings.EqualFold(name, key.Flag) {
			nearest, best = key.Name, 0
		}
	}
	if nearest != "" {
		said += "; did you mean " + nearest + "?"
	}
	return said
}
