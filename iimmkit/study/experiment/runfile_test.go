package experiment

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// No change of a single byte of a run's file passes for the run's.
func TestEveryDamageOfARunFileIsFound(t *testing.T) {
	run := tableRuns()[0]
	dir := t.TempDir()
	if err := writeRun(dir, run); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, runsFolder, "a.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read, sum, err := readRun(dir, "a")
	if err != nil || !reflect.DeepEqual(read, run) || len(sum) != 64 {
		t.Fatalf("%+v, %v", read, err)
	}
	found, harmless := 0, 0
	for i := range data {
		for _, flip := range []byte{1, 2, 0x20, 0x80} {
			b := append([]byte(nil), data...)
			b[i] ^= flip
			got, _, err := openRun(b)
			switch {
			case err != nil:
				found++
			case reflect.DeepEqual(got, run): // white space, or a letter's case in the keys
				harmless++
			default:
				t.Fatalf("byte %d ^ %x: read as %+v", i, flip, got)
			}
		}
	}
	for n := range data[:len(data)-1] {
		if got, _, err := openRun(data[:n]); err == nil && !reflect.DeepEqual(got, run) {
			t.Fatalf("cut at %d: read as %+v", n, got)
		}
	}
	if found < 10*harmless/2 {
		t.Errorf("%d changes found, %d harmless", found, harmless)
	}
	// Another run's file.
	if err := os.Rename(path, filepath.Join(dir, runsFolder, "b.json")); err != nil {
		t.Fatal(err)
	}
	var bad damage
	if _, _, err := readRun(dir, "b"); !errors.As(err, &bad) || !strings.Contains(err.Error(), "it holds run a") {
		t.Errorf("error %v", err)
	}
}

// Files of before there were checksums, and of a run in other white space.
func TestRunFileWithoutChecksumIsRead(t *testing.T) {
	run, _, err := openRun([]byte(line))
	if err != nil || run.RunID != "a" {
		t.Errorf("%+v, %v", run, err)
	}
	sealed, err := sealRun(tableRuns()[0])
	if err != nil {
		t.Fatal(err)
	}
	spaced := strings.ReplaceAll(string(sealed), "\n", "\n\t ")
	if run, _, err := openRun([]byte(spaced)); err != nil || !reflect.DeepEqual(run, tableRuns()[0]) {
		t.Errorf("%+v, %v", run, err)
	}
}

// Of two processes that write the ledger at once, whichever comes last leaves
// the runs of both.
func TestLedgerHoldsRunsThatOthersAddMeanwhile(t *testing.T) {
	dir := t.TempDir()
	runs := tableRuns()
	one, err := openLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	other, err := openLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.add(runs[0]); err != nil {
		t.Fatal(err)
	}
	if err := other.add(runs[1]); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*ledger{one, other, one} {
		if err := l.compact(); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(filepath.Join(dir, LedgerFile))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := ParseLedger(f)
		f.Close()
		if err != nil || len(lines) != 2 {
			t.Errorf("%d lines, %v", len(lines), err)
		}
	}
}

func FuzzOpenRun(f *testing.F) {
	for _, run := range tableRuns() {
		data, err := sealRun(run)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(line))
	f.Add([]byte(`{"sha256":"","run":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		run, _, err := openRun(data)
		if err != nil {
			return
		}
		sealed, err := sealRun(run)
		if err != nil {
			t.Fatal(err)
		}
		again, sum, err := openRun(sealed)
		if err != nil || again.RunID != run.RunID || again.Gain != run.Gain || len(sum) != 64 {
			t.Fatalf("%+v became %+v, %v", run, again, err)
		}
	})
}
