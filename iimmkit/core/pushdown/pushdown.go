// Package pushdown lets a database sum embeddings where they are: it writes the
// query whose result is the statistics of package measure, a row per class, and
// reads that result. What leaves the database is C(d+2) numbers, however many rows
// there are.
//
// Rows are summed as they are: they should have unit norm.
package pushdown

import (
	"fmt"
	"strconv"
	"strings"
)

// Engine is a database.
type Engine string

const (
	DuckDB     Engine = "duckdb"
	ClickHouse Engine = "clickhouse"
)

// Engines are the databases for which queries are written.
func Engines() []Engine { return []Engine{DuckDB, ClickHouse} }

// Table says where embeddings are.
type Table struct {
	// From is what follows FROM: the name of a table, a function that reads files,
	// a query in parentheses. It is put into the query as it is.
	From string
	// Embedding is the column of vectors (list or array of floating-point numbers),
	// Label that of the classes, whole numbers from 0.
	Embedding, Label string
	Width            int // d
}

// Query returns the query for an engine, whose result Decode reads: label, n (rows),
// bad (rows that have another width, or no finite norm, or norm 0), q (sum of
// squared norms), s (sum of vectors, [d]). Sums are in float64.
//
// ClickHouse's result is in its format JSONEachRow; DuckDB's is to be written as
// JSON, by COPY (query) TO 'result.json'. A vector with a null in it is bad in
// ClickHouse and an error in DuckDB.
func Query(engine Engine, t Table) (string, error) {
	switch {
	case strings.TrimSpace(t.From) == "":
		return "", fmt.Errorf("no table is named")
	case t.Embedding == "" || t.Label == "":
		return "", fmt.Errorf("no column of embeddings, or no column of labels, is named")
	case t.Width < 1:
		return "", fmt.Errorf("embeddings of width %d", t.Width)
	}
	embedding, label := quote(engine, t.Embedding), quote(engine, t.Label)
	switch engine {
	case DuckDB:
		// It has no sum of lists: one sum for each dimension.
		sums := make([]string, t.Width)
		for j := range sums {
			sums[j] = "sum(v[" + strconv.Itoa(j+1) + "])"
		}
		// Bad rows are not summed: it would write NaN, which is not JSON.
		return fmt.Sprintf(`SELECT y AS label, count(*) AS n, count(*) - count(v) AS bad, sum(w) AS q,
  [%s] AS s
FROM (SELECT y, CASE WHEN good THEN v END AS v, CASE WHEN good THEN w END AS w
  FROM (SELECT y, v, w, len(v) = %d AND isfinite(w) AND w > 0 AS good
    FROM (SELECT y, v, list_dot_product(v, v) AS w
      FROM (SELECT CAST(%s AS BIGINT) AS y, CAST(%s AS DOUBLE[]) AS v FROM %s))))
GROUP BY y ORDER BY y
`, strings.Join(sums, ", "), t.Width, label, embedding, t.From), nil
	case ClickHouse:
		return fmt.Sprintf(`SELECT y AS label, count() AS n,
  countIf(length(v) != %d OR NOT isFinite(w) OR w = 0) AS bad,
  sum(w) AS q, sumForEach(v) AS s
FROM (SELECT toInt64(%s) AS y, arrayMap(x -> toFloat64(ifNull(x, nan)), %s) AS v, arraySum(x -> x * x, v) AS w
  FROM %s)
GROUP BY y ORDER BY y
FORMAT JSONEachRow
`, t.Width, label, embedding, t.From), nil
	}
	return "", fmt.Errorf("no queries are written for %q, only for %v", engine, Engines())
}

// quote makes an identifier of a name.
func quote(engine Engine, name string) string {
	if engine == ClickHouse {
		return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
