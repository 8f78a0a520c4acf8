package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

func init() { verbs = append(verbs, newBackends) }

type backendsOptions struct {
	json bool
}

func newBackends(s *streams) *cobra.Command {
	o := &backendsOptions{}
	c := &cobra.Command{
		Use:   "backends",
		Short: "List what can compute here: Go, XLA on the CPU, XLA on a GPU",
		Long: `backends tries every engine: opens it, multiplies two matrices, and says which
one "auto" takes, or why one is not usable here. Nothing is downloaded; see
iimm backends install.`,
		Example: "  iimm backends --json",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return o.run(s) },
	}
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	c.AddCommand(newBackendsInstall(s))
	return c
}

func (o *backendsOptions) run(s *streams) error {
	all := backend.List()
	if o.json {
		return s.json(struct {
			Schema   int              `json:"schema"`
			Backends []backend.Status `json:"backends"`
		}{1, all})
	}
	t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, b := range all {
		usable, what := "usable", b.Description
		if !b.Usable {
			usable, what = "not usable", b.Why
		}
		if b.Auto {
			usable += ", auto"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", b.Name, usable, what)
		if b.Provenance != "" {
			fmt.Fprintf(t, "\t\t%s\n", b.Provenance)
		}
	}
	return t.Flush()
}

type backendsInstallOptions struct {
	name string
	json bool
	backend.InstallOptions
}

func newBackendsInstall(s *streams) *cobra.Command {
	o := &backendsInstallOptions{}
	c := &cobra.Command{
		Use:   "install xla:cpu|xla:cuda",
		Short: "Fetch the plugin of an XLA backend",
		Long: `install fetches an XLA plugin, has it compute something, and keeps beside it
where it came from. By default GoMLX's installer fetches the release that GoMLX
is tested with. --from-pypi takes xla:cpu from a pinned wheel of the Python
package index instead (PIP_INDEX_URL names another index), for networks that
reach no release pages. IIMM_OFFLINE=1 forbids it.`,
		Example: "  iimm backends install xla:cpu\n  iimm backends install xla:cpu --from-pypi",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.name = args[0]
			return o.run(c.Context(), s)
		},
	}
	c.Flags().BoolVar(&o.FromPyPI, "from-pypi", false, "take xla:cpu from a pinned wheel of the Python package index")
	c.Flags().BoolVar(&o.Force, "force", false, "install although it is there, or although no GPU is seen")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *backendsInstallOptions) run(ctx context.Context, s *streams) error {
	source, err := backend.Source(o.name, o.InstallOptions)
	if errors.Is(err, backend.ErrUnavailable) {
		return err
	}
	if err != nil {
		return usageError{err}
	}
	fmt.Fprintf(s.err, "%s: %s\nfrom %s\nsha256 %s\n", o.name, source.Package, source.Source, source.SHA256)
	done, err := backend.Install(ctx, o.name, o.InstallOptions, s.progress())
	if err != nil {
		return err
	}
	if o.json {
		return s.json(struct {
			Schema int    `json:"schema"`
			Name   string `json:"name"`
			*backend.Installed
		}{1, o.name, done})
	}
	verb := "installed"
	if done.Already {
		verb = "was there already"
	}
	_, err = fmt.Fprintf(s.out, "%s %s: %s\n", o.name, verb, done.Path)
	return err
}
