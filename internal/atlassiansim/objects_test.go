package atlassiansim_test

// objects are the operations on what pages have beside their text, and on what
// is no page.
func (r *rig) objects(string) []wanted {
	v2 := "/api/v2"
	task := "0"
	if page, ok := r.PageByTitle("ENG", "Deployment guide"); ok {
		task = page.ID + "001"
	}
	return []wanted{
		{"GET", v2 + "/tasks?limit=2&body-format=storage&status=incomplete", nil, 200},
		{"GET", v2 + "/tasks?due-at-from=1&due-at-to=1935532799999&space-id=65540", nil, 200},
		{"GET", v2 + "/tasks/" + task, nil, 200},
		{"PUT", v2 + "/tasks/" + task, map[string]any{"status": "complete"}, 200},
		{"GET", v2 + "/tasks/1", nil, 404},
	}
}

// objectScopes are the permissions that they need.
func objectScopes() []string {
	return []string{"read:task:confluence", "write:task:confluence"}
}
