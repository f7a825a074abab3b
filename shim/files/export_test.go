package files

// Shows is for fuzzing.
func Shows(value, path string) bool { return shows([]byte(value), path) }

// Alias is for the rules of Windows, elsewhere.
func Alias(name string) bool { return alias(name) }
