package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"

	"github.com/coatcheck-mcp/coatcheck/internal/typo"
)

const maxFile = 64 << 10

// yamlLine takes the place out of what the YAML parser says.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

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
			found, problems = nil, []Problem{{Where: name, Text: "is not YAML"}}
		}
	}()
	decoder := yaml.NewDecoder(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff")))
	var document, more yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		line, said := place(err)
		wrong(line, "", "is not YAML: "+said)
		return nil, problems
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		wrong(max(more.Line, 1), "", "has more than one document")
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, problems
	}
	if root.Kind != yaml.MappingNode {
		wrong(root.Line, "", `must be lines of the form "key: value"`)
		return nil, problems
	}
	found = map[string]raw{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		where := name + ":" + strconv.Itoa(key.Line)
		switch _, known := find(key.Value); {
		case key.Kind != yaml.ScalarNode || !known:
			wrong(key.Line, "", unknown(key.Value))
		case value.Kind != yaml.ScalarNode:
			wrong(value.Line, key.Value, "must be a single value")
		case value.Tag == "!!null": // the key is there, and nothing behind it
		case found[key.Value].where != "":
			wrong(key.Line, key.Value, "is there twice, first at "+found[key.Value].where)
		default:
			found[key.Value] = raw{value.Value, source, where}
		}
	}
	return found, problems
}

// place splits a message of the YAML parser into line and words.
func place(err error) (line int, said string) {
	match := yamlLine.FindStringSubmatch(err.Error())
	line, _ = strconv.Atoi(match[1])
	return max(line, 1), strings.TrimPrefix(err.Error(), match[0])
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
