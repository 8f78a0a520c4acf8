package nb

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

type result struct {
	Name       string
	Gain       float64
	Forgetting *float64
	Matrix     [][]float32
	Empty, Nil []int
	ByClass    map[string][2]int8
	When       time.Time
	Took       time.Duration
	Next       *result
	Flags      []bool
	Bytes      []byte
	private    func()
}

func sampleResult() *result {
	zero := 0.0
	return &result{
		Name: "傷", Gain: math.Copysign(0, -1), Forgetting: &zero, Matrix: [][]float32{{1, float32(math.Inf(1))}, nil, {}},
		Empty: []int{}, ByClass: map[string][2]int8{"b": {-1, 2}, "a": {3, -4}}, When: time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC),
		Took: time.Minute, Next: &result{Name: "next", Flags: []bool{true, false}, Bytes: []byte("\x00\xff")},
	}
}

func TestWhatIsKeptComesBackTheSame(t *testing.T) {
	want := sampleResult()
	data, err := encode(nil, reflect.ValueOf(want), 0)
	if err != nil {
		t.Fatal(err)
	}
	var got *result
	rest, err := decode(data, reflect.ValueOf(&got).Elem())
	if err != nil || len(rest) > 0 {
		t.Fatalf("%d bytes left, %v", len(rest), err)
	}
	if !reflect.DeepEqual(got, want) || !math.Signbit(got.Gain) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if again, err := encode(nil, reflect.ValueOf(got), 0); err != nil || string(again) != string(data) {
		t.Error("the same value has other bytes")
	}
	// NaN is not equal to itself, but its bits are.
	nan := []float64{math.Float64frombits(0x7ff8000000000123), 1}
	data, err = encode(nil, reflect.ValueOf(nan), 0)
	if err != nil {
		t.Fatal(err)
	}
	var back []float64
	if _, err := decode(data, reflect.ValueOf(&back).Elem()); err != nil || math.Float64bits(back[0]) != 0x7ff8000000000123 || back[1] != 1 {
		t.Errorf("%v, %v", back, err)
	}
}

func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	private := sampleResult()
	private.private = func() {}
	round := &result{}
	round.Next = round
	for name, v := range map[string]any{
		"private field": private, "circle": round, "interface": struct{ V any }{1}, "function": func() {}, "channel": make(chan int),
	} {
		if _, err := encode(nil, reflect.ValueOf(v), 0); err == nil {
			t.Errorf("%s was kept", name)
		}
	}
}

func TestCacheMakesAValueOnceForEverythingItDependsOn(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	made := 0
	one := func() (*result, error) { made++; return sampleResult(), nil }
	out, complaint, code := captured(t, func() {
		for range 3 {
			if got := Cache("run", one, "micro", 400); !reflect.DeepEqual(got, sampleResult()) {
				t.Errorf("got %+v", got)
			}
		}
	})
	if made != 1 || code != -1 || complaint != "" {
		t.Errorf("made %d times, exit %d, %q", made, code, complaint)
	}
	if strings.Count(out, "run: kept since ") != 2 {
		t.Errorf("said %q", out)
	}
	zero, one1 := 0.0, 1.0
	captured(t, func() {
		Cache("run", one, "micro", 401)
		Cache("run", one, "micro400")
		Cache("run", one, "micro", "400")
		Cache("run", one, &zero)
		Cache("run", one, &one1)
		Cache("run", one, nil)
		Cache("run ", one, "micro", 400)
		Cache("run", func() (result, error) { made++; return result{}, nil }, "micro", 400)
		Cache("run", func() (string, error) { made++; return "", nil }, "micro", 400)
	})
	if made != 10 {
		t.Errorf("made %d times, want 10: something that differs shares a value", made)
	}
	captured(t, func() { Cache("run", one, &one1) }) // a pointer is what it points at
	if made != 10 {
		t.Error("made again for an equal dependence")
	}
}

func TestCacheMakesADamagedValueAgainAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("IIMM_CACHE", dir)
	made := 0
	produce := func() ([]float64, error) { made++; return []float64{1, 2, 3}, nil }
	captured(t, func() { Cache("x", produce) })
	damage := func(change func([]byte) []byte) {
		files, _ := filepath.Glob(filepath.Join(dir, cellValues, "*", "*"))
		if len(files) != 1 {
			t.Fatalf("files %v", files)
		}
		data, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[0], change(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	damage(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	out, _, _ := captured(t, func() {
		if got := Cache("x", produce); len(got) != 3 || got[2] != 3 {
			t.Error(got)
		}
	})
	if made != 2 || !strings.Contains(out, "x: what was kept is damaged; it is made again") {
		t.Errorf("made %d times, said %q", made, out)
	}
	// Whole, but of another writer: the checksum alone does not tell.
	key, err := valueKey("x", reflect.TypeFor[[]float64](), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Put(cellValues, key, []byte("another form of values")); err != nil {
		t.Fatal(err)
	}
	out, _, _ = captured(t, func() {
		if got := Cache("x", produce); len(got) != 3 || got[2] != 3 {
			t.Error(got)
		}
	})
	if made != 3 || !strings.Contains(out, "cannot be read") {
		t.Errorf("made %d times, said %q", made, out)
	}
}

func TestCacheKeepsNoFailure(t *testing.T) {
	t.Setenv("IIMM_CACHE", t.TempDir())
	_, complaint, code := captured(t, func() {
		Cache("x", func() (int, error) { return 0, errors.New("the ledger is empty") })
	})
	if code != 1 || complaint != "Error: the ledger is empty\n" {
		t.Errorf("exit %d, %q", code, complaint)
	}
	captured(t, func() {
		if got := Cache("x", func() (int, error) { return 7, nil }); got != 7 {
			t.Error(got)
		}
	})
	_, complaint, code = captured(t, func() { Cache("f", func() (func(), error) { return func() {}, nil }) })
	if code != 1 || !strings.Contains(complaint, `nb.Cache("f")`) || !strings.Contains(complaint, "nb.File") {
		t.Errorf("exit %d, %q", code, complaint)
	}
	if _, complaint, code = captured(t, func() { Cache("", func() (int, error) { return 0, nil }) }); code != 1 || !strings.Contains(complaint, "key is empty") {
		t.Errorf("exit %d, %q", code, complaint)
	}
}

// FuzzDecode reads any bytes as a value: it ends with an error or a value that
// is written and read to itself again.
func FuzzDecode(f *testing.F) {
	data, err := encode(nil, reflect.ValueOf(sampleResult()), 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{})
	f.Add([]byte{1, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, data []byte) {
		var v *result
		if _, err := decode(data, reflect.ValueOf(&v).Elem()); err != nil {
			return
		}
		once, err := encode(nil, reflect.ValueOf(v), 0)
		if err != nil {
			return // nested too deep
		}
		var w *result
		if rest, err := decode(once, reflect.ValueOf(&w).Elem()); err != nil || len(rest) > 0 {
			t.Fatalf("%d bytes left, %v", len(rest), err)
		}
		if again, err := encode(nil, reflect.ValueOf(w), 0); err != nil || string(again) != string(once) {
			t.Errorf("%x became %x, %v", once, again, err)
		}
	})
}
