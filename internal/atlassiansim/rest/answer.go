package rest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/reply"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// fail writes an error in the shape of the API's version.
func (c *call) fail(w http.ResponseWriter, err error) {
	var known *wiki.Error
	if !errors.As(err, &known) {
		known = &wiki.Error{Status: http.StatusInternalServerError, Code: "INTERNAL_SERVER_ERROR", Title: "Internal Server Error"}
	}
	if strings.HasPrefix(c.URL.Path, v2) {
		reply.V2(w, known.Status, known.Code, known.Title)
		return
	}
	class := map[int]string{http.StatusBadRequest: "BadRequestException", http.StatusNotFound: "NotFoundException"}[known.Status]
	if class == "" {
		class = "ServiceException"
	}
	reply.V1(w, known.Status, "com.atlassian.confluence.api.service.exceptions.api."+class+": "+known.Title)
}
