package chart

import "fmt"

// Confusion is the heat map of confusion matrices, counts [C][C] of images by
// true class (row) and recognised class (column): before tuning and, unless nil,
// after it. Colours are shares of a row in per cent, so that classes of
// different size compare; hover texts have the counts. The title may be replaced. Rows without images are
// grey.
func Confusion(language Language, classes []string, before, after [][]int) (HeatMap, error) {
	w := language.phrases()
	h := HeatMap{Rows: classes, Columns: classes, RowTitle: w.trueClass, ColumnTitle: w.predicted, ValueTitle: w.shareOfClass, Title: w.confusion,
		Missing: w.noImages, Min: 0, Max: 100, Language: language}
	for k, counts := range [][][]int{before, after} {
		if k == 1 && after == nil {
			break
		}
		s := Slice{Name: []string{w.before, w.after}[k]}
		for i, row := range counts {
			total := 0
			for j, n := range row {
				if n < 0 {
					return HeatMap{}, fmt.Errorf("chart: confusion matrix: %d images of class %d recognised as class %d", n, i, j)
				}
				total += n
			}
			var shares []float64
			var details []string
			for _, n := range row {
				shares = append(shares, 100*float64(n)/float64(total)) // NaN without images
				details = append(details, fmt.Sprintf(w.ofImages, n, total))
			}
			s.Values, s.Details = append(s.Values, shares), append(s.Details, details)
		}
		h.Slices = append(h.Slices, s)
	}
	return h, h.check()
}
