package tools_test

// toolsetScopes are the permissions that the toolsets need beside the usual
// ones.
func toolsetScopes() []string {
	return []string{
		"read:task:confluence", "write:task:confluence",
	}
}
