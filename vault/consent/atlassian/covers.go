package atlassian

// Covers reports whether scopes that were given before are all that would be
// asked for now.
func (a *App) Covers(given []string) bool { return len(a.missing(given)) == 0 }
