// Command iimm says, before a vision-language model is fine-tuned, what the
// embeddings tell about gain and forgetting, and measures both.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
)

func main() {
	backend.Restart()
	os.Exit(run(os.Args[1:], newStreams(os.Stdout, os.Stderr)))
}

// run executes one command line and returns its exit code: 0, 1 for a failed
// run, 2 for a wrong call, 3 for the alarm of iimm watch, 130 after Ctrl-C.
func run(args []string, s *streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot(s)
	root.SetArgs(args)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil {
		fmt.Fprintln(s.err, "iimm: stopped; what was finished is kept")
		return 130
	}
	fmt.Fprintf(s.err, "iimm: %v\n", err)
	if errors.Is(err, errAlarm) {
		return exitAlarm
	}
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// usageError marks an error as a wrong call: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "iimm",
		Short: "Forecast and measure what fine-tuning a vision-language model gains and forgets",
		Long: `iimm measures image and caption embeddings (the Inter-Intra Modal Measure and
its parts), fine-tunes dual encoders, measures gain and forgetting, and shows
how the one foretells the other.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRun: func(c *cobra.Command, _ []string) {
			// Verbs that compute have the flag.
			if !builtWithSIMD && runtime.GOARCH == "amd64" && c.Flags().Lookup("backend") != nil {
				s.warnf("built without simd: the Go backend is some 30 times slower than with GOEXPERIMENT=simd go build")
			}
		},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%v (see %s --help)", err, c.CommandPath())
	})
	for _, verb := range verbs {
		root.AddCommand(verb(s))
	}
	wrapArgs(root)
	return root
}

// verbs holds one constructor per file of this package, added by its init.
var verbs []func(*streams) *cobra.Command

// wrapArgs turns cobra's complaints about arguments into usage errors.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usagef("%v (see %s --help)", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}
