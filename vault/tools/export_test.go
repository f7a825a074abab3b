package tools

import "encoding/json"

// ReadArguments reads raw as the arguments of each tool.
func ReadArguments(raw json.RawMessage) []error {
	var errs []error
	for _, of := range []arguments{
		argumentsOf[searchIn](), argumentsOf[getPageIn](), argumentsOf[createIn](), argumentsOf[updateIn](), argumentsOf[spacesIn](), argumentsOf[statusIn](),
	} {
		_, err := of.read(raw)
		errs = append(errs, err)
	}
	return errs
}
