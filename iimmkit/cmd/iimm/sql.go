package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/pushdown"
	"github.com/iimmkit/iimm/iimmkit/file/store"
)

func init() { verbs = append(verbs, newSQL) }

func newSQL(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "sql",
		Short: "Let DuckDB or ClickHouse sum embeddings where they are",
		Long: `A database that holds embeddings can sum them itself: iimm sql query writes the
query, iimm sql decode makes statistics of its result, which iimm reduce measures and
merges. What leaves the database is a row per class.

Vectors are summed as they are and should have unit norm. Both engines sum in double
precision.`,
		Example: `  clickhouse client --query "$(iimm sql query clickhouse --from images --embedding e --width 512)" > result.json
  duckdb -c "COPY ($(iimm sql query duckdb --from "'images/*.parquet'" --embedding e --width 512)) TO 'result.json'"
  iimm sql decode result.json --classes 1000 --out images.stats
  iimm reduce images.stats --texts captions.npy`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newSQLQuery(s), newSQLDecode(s))
	return c
}

func newSQLQuery(s *streams) *cobra.Command {
	var table pushdown.Table
	var asJSON bool
	c := &cobra.Command{
		Use:   "query ENGINE --from TABLE --width D",
		Short: "Write the query for an engine: duckdb or clickhouse",
		Long: `Query writes SQL that sums the embeddings of a table. --from is put into it as it
is: the name of a table, a function that reads files, or a query in parentheses.`,
		Example: `  iimm sql query clickhouse --from "s3('https://bucket.example/e-*.parquet')" --embedding vector --width 512
  iimm sql query duckdb --from "'images/*.parquet'" --width 512`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			query, err := pushdown.Query(pushdown.Engine(args[0]), table)
			if err != nil {
				return usageError{err}
			}
			if asJSON {
				return s.json(map[string]any{"schema": 1, "engine": args[0], "query": query})
			}
			_, err = io.WriteString(s.out, query)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&table.From, "from", "", "table, or what else may follow FROM (required)")
	f.StringVar(&table.Embedding, "embedding", "embedding", "column of the vectors")
	f.StringVar(&table.Label, "label", "label", "column of the classes, whole numbers from 0")
	f.IntVar(&table.Width, "width", 0, "numbers in a vector (required)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func newSQLDecode(s *streams) *cobra.Command {
	var classes int
	var out string
	var asJSON bool
	c := &cobra.Command{
		Use:   "decode RESULT --classes C --out FILE",
		Short: "Make statistics of the result of the query",
		Long: `Decode reads what the query gave, JSON objects one after the other or in a list (- is
standard input), and writes statistics as iimm map does. Vectors that the engine
found to be of another width, or without a finite norm, are an error.`,
		Example: `  iimm sql decode result.json --classes 1000 --out images.stats`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case out == "":
				return usagef("--out is required: the file to write")
			case classes < 2:
				return usagef("--classes %d: want 2 or more", classes)
			}
			return decodeSQL(s, args[0], classes, out, asJSON)
		},
	}
	f := c.Flags()
	f.IntVar(&classes, "classes", 0, "number of classes (required)")
	f.StringVar(&out, "out", "", "file to write (required)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func decodeSQL(s *streams, path string, classes int, out string, asJSON bool) error {
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	a, err := pushdown.Decode(in, classes)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := a.MarkShard(a.Digest()); err != nil {
		return err
	}
	b, err := a.MarshalBinary()
	if err != nil {
		return err
	}
	if err := store.WriteFile(out, b); err != nil {
		return err
	}
	empty := len(slices.DeleteFunc(a.Counts(), func(n int64) bool { return n > 0 }))
	if asJSON {
		return s.json(map[string]any{"schema": 1, "out": out, "n": a.N(), "d": a.Dim(), "classes": classes, "empty_classes": empty})
	}
	_, err = fmt.Fprintf(s.out, "%s: %d rows of width %d, %d classes, %d of them empty\n", out, a.N(), a.Dim(), classes, empty)
	return err
}
