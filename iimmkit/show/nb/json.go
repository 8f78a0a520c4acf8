package nb

import (
	"encoding/json"
	"errors"
	"fmt"
)

// errEmptyList is returned for JSON that gob would change on the way: it makes
// no difference between a list without elements and no list.
var errEmptyList = errors.New("an empty list in JSON cannot be sent to the kernel")

// sendable turns JSON into what GoNB's channel, gob, carries unchanged: only the
// types that both ends have registered, at every depth.
func sendable(raw json.RawMessage) (map[string]any, error) {
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("chart specification: %w", err)
	}
	if v == nil {
		return nil, errors.New("chart specification: null")
	}
	w, err := carried(v)
	if err != nil {
		return nil, err
	}
	return w.(map[string]any), nil
}

func carried(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		// gob refuses nil in an interface. A nil list is carried, arrives as a
		// nil list and becomes null again.
		return []string(nil), nil
	case map[string]any:
		for key, e := range v {
			w, err := carried(e)
			if err != nil {
				return nil, err
			}
			v[key] = w
		}
	case []any:
		if len(v) == 0 {
			return nil, errEmptyList
		}
		for i, e := range v {
			w, err := carried(e)
			if err != nil {
				return nil, err
			}
			v[i] = w
		}
	}
	return v, nil
}
