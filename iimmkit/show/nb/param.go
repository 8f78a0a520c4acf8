package nb

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parameter lists the types that a parameter can have.
type Parameter interface {
	string | int | int64 | uint64 | float64 | bool | time.Duration
}

// paramsVariable holds the parameters of a run as one JSON object.
const paramsVariable = "IIMM_PARAMS"

// Param returns a notebook's parameter, of def's type: what
// iimm notebook run --param name=value gave, else what the environment variable
// IIMM_PARAM_NAME holds, else def. In a name - and _ are the same, and so are
// capitals and small letters. A value that is not of def's type ends the cell.
func Param[T Parameter](name string, def T) T {
	given, from, err := lookupParam(name)
	Check(err)
	if from == "" {
		return def
	}
	v, err := parseParam(given, def)
	if err != nil {
		stop(fmt.Sprintf("parameter %s: %v (from %s)", name, err, from))
	}
	return v
}

// lookupParam returns a parameter's text and where it comes from, "" when it is
// not given.
func lookupParam(name string) (given, from string, err error) {
	variable := paramVariable(name)
	if all := os.Getenv(paramsVariable); all != "" {
		var values map[string]json.RawMessage
		if err := json.Unmarshal([]byte(all), &values); err != nil {
			return "", "", fmt.Errorf(`%s is not a JSON object such as {"task": "mnist"}: %w`, paramsVariable, err)
		}
		// In order, so that what is said of two is always the same.
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if paramVariable(key) != variable {
				continue
			}
			if from != "" {
				return "", "", fmt.Errorf("parameter %s is given twice in %s, the second time as %q", name, paramsVariable, key)
			}
			from = paramsVariable
			// A number or a truth value is taken as it is written.
			if json.Unmarshal(values[key], &given) != nil {
				given = string(values[key])
			}
		}
		if from != "" {
			return given, from, nil
		}
	}
	if given, ok := os.LookupEnv(variable); ok {
		return given, variable, nil
	}
	return "", "", nil
}

// paramVariable names the environment variable of a parameter, as package
// notebook does.
func paramVariable(name string) string {
	return "IIMM_PARAM_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func parseParam[T Parameter](given string, def T) (v T, err error) {
	var parsed any
	want := ""
	switch any(def).(type) {
	case string:
		parsed = given
	case int:
		parsed, err = strconv.Atoi(given)
		want = "a whole number"
	case int64:
		parsed, err = strconv.ParseInt(given, 10, 64)
		want = "a whole number"
	case uint64:
		parsed, err = strconv.ParseUint(given, 10, 64)
		want = "a whole number from 0"
	case float64:
		parsed, err = strconv.ParseFloat(given, 64)
		want = "a number"
	case bool:
		parsed, err = strconv.ParseBool(given)
		want = "true or false"
	case time.Duration:
		parsed, err = time.ParseDuration(given)
		want = "a duration such as 90s or 5m"
	}
	if err != nil {
		return def, fmt.Errorf("%q is not %s", given, want)
	}
	return parsed.(T), nil
}
