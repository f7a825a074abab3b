package oauth

import (
	"slices"
	"strings"
)

const (
	offline = "offline_access"
	readMe  = "read:me"
)

// things are what granular scopes are about, with the verbs that exist.
// They are those of Atlassian's published descriptions.
func things() map[string]string {
	return map[string]string{
		"attachment": "read write delete", "comment": "read write delete", "content": "read write delete",
		"custom-content": "read write delete", "database": "read write delete", "embed": "read write delete",
		"folder": "read write delete", "page": "read write delete", "space": "read write delete",
		"whiteboard": "read write delete", "analytics.content": "read", "app-data": "read write",
		"audit-log": "read write", "configuration": "read write", "content-details": "read",
		"content.metadata": "read", "content.permission": "read", "content.restriction": "read write",
		"group": "read write", "hierarchical-content": "read", "label": "read write", "relation": "read write",
		"space-details": "read", "space.permission": "read write", "space.setting": "read write",
		"task": "read write", "template": "read write", "user": "read", "user.property": "read write",
		"watcher": "read write", "content.attachment": "readonly",
	}
}

func classic() []string {
	return []string{
		offline, readMe, "read:account", "search:confluence", "manage:confluence-configuration",
		"read:confluence-content.all", "read:confluence-content.permission", "read:confluence-content.summary",
		"read:confluence-groups", "read:confluence-props", "read:confluence-space.summary", "read:confluence-user",
		"readonly:content.attachment:confluence", "write:confluence-content", "write:confluence-file",
		"write:confluence-groups", "write:confluence-props", "write:confluence-space",
		"read:jira-work", "read:jira-user", "write:jira-work",
	}
}

// exists reports whether Atlassian knows a scope.
func exists(scope string) bool {
	if slices.Contains(classic(), scope) {
		return true
	}
	parts := strings.Split(scope, ":")
	if len(parts) != 3 || parts[2] != "confluence" {
		return false
	}
	return slices.Contains(strings.Fields(things()[parts[1]]), parts[0])
}

// ofConfluence reports whether a scope is about Confluence.
func ofConfluence(scope string) bool {
	return strings.HasSuffix(scope, ":confluence") || strings.Contains(scope, ":confluence-")
}

// words describes a scope on the consent page.
func words(scope string) string {
	switch scope {
	case offline:
		return "Keep this access when you are away"
	case readMe:
		return "See your name, e-mail address and picture"
	case "search:confluence":
		return "Search everything you can see"
	}
	parts := strings.Split(scope, ":")
	verbs := map[string]string{"read": "View", "readonly": "Download", "write": "Create and change", "delete": "Delete", "manage": "Manage", "search": "Search"}
	verb, ok := verbs[parts[0]]
	if !ok || len(parts) < 2 {
		return scope
	}
	name := strings.TrimPrefix(parts[1], "confluence-")
	what := strings.NewReplacer(".", " ", "-", " ").Replace(name)
	switch name {
	case "page", "space", "comment", "attachment", "label", "user", "group", "task", "template", "folder", "database", "whiteboard", "watcher":
		what += "s"
	}
	return verb + " " + what
}
