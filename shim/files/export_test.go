package files

// Shows is for fuzzing.
func Shows(value, path string) bool { return shows([]byte(value), path) }
