package permissions

import (
	"regexp"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/permissions"
)

// me stands for the person's own account.
const me = "me"

var (
	account = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:_-]{0,127}$`)
	groupID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)
)

// readSubjects reads a list such as me, an account id, user:ID, group:ID. The
// account of me is "".
func readSubjects(list []string) ([]permissions.Subject, error) {
	var all []permissions.Subject
	for _, text := range list {
		text = strings.TrimSpace(text)
		id, group := strings.CutPrefix(text, "group:")
		id = strings.TrimPrefix(id, "user:")
		switch {
		case group && groupID.MatchString(id):
		case !group && id == me:
			id = ""
		case !group && account.MatchString(id):
		default:
			return nil, usererr.New(usererr.BadInput, "Users and groups must be given as me, user:ACCOUNT_ID or group:GROUP_ID", "Find ids with confluence_find_people")
		}
		if s := (permissions.Subject{Group: group, ID: id}); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all, nil
}

func readChecks(list []string) ([]string, error) {
	if len(list) > maxChecks {
		return nil, usererr.New(usererr.TooLarge, "There are more than 20 accounts to check", "Split the call")
	}
	for i, text := range list {
		if list[i] = strings.TrimPrefix(strings.TrimSpace(text), "user:"); list[i] != me && !account.MatchString(list[i]) {
			return nil, usererr.New(usererr.BadInput, `The argument "check" takes account ids, or me`, "Find ids with confluence_find_people")
		}
	}
	return list, nil
}
