package embedding

import (
	"bytes"
	"math"
	"strconv"
	"testing"
)

func TestParseNumberEqualsStrconv(t *testing.T) {
	for _, s := range []string{
		"0", "-0", "1", "-0.03370000", "0.12345678", "-1.00000000", "123456789012345", "1234567890123456", ".5", "5.", "0.1",
		"0.000000000000001", "1e-3", "-2.5E+10", "inf", "-Inf", "nan", " 7 ", "+3", "0.30000000000000004", "99999999.99999999",
		"", "-", ".", "-.", "1.2.3", "--1", "1,", "0x1p-2", "1_000", "cat",
	} {
		want, wantErr := strconv.ParseFloat(string(bytes.TrimSpace([]byte(s))), 64)
		got, err := parseNumber([]byte(s))
		if (err == nil) != (wantErr == nil) || err == nil && math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%q: %v %v, strconv %v %v", s, got, err, want, wantErr)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"0.12345678", "-1.5", "1e5", "nan", ".", "-0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want, wantErr := strconv.ParseFloat(string(bytes.TrimSpace(b)), 64)
		got, err := parseNumber(b)
		if (err == nil) != (wantErr == nil) || err == nil && math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%q: %v %v, strconv %v %v", b, got, err, want, wantErr)
		}
	})
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"1,2,0\n3,4,1\n", "\ufeff1\r\n\r\n2", "a,b\n", "1,,2\n", "1,2\n3\n", "nan,inf"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseCSV(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if err := m.valid("rows"); err != nil || m.Rows == 0 {
			t.Fatal(m.Rows, err)
		}
	})
}
