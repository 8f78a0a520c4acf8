package correlation

import "fmt"

// LeaveOut forecasts each y from the columns of x by the least-squares plane
// through the items of all OTHER groups, so that no item has a say in its own
// forecast. x is a list of columns, each as long as y; without columns the
// forecast is the mean of the others. group names the group of each item; with
// a name of its own for each item this is leave-one-out. Where the others do not
// determine the plane, the flattest one is taken. The result is nil when some
// forecast would rest on fewer than len(x)+2 items.
func LeaveOut(x [][]float64, y []float64, group []string) ([]float64, error) {
	n := len(y)
	if len(group) != n {
		return nil, fmt.Errorf("leave-out: %d groups for %d items", len(group), n)
	}
	for _, column := range x {
		if err := checkPairs(column, y); err != nil {
			return nil, fmt.Errorf("leave-out: %w", err)
		}
	}
	forecasts := make([]float64, n)
	known := map[string]*plane{}
	for i := range y {
		p := known[group[i]]
		if p == nil {
			var rest []int
			for j := range y {
				if group[j] != group[i] {
					rest = append(rest, j)
				}
			}
			if len(rest) < len(x)+2 {
				return nil, nil
			}
			var err error
			if p, err = fitPlane(x, y, rest); err != nil {
				return nil, fmt.Errorf("leave-out: %w", err)
			}
			known[group[i]] = p
		}
		forecasts[i] = p.at(x, i)
	}
	return forecasts, nil
}
