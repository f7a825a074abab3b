package settings

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/windows/registry"
)

// readPolicy reads the values of a registry key, which need not be there. They
// are named as the keys of a settings file; no_browser may be a DWORD.
func readPolicy(name string) (map[string]raw, []Problem) {
	path, ok := strings.CutPrefix(name, `HKLM\`)
	if !ok {
		return nil, nil
	}
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []Problem{{Where: name, Text: "cannot be read (" + err.Error() + ")"}}
	}
	defer func() { _ = key.Close() }()
	names, err := key.ReadValueNames(-1)
	if err != nil {
		return nil, []Problem{{Where: name, Text: "cannot be listed (" + err.Error() + ")"}}
	}
	found, problems := map[string]raw{}, []Problem(nil)
	for _, value := range names {
		where, id := name+`\`+value, strings.ToLower(value)
		if _, known := find(id); !known {
			problems = append(problems, Problem{Where: where, Text: unknown(value)})
			continue
		}
		text, _, err := key.GetStringValue(value)
		if errors.Is(err, registry.ErrUnexpectedType) {
			var number uint64
			number, _, err = key.GetIntegerValue(value)
			text = strconv.FormatUint(number, 10)
		}
		if err != nil {
			problems = append(problems, Problem{Key: id, Where: where, Text: "must be a text or a number"})
			continue
		}
		found[id] = raw{text, Policy, where}
	}
	return found, problems
}
