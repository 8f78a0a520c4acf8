package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/model/finetune"
)

func newFinetuneMerge(s *streams) *cobra.Command {
	var model, out string
	var asJSON bool
	c := &cobra.Command{
		Use:   "merge FOLDER --out MODEL",
		Short: "Make a whole model of a LoRA update, or of the weights that bitfit or attention moved",
		Long: `Merge puts the update that iimm finetune kept into the weights of the model that
was tuned, and writes that as a checkpoint in the layout in which the model came.
An adapter and a probe cannot become part of the weights: they are refused.`,
		Example: `  iimm finetune --method lora --task world/texture --out tuned
  iimm finetune merge tuned --out merged
  iimm zeroshot --model merged --task world/texture`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				return usagef("--out is required: the folder for the merged model")
			}
			b, err := backend.Open(backend.Go) // nothing is computed
			if err != nil {
				return err
			}
			k, err := finetune.Merge(b, args[0], model, out)
			if err != nil {
				return err
			}
			if asJSON {
				return s.json(struct {
					Schema    int    `json:"schema"`
					Dir       string `json:"dir"`
					Method    string `json:"method"`
					Model     string `json:"model"`
					ModelHash string `json:"model_hash"`
				}{1, out, k.Method, k.Model, k.Hash})
			}
			_, err = fmt.Fprintf(s.out, "%s of %s merged into its weights: %s\n", k.Method, k.Model, out)
			return err
		},
	}
	c.Flags().StringVar(&model, "model", "", "the model that was tuned (default as FOLDER names it)")
	c.Flags().StringVar(&out, "out", "", "folder for the merged model")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
