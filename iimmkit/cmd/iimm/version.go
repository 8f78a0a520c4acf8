package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func init() { verbs = append(verbs, newVersion) }

type versionInfo struct {
	Schema  int    `json:"schema"`
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Dirty   bool   `json:"dirty"`
	Go      string `json:"go"`
	SIMD    bool   `json:"simd"`
	CGO     bool   `json:"cgo"`
}

func buildVersion() versionInfo {
	v := versionInfo{Schema: 1, Version: "devel", Go: runtime.Version(), SIMD: builtWithSIMD}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Dirty = s.Value == "true"
		case "CGO_ENABLED":
			v.CGO = s.Value == "1"
		}
	}
	return v
}

func newVersion(s *streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit and how this binary was built",
		Example: "  iimm version --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			if asJSON {
				return s.json(v)
			}
			commit := v.Commit
			if commit == "" {
				commit = "unknown commit"
			}
			parts := []string{v.Go}
			if v.SIMD {
				parts = append(parts, "simd")
			} else {
				parts = append(parts, "without simd: build with GOEXPERIMENT=simd, computing is 30 times faster")
			}
			if v.CGO {
				parts = append(parts, "cgo")
			}
			fmt.Fprintf(s.out, "iimm %s (%s; %s)\n", v.Version, commit, strings.Join(parts, ", "))
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
