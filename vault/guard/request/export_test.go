package request

// Operations are the paths of the table with their parameters and scopes, for
// a comparison with what Atlassian publishes.
func Operations() (paths, scopes []string, parameters [][]string) {
	for _, op := range operations() {
		path := ""
		for _, s := range op.segments {
			path += "/" + s
		}
		paths, scopes, parameters = append(paths, path), append(scopes, op.scope), append(parameters, op.parameters)
	}
	return paths, scopes, parameters
}
