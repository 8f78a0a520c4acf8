package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	_ "github.com/iimmkit/iimm/iimmkit/model/encoder/micro" // the models the program carries
	"github.com/iimmkit/iimm/iimmkit/model/train"
)

func init() { verbs = append(verbs, newModels) }

type modelInfo struct {
	Name       string         `json:"name"`
	Parameters int            `json:"parameters"`
	Hash       string         `json:"hash"`
	Config     encoder.Config `json:"config"`
	// Unread are files of weights beside those that were read.
	Unread []string `json:"unread,omitempty"`
}

func newModels(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:     "models",
		Short:   "List, fetch and test models, and look into a checkpoint",
		Example: "  iimm models list\n  iimm models fetch clip-b-32\n  iimm models check clip-b-32",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("models needs a verb: list, fetch, pin, check, show or card")
		},
	}
	var asJSON bool
	show := &cobra.Command{
		Use: "show MODEL", Short: "Open a checkpoint, check every tensor against its configuration and describe it",
		Example: "  iimm models show micro", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			info, err := describe(args[0])
			if err != nil {
				return err
			}
			for _, file := range info.Unread {
				s.warnf("%s: %s was not read: other weights come first", args[0], file)
			}
			return printModels(s, []modelInfo{info}, asJSON)
		},
	}
	var engine string
	card := &cobra.Command{
		Use: "card DIR", Short: "Measure a pretrained micro model's zero-shot accuracies again and rewrite its model card",
		Example: "  iimm models card /tmp/micro", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return renewCard(c.Context(), s, args[0], engine, asJSON) },
	}
	card.Flags().StringVar(&engine, "backend", "", "go, xla:cpu, xla:cuda or auto (default auto)")
	for _, sub := range []*cobra.Command{show, card} {
		sub.Flags().BoolVar(&asJSON, "json", false, "print JSON")
		c.AddCommand(sub)
	}
	c.AddCommand(newModelsList(s), newModelsFetch(s), newModelsPin(s), newModelsCheck(s))
	return c
}

// describe opens a model on the Go backend, which needs no compilation.
func describe(name string) (modelInfo, error) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		return modelInfo{}, err
	}
	e, err := encoder.Open(b, name)
	if err != nil {
		return modelInfo{}, err
	}
	hash, err := e.Hash()
	info := modelInfo{Name: name, Hash: hash, Config: e.Config(), Unread: e.Unread}
	for _, w := range e.WeightNames() {
		info.Parameters += e.Weight(w).Shape().Size()
	}
	return info, err
}

func printModels(s *streams, infos []modelInfo, asJSON bool) error {
	if asJSON {
		return s.json(map[string]any{"schema": 1, "models": infos})
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "name\tfamily\tparameters\timage\twidth\tactivation\thash")
	for _, m := range infos {
		fmt.Fprintf(w, "%s\t%s\t%.2f M\t%d\t%d\t%s\t%s\n", m.Name, m.Config.Family, float64(m.Parameters)/1e6, m.Config.ImageSize,
			m.Config.EmbedDim, m.Config.Activation, m.Hash)
	}
	return w.Flush()
}

func renewCard(ctx context.Context, s *streams, dir, engine string, asJSON bool) error {
	b, err := backend.Open(engine)
	if err != nil {
		return err
	}
	card, err := train.RenewCard(ctx, b, dir, s.progress())
	if err != nil {
		return err
	}
	if asJSON {
		return s.json(card)
	}
	_, err = fmt.Fprint(s.out, card.Markdown())
	return err
}
