package nb

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Parameter lists the types that a parameter can have.
type Parameter interface {
	string | int | int64 | uint64 | float64 | bool | time.Duration
}

// Param returns a notebook's parameter: what was given with
// iimm notebook run --param name=value, or in JupyterLab by the environment
// variable IIMM_PARAM_NAME, else def. A value that is not of def's type ends
// the cell.
func Param[T Parameter](name string, def T) T {
	variable := paramVariable(name)
	given, ok := os.LookupEnv(variable)
	if !ok {
		return def
	}
	v, err := parseParam(given, def)
	if err != nil {
		stop(fmt.Sprintf("parameter %s: %v (from %s)", name, err, variable))
	}
	return v
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
