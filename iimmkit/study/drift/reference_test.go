package drift

// What testdata/reference.py prints (numpy, scipy).
var reference = []struct {
	name                        string
	statistic, reference, batch float64
}{
	{"centroid", 0.012550983561085227, 0, 0},
	{"mmd", -0.006312252070952651, 0, 0},
	{"intra", 0.006118374470869283, 0.007187620735774987, 0.0010692462649057042},
	{"matched", 0.00672426013431332, 0.2832807612052717, 0.290005021339585},
	{"confidence", 0.003953726054876094, 0.7731141466395731, 0.769160420584697},
}

const referenceBandwidth = 1.412665019091758
