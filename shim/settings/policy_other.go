//go:build !windows

package settings

// readPolicy reads the policy file, which need not be there.
func readPolicy(file string) (map[string]raw, []Problem) { return readFile(file, Policy, false) }
