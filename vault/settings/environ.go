package settings

import (
	"reflect"
	"slices"
	"strings"
)

const prefix = "COATCHECK_"

// Variable is the environment variable that sets key: upper case, with
// underscores for everything that separates words.
func Variable(key string) string {
	return prefix + strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToUpper(key))
}

func split(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	return env
}

// environment reads variables over what the file said. Tenants and sites that
// the file does not name cannot be made here.
func (r *reader) environment(v reflect.Value, key string, env map[string]string) {
	r.known = map[string]bool{}
	leaves(v, key, func(leaf reflect.Value, key string) {
		name := Variable(key)
		r.known[name] = true
		text, ok := env[name]
		if !ok || text == "" {
			return
		}
		delete(r.lines, key)
		r.sources[key] = "environment " + name
		if problem := set(leaf, text); problem != "" {
			r.wrong(0, "%s: %s", name, problem)
		}
	})
}

// shims are the variables of the desktop program, which share the prefix.
func shims(name string) bool {
	switch strings.TrimPrefix(name, prefix) {
	case "CONFIG", "VAULT_URL", "PROXY", "NO_PROXY", "CA_FILE", "KEY_STORE", "LOG_LEVEL", "LOG_DIR", "NO_BROWSER", "FILE_FOLDERS", "NO_FILES":
		return true
	}
	return false
}

// unknown warns of variables that change nothing.
func unknown(env map[string]string, known map[string]bool) []string {
	var warnings []string
	for name := range env {
		if strings.HasPrefix(name, prefix) && !known[name] && !shims(name) {
			warnings = append(warnings, name+" is set in the environment and changes nothing: there is no such setting")
		}
	}
	slices.Sort(warnings)
	return warnings
}
