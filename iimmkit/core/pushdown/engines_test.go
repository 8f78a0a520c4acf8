package pushdown

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iimmkit/iimm/iimmkit/core/measure"
	"github.com/iimmkit/iimm/iimmkit/core/measure/golden"
)

// python is an interpreter that has the engine's package, from PyPI: the one that
// IIMM_SQL_PYTHON names, which must have it, else python3, which may not.
func python(t *testing.T, engine Engine) string {
	t.Helper()
	module := map[Engine]string{DuckDB: "duckdb", ClickHouse: "chdb"}[engine]
	name, promised := os.LookupEnv("IIMM_SQL_PYTHON")
	if name == "" {
		name, promised = "python3", false
	}
	if out, err := exec.Command(name, "-c", "import "+module).CombinedOutput(); err != nil {
		if promised {
			t.Fatalf("IIMM_SQL_PYTHON is set, but %s cannot import %s: %v\n%s", name, module, err, out)
		}
		t.Skipf("%s cannot import %s (IIMM_SQL_PYTHON not set): %v", name, module, err)
	}
	return name
}

// ask runs a query; setup makes its tables.
func ask(t *testing.T, engine Engine, query string, setup ...string) ([]byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "query.sql")
	if err := os.WriteFile(path, []byte(strings.Join(append(setup, query), "\n;;\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	c := exec.Command(python(t, engine), "testdata/engines.py", string(engine), path)
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, errs.Bytes())
	}
	return out.Bytes(), err
}

// rowsOf writes a golden set as JSON lines and names it as each engine reads it.
func rowsOf(t *testing.T, g golden.Set) map[Engine]string {
	t.Helper()
	var b bytes.Buffer
	for i, y := range g.Labels {
		line, err := json.Marshal(map[string]any{"the label": y, "e`\"m": g.Images[i*golden.D : (i+1)*golden.D]})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	path := filepath.Join(t.TempDir(), "rows.json")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[Engine]string{
		DuckDB:     fmt.Sprintf(`read_json('%s', format='newline_delimited', columns={'the label': 'INTEGER', 'e`+"`"+`"m': 'DOUBLE[]'})`, path),
		ClickHouse: fmt.Sprintf("file('%s', 'JSONEachRow', '`the label` Int32, `e\\\\`\"m` Array(Float64)')", path),
	}
}

func TestEnginesComeToTheGoldenValues(t *testing.T) {
	texts, err := measure.NewTexts(golden.Texts(), golden.D)
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range Engines() {
		t.Run(string(engine), func(t *testing.T) {
			g := golden.Mid()
			rows := rowsOf(t, g)[engine]
			// As it is read, and in a table of single precision.
			table, tolerance := map[Engine]string{
				DuckDB:     "CREATE TABLE t AS SELECT \"the label\", CAST(\"e`\"\"m\" AS FLOAT[80]) AS \"e`\"\"m\" FROM " + rows,
				ClickHouse: "CREATE TABLE t ENGINE=Memory AS SELECT `the label`, CAST(`e\\`\"m`, 'Array(Nullable(Float32))') AS `e\\`\"m` FROM " + rows,
			}[engine], 1e-7
			for _, from := range []string{rows, "t"} {
				query, err := Query(engine, Table{From: from, Embedding: "e`\"m", Label: "the label", Width: golden.D})
				if err != nil {
					t.Fatal(err)
				}
				setup := []string{table}
				if from == rows {
					setup, tolerance = nil, 1e-12
				} else {
					tolerance = 1e-7
				}
				result, err := ask(t, engine, query, setup...)
				if err != nil {
					t.Fatal(err)
				}
				a, err := Decode(bytes.NewReader(result), golden.C)
				if err != nil {
					t.Fatalf("%v\n%.500s", err, result)
				}
				r, err := a.Result(texts)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range g.Differences(r, tolerance) {
					t.Errorf("%s: %s", from, d)
				}
			}
		})
	}
}

func TestEnginesCountRowsThatCannotBeSummed(t *testing.T) {
	for _, engine := range Engines() {
		t.Run(string(engine), func(t *testing.T) {
			for name, bad := range map[string]string{
				"width": "[0.6]", "zero": "[0.0, 0.0]", "NaN": "[0.6, CAST('nan' AS DOUBLE)]", "infinite": "[0.6, CAST('inf' AS DOUBLE)]", "null": "[0.6, NULL]",
			} {
				from := fmt.Sprintf("(SELECT 1 AS label, CAST([0.6, 0.8] AS DOUBLE[]) AS e UNION ALL SELECT 0, CAST(%s AS DOUBLE[]))", bad)
				if engine == ClickHouse {
					from = fmt.Sprintf("(SELECT 1 AS label, CAST([0.6, 0.8], 'Array(Nullable(Float64))') AS e UNION ALL SELECT 0, CAST(%s, 'Array(Nullable(Float64))'))", bad)
				}
				query, err := Query(engine, Table{From: from, Embedding: "e", Label: "label", Width: 2})
				if err != nil {
					t.Fatal(err)
				}
				result, err := ask(t, engine, query)
				if engine == DuckDB && name == "null" {
					if err == nil || !strings.Contains(err.Error(), "NULL") {
						t.Errorf("%s: %v %s", name, err, result)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := Decode(bytes.NewReader(result), 2); err == nil || !strings.Contains(err.Error(), "1 images of class 0 have another width") {
					t.Errorf("%s: %v\n%s", name, err, result)
				}
			}
		})
	}
}
