package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/model/encoder"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/hub"
	"github.com/iimmkit/iimm/iimmkit/model/encoder/micro"
)

// listedModel is a line of models list: one that the program carries, or one of
// the hub.
type listedModel struct {
	Name     string `json:"name"`
	Source   string `json:"source"` // embedded or hub
	Family   string `json:"family,omitempty"`
	Here     bool   `json:"here"` // can be opened without a network
	Bytes    int64  `json:"bytes"`
	Licence  string `json:"licence,omitempty"`
	OpenCLIP string `json:"open_clip,omitempty"`
	*hubModel
	*embeddedModel
}

type hubModel struct {
	Repository string `json:"repository"`
	Revision   string `json:"revision"`
	Page       string `json:"page"`
	Dir        string `json:"dir,omitempty"`
	Commit     string `json:"commit"` // 40 hexadecimal digits, or "unpinned"
	Pinned     bool   `json:"pinned"`
}

type embeddedModel struct {
	Parameters int            `json:"parameters"`
	Hash       string         `json:"hash"`
	Config     encoder.Config `json:"config"`
}

func newModelsList(s *streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the models that have a name: what is here, how large, pinned or not",
		Long: `list shows the models that the program carries, those of the hub that have a
short name, and every other that was fetched with hf:OWNER/REPO. Nothing is
asked of the network. A model is pinned when the lock file has its commit and
checksums; an unpinned one gets them at its first fetch.`,
		Example: "  iimm models list --json",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return listModels(s, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func listModels(s *streams, asJSON bool) error {
	var list []listedModel
	for _, name := range encoder.Registered() {
		info, err := describe(name)
		if err != nil {
			return err
		}
		m := listedModel{Name: name, Source: "embedded", Family: info.Config.Family, Here: true, Licence: "Apache-2.0",
			embeddedModel: &embeddedModel{info.Parameters, info.Hash, info.Config}}
		if folder, ok := micro.Files(name); ok {
			if m.Bytes, err = sizeOf(folder); err != nil {
				return err
			}
		}
		list = append(list, m)
	}
	states, err := hub.List()
	if err != nil {
		return err
	}
	for _, h := range states {
		m := listedModel{Name: h.Name, Source: "hub", Family: h.Family, Here: h.Fetched, Bytes: h.Bytes, Licence: h.Licence,
			hubModel: &hubModel{h.Repository, h.Revision, h.Page, h.Dir, h.Commit, h.Pinned}}
		for _, e := range hub.Catalogue() {
			if e.Name == h.Name {
				m.OpenCLIP = e.OpenCLIP
			}
		}
		list = append(list, m)
	}
	if asJSON {
		return s.json(map[string]any{"schema": 1, "models": list})
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tFAMILY\tHERE\tSIZE\tREVISION\tLICENCE\tFROM")
	for _, m := range list {
		here, revision, from, size := "no", "", "", ""
		if m.Here {
			here = "yes"
		}
		if m.Bytes > 0 {
			size = megabytes(m.Bytes)
		}
		if m.hubModel != nil {
			from, revision = m.Page, m.Commit
			if m.Pinned {
				revision = m.Commit[:12]
			}
		} else {
			from, revision = "this program", m.Hash
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.Family, here, size, revision, m.Licence, from)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, "\nAlso: hf:OWNER/REPO, any checkpoint of these families on the hub, and a folder that holds one.")
	return err
}

func sizeOf(folder fs.FS) (n int64, err error) {
	names, err := hub.Files(folder)
	for _, name := range names {
		info, serr := fs.Stat(folder, name)
		if serr != nil {
			return n, serr
		}
		n += info.Size()
	}
	return n, err
}

func megabytes(n int64) string {
	if n < 10_000_000 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

func newModelsFetch(s *streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "fetch NAME",
		Short: "Fetch a model of the Hugging Face hub, or check that it is here",
		Long: `fetch brings a model into Hugging Face's own cache (HF_HUB_CACHE, HF_HOME), where
Python's huggingface_hub finds it; what Python fetched is used. NAME is one of
iimm models list, or hf:OWNER/REPO, or hf:OWNER/REPO@REVISION.

Every file is checked. A model that the lock file does not know is recorded in
it with its commit and checksums; from then on other bytes are refused, until
iimm models pin takes the model's newest state. An interrupted fetch goes on
where it stopped.

HF_TOKEN, or the token file of hf auth login, opens private and gated models;
HF_ENDPOINT names a mirror; HF_HUB_OFFLINE=1 or IIMM_OFFLINE=1 keeps off the
network.`,
		Example: "  iimm models fetch clip-b-32\n  iimm models fetch hf:laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return fetchModel(c.Context(), s, args[0], asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// hubOptions tells progress and waits on the error stream.
func (s *streams) hubOptions() hub.Options {
	return hub.Options{Report: s.progress(), Note: func(text string) { s.warnf("%s", text) }}
}

// hubError marks a name that cannot be one of the hub's as a wrong call.
func hubError(err error) error {
	if errors.Is(err, hub.ErrName) {
		return usageError{err}
	}
	return err
}

func fetchModel(ctx context.Context, s *streams, name string, asJSON bool) error {
	if slices.Contains(encoder.Registered(), name) {
		return usagef("%s is part of this program: nothing to fetch", name)
	}
	f, err := hub.Fetch(ctx, name, s.hubOptions())
	if err != nil {
		return hubError(err)
	}
	if f.Unverified {
		s.warnf("%s is in the cache, but nobody recorded its checksums, and without a network they cannot be looked up", name)
	}
	if !f.Unverified && !f.Has("tokenizer.json", "vocab.json", "tokenizer.model", "spiece.model") {
		s.warnf("%s brings no tokenizer: its captions may not be readable", name)
	}
	if asJSON {
		return s.json(struct {
			Schema int `json:"schema"`
			*hub.Fetched
		}{1, f})
	}
	verb := "was here"
	if f.Downloaded > 0 {
		verb = "fetched " + megabytes(f.Downloaded)
	}
	fmt.Fprintf(s.out, "%s: %s, %s in %s\n", name, verb, megabytes(f.Bytes), f.Dir)
	if f.Recorded {
		_, err = fmt.Fprintf(s.out, "it was unpinned: commit %s and the checksums of %d files are recorded in %s\n", f.Commit, len(f.Files), f.Lock)
	}
	return err
}

func newModelsPin(s *streams) *cobra.Command {
	var out string
	var asJSON bool
	c := &cobra.Command{
		Use:   "pin [NAME...]",
		Short: "Look up revisions and checksums of models and write the lock file",
		Long: `pin asks the hub which commit each model has now and which checksums its files
have, without fetching weights, and writes them into the lock file: the user's,
in iimm's cache, or --lock. Without names it pins every model that has one.
What could not be looked up stays as it was, is named, and makes the exit
code 1; a checksum is never invented.`,
		Example: "  iimm models pin\n  iimm models pin clip-b-32 --lock lock.json",
		RunE:    func(c *cobra.Command, args []string) error { return pinModels(c.Context(), s, args, out, asJSON) },
	}
	c.Flags().StringVar(&out, "lock", "", "lock file to write (default: the user's)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func pinModels(ctx context.Context, s *streams, names []string, path string, asJSON bool) error {
	if len(names) == 0 {
		for _, e := range hub.Catalogue() {
			names = append(names, e.Name)
		}
	}
	if path == "" {
		var err error
		if path, err = hub.LockPath(); err != nil {
			return err
		}
	}
	list, err := hub.Repin(ctx, path, names, s.hubOptions())
	if err != nil {
		return hubError(err)
	}
	var failed []string
	for _, p := range list {
		if p.Error != "" {
			failed = append(failed, p.Name)
		}
	}
	if asJSON {
		if err := s.json(map[string]any{"schema": 1, "lock": path, "models": list}); err != nil {
			return err
		}
	} else if len(failed) < len(list) {
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tREPOSITORY\tCOMMIT\tBEFORE\tFILES\tSIZE")
		for _, p := range list {
			if p.Error == "" {
				fmt.Fprintf(w, "%s\t%s\t%.12s\t%.12s\t%d\t%s\n", p.Name, p.Repository, p.Commit, p.Before, p.Files, megabytes(p.Bytes))
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "written to %s\n", path)
	}
	if len(failed) == 0 {
		return nil
	}
	for _, p := range list {
		if p.Error != "" {
			s.warnf("%s", p.Error)
		}
	}
	return fmt.Errorf("not pinned: %s", strings.Join(failed, ", "))
}
