package atlassiansim_test

// objects are the operations on what pages have beside their text, and on what
// is no page.
func (r *rig) objects(string) []wanted {
	page, ok := r.PageByTitle("ENG", "Deployment guide")
	if !ok {
		r.t.Fatal("the seeded wiki has no such page")
	}
	return append(r.tasks(page.ID), r.properties(page.ID)...)
}

// objectScopes are the permissions that they need.
func objectScopes() []string {
	return []string{"read:task:confluence", "write:task:confluence"}
}

func (r *rig) tasks(page string) []wanted {
	path := "/api/v2/tasks"
	return []wanted{
		{"GET", path + "?limit=2&body-format=storage&status=incomplete", nil, 200},
		{"GET", path + "?due-at-from=1&due-at-to=1935532799999&space-id=65540", nil, 200},
		{"GET", path + "/" + page + "001", nil, 200},
		{"PUT", path + "/" + page + "001", map[string]any{"status": "complete"}, 200},
		{"GET", path + "/1", nil, 404},
	}
}

func (r *rig) properties(page string) []wanted {
	path := "/api/v2/pages/" + page + "/properties"
	value := map[string]any{"key": "app", "value": map[string]any{"n": 1}}
	next := map[string]any{"key": "app", "value": "x", "version": map[string]any{"number": 2}}
	return []wanted{
		{"POST", path, value, 200},
		{"POST", path, value, 409},
		{"GET", path + "?key=app&limit=5", nil, 200},
		{"GET", path + "/1001", nil, 200},
		{"PUT", path + "/1001", next, 200},
		{"PUT", path + "/1001", next, 409},
		{"DELETE", path + "/1001", nil, 204},
		{"GET", path + "/1001", nil, 404},
		{"GET", "/api/v2/pages/1/properties", nil, 404},
	}
}
