package main

import (
	"context"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/kernels"
)

func init() { verbs = append(verbs, newLab) }

type labOptions struct {
	path                string
	backends            []string
	port                int
	existing, noBrowser bool
	stop, remove, json  bool
}

func newLab(s *streams) *cobra.Command {
	o := &labOptions{}
	c := &cobra.Command{
		Use:   "lab [NOTEBOOK | FOLDER]",
		Short: "Open JupyterLab with the Go kernels, set up by itself",
		Long: `Opens a notebook in JupyterLab. What that needs is made the first time, in a few
minutes, and kept in the cache: an isolated Python environment with JupyterLab
` + kernels.LabVersion() + ` (pinned and checked by hash), the pinned gonb, goimports and gopls, a
kernel for Go and one for each XLA plugin that works here, and the library
compiled for the cells. All it needs before is Go, and Python 3.10 or later.

JupyterLab listens on the loopback interface only and asks for the token that is
in the printed address. A Lab that is already running on the same folder or clone
is taken. Ctrl-C stops JupyterLab and its kernels.`,
		Example: `  iimm lab notebooks/01-embedding-space.ipynb
  iimm lab --no-browser --port 9000    # on another machine: print the address
  iimm lab --use-existing              # with the jupyter on the PATH
  iimm lab --remove                    # undo it`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.path = args[0]
			}
			switch {
			case o.port < 0 || o.port > 65535:
				return usagef("--port %d is not a port", o.port)
			case o.stop && o.remove:
				return usagef("--remove stops every Lab too: leave out --stop")
			case (o.stop || o.remove) && o.path != "":
				return usagef("--stop and --remove concern every Lab: name no notebook")
			case o.remove:
				return o.runRemove(c.Context(), s)
			case o.stop:
				return o.runStop(c.Context(), s)
			}
			return o.run(c.Context(), s)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.noBrowser, "no-browser", false, "print the address, open nothing")
	f.IntVar(&o.port, "port", 0, "listen on port `N` (default 8888 or the next that is free)")
	f.StringSliceVar(&o.backends, "backend", nil, "backends to have a kernel for: go, xla:cpu, xla:cuda (default: those that work here)")
	f.BoolVar(&o.existing, "use-existing", false, "use the JupyterLab on the PATH, with its settings, and make no Python environment")
	f.BoolVar(&o.stop, "stop", false, "stop every running Lab, and do nothing else")
	f.BoolVar(&o.remove, "remove", false, "stop every running Lab and remove the environment, kernelspecs and settings made for it")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *labOptions) run(ctx context.Context, s *streams) error {
	// A terminal that is closed stops the Lab as Ctrl-C does.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	for _, b := range o.backends {
		if _, err := kernels.Name(b); err != nil {
			return usageError{err}
		}
	}
	var optional []string
	if o.backends == nil {
		optional = usableBackends()
	}
	lab, err := kernels.OpenLab(ctx, kernels.LabOptions{
		Path: o.path, Existing: o.existing, Port: o.port, Optional: optional,
		Kernels: kernels.Options{
			Backends: o.backends, Version: buildVersion().Version, Progress: s.progress(),
			Warn: func(text string) { s.warnf("%s", text) },
		},
	})
	if err != nil {
		return err
	}
	if err := o.announce(lab, s); err != nil {
		return err
	}
	if !o.noBrowser {
		if err := lab.Browse(); err != nil {
			s.warnf("%v", err)
		}
	}
	if !lab.Started {
		return nil
	}
	if err := lab.Wait(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.err, "JupyterLab and its kernels have stopped")
	return err
}

// usableBackends are those whose kernels would compute here.
func usableBackends() []string {
	var names []string
	for _, b := range backend.List() {
		if b.Usable {
			names = append(names, b.Name)
		}
	}
	return names
}

func (o *labOptions) announce(lab *kernels.Lab, s *streams) error {
	var names []string
	for _, k := range lab.Kernels {
		names = append(names, k.Name)
	}
	if o.json {
		return s.json(struct {
			Schema      int      `json:"schema"`
			URL         string   `json:"url"`
			Port        int      `json:"port"`
			PID         int      `json:"pid"`
			Root        string   `json:"root"`
			Started     bool     `json:"started"` // false: it was running
			Environment string   `json:"environment"`
			JupyterLab  string   `json:"jupyterlab"`
			Kernels     []string `json:"kernels"`
		}{1, lab.URL, lab.Port, lab.PID, lab.Root, lab.Started, lab.Environment, labVersion(lab), names})
	}
	what, end := "JupyterLab is running", "Ctrl-C stops it and its kernels"
	if !lab.Started {
		what, end = "JupyterLab was running already", "iimm lab --stop stops it"
	}
	_, err := fmt.Fprintf(s.out, "%s on %s with the kernels %s; %s\n\n    %s\n\n", what, lab.Root, strings.Join(names, ", "), end, lab.URL)
	return err
}

// labVersion is empty for an existing JupyterLab: its version is its own affair.
func labVersion(lab *kernels.Lab) string {
	if lab.Environment == "" {
		return ""
	}
	return kernels.LabVersion()
}

func (o *labOptions) runStop(ctx context.Context, s *streams) error {
	n, err := kernels.StopLabs(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return s.json(map[string]any{"schema": 1, "stopped": n})
	}
	_, err = fmt.Fprintf(s.out, "%d stopped\n", n)
	return err
}

func (o *labOptions) runRemove(ctx context.Context, s *streams) error {
	dir, err := kernels.RemoveLab(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return s.json(map[string]any{"schema": 1, "removed": dir})
	}
	if dir == "" {
		_, err = fmt.Fprintln(s.out, "nothing to remove")
		return err
	}
	_, err = fmt.Fprintf(s.out, "removed %s; gonb and the build cache serve other kernels too and stay (iimm cache clean bin)\n", dir)
	return err
}
