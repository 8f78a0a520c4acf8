package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/file/store"
)

func init() { verbs = append(verbs, newCache) }

func newCache(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:     "cache",
		Short:   "List and remove what is kept to save time: embeddings, tools, plugins",
		Example: "  iimm cache ls\n  iimm cache clean embeddings",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newCacheList(s), newCacheClean(s))
	return c
}

func newCacheList(s *streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "ls",
		Short:   "Say how much of what is kept, and where",
		Example: "  iimm cache ls --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, kinds, err := store.Kinds()
			if err != nil {
				return err
			}
			if asJSON {
				if kinds == nil {
					kinds = []store.Kind{}
				}
				return s.json(map[string]any{"schema": 1, "dir": dir, "kinds": kinds})
			}
			w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
			for _, k := range kinds {
				fmt.Fprintf(w, "%s\t%d files\t%.1f MB\t\n", k.Name, k.Files, float64(k.Bytes)/1e6)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "in %s (IIMM_CACHE moves it)\n", dir)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func newCacheClean(s *streams) *cobra.Command {
	var all, asJSON bool
	c := &cobra.Command{
		Use:     "clean KIND… | --all",
		Short:   "Remove folders of the cache; what is removed is made or fetched again when needed",
		Example: "  iimm cache clean embeddings\n  iimm cache clean --all",
		RunE: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usagef("name what to remove (see iimm cache ls), or give --all")
			}
			_, kinds, err := store.Kinds()
			if err != nil {
				return err
			}
			freed := map[string]int64{}
			for _, k := range kinds {
				freed[k.Name] = k.Bytes
				if all {
					args = append(args, k.Name)
				}
			}
			var bytes int64
			for _, name := range args {
				if err := store.Clean(name); err != nil {
					return err
				}
				bytes += freed[name]
			}
			if asJSON {
				if args == nil {
					args = []string{}
				}
				return s.json(map[string]any{"schema": 1, "removed": args, "bytes": bytes})
			}
			_, err = fmt.Fprintf(s.out, "%.1f MB removed\n", float64(bytes)/1e6)
			return err
		},
	}
	c.Flags().BoolVar(&all, "all", false, "remove all of it")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
