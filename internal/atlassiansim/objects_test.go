package atlassiansim_test

// objects are the operations on what pages have beside their text, and on what
// is no page.
func (r *rig) objects(token string) []wanted {
	page, ok := r.PageByTitle("ENG", "Deployment guide")
	if !ok {
		r.t.Fatal("the seeded wiki has no such page")
	}
	var all []wanted
	for _, some := range []func(string) []wanted{r.tasks, r.properties, r.permissions, r.social} {
		all = append(all, some(page.ID)...)
	}
	return append(all, r.content(token, page.ID)...)
}

// objectScopes are the permissions that they need.
func objectScopes() []string {
	return []string{
		"read:task:confluence", "write:task:confluence", "read:content.restriction:confluence", "write:content.restriction:confluence",
		"read:content.permission:confluence",
		"read:folder:confluence", "write:folder:confluence", "delete:folder:confluence", "write:embed:confluence", "write:whiteboard:confluence",
		"read:analytics.content:confluence", "read:watcher:confluence", "write:watcher:confluence", "write:content:confluence", "write:relation:confluence",
	}
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

func (r *rig) permissions(page string) []wanted {
	path := "/rest/api/content/" + page + "/restriction"
	ada, _ := r.Person("ada")
	user := path + "/byOperation/read/user?accountId=" + ada.AccountID
	ask := map[string]any{"subject": map[string]any{"type": "user", "identifier": ada.AccountID}, "operation": "update"}
	return []wanted{
		{"GET", path + "?expand=restrictions.user,restrictions.group&limit=100&start=0", nil, 200},
		{"PUT", user, nil, 200},
		{"GET", user, nil, 200},
		{"GET", path + "/byOperation/read?expand=restrictions.user", nil, 200},
		{"DELETE", user, nil, 200},
		{"DELETE", user, nil, 404},
		{"PUT", path + "/byOperation/update/byGroupId/none", nil, 400},
		{"POST", "/rest/api/content/" + page + "/permission/check", ask, 200},
		{"GET", "/rest/api/content/1/restriction", nil, 404},
	}
}

func (r *rig) content(token, page string) []wanted {
	made := func(more ...string) map[string]any {
		body := map[string]any{"spaceId": "65540", "title": "Made by a test", "parentId": page}
		for i := 0; i < len(more); i += 2 {
			body[more[i]] = more[i+1]
		}
		return body
	}
	path := "/api/v2/folders"
	var created struct {
		ID string `json:"id"`
	}
	r.api(token, "POST", path, made()).into(r.t, &created)
	folder := created.ID
	return []wanted{
		{"GET", path + "/" + folder, nil, 200},
		{"GET", path + "/" + folder + "/direct-children?limit=5", nil, 200},
		{"GET", path + "/" + folder + "/descendants?depth=3", nil, 200},
		{"GET", path + "/" + folder + "/ancestors", nil, 200},
		{"DELETE", path + "/" + folder, nil, 204},
		{"GET", path + "/" + page, nil, 404},
		{"POST", "/api/v2/embeds", made("embedUrl", "https://example.org"), 200},
		{"POST", "/api/v2/whiteboards", made("templateKey", "kanban-board"), 200},
		{"POST", "/api/v2/content/convert-ids-to-types", map[string]any{"contentIds": []string{page, "1"}}, 200},
	}
}

func (r *rig) social(page string) []wanted {
	v1 := "/rest/api"
	watch, state := v1+"/user/watch/content/"+page, v1+"/content/"+r.CreatePages("ENG", 1)[0].ID+"/state" // which makes a version
	star := v1 + "/relation/favourite/from/user/current/to/content/" + page
	return []wanted{
		{"GET", "/api/v2/pages/" + page + "/likes/count", nil, 200},
		{"GET", "/api/v2/pages/" + page + "/likes/users?limit=25", nil, 200},
		{"GET", v1 + "/analytics/content/" + page + "/views?fromDate=2000-01-01T00:00:00.000Z", nil, 200},
		{"GET", v1 + "/analytics/content/" + page + "/viewers", nil, 200},
		{"GET", watch, nil, 200},
		{"GET", v1 + "/user/watch/space/ENG", nil, 200},
		{"GET", v1 + "/user/watch/label/roadmap", nil, 200},
		{"GET", v1 + "/content/" + page + "/notification/child-created?limit=26", nil, 200},
		{"GET", state + "/available", nil, 200},
		{"PUT", state + "?status=current", map[string]any{"id": 1, "name": "In progress", "color": "#2684FF"}, 200},
		{"GET", state, nil, 200},
		{"DELETE", star, nil, 404},
	}
}
