#!/usr/bin/env bash
# Starts GoNB for a notebook of iimm. Written by "iimm kernel install": edits are lost.
#
# The cells import github.com/iimmkit/iimm from the clone in which the notebook
# lies; elsewhere from IIMM_MODULE (a folder, or a version such as v1.2.3 that
# is in the module cache); else from the module the kernel was installed from.
set -eu
conn=$1
shift
die() { echo "iimm kernel: $*" >&2; exit 1; }

is_module() {
	[ -f "$1/go.mod" ] && grep -Eq '^module[[:space:]]+"?github\.com/iimmkit/iimm"?[[:space:]]*(//.*)?$' "$1/go.mod"
}

[ -n "${IIMM_GOROOT:-}" ] && [ -x "$IIMM_GOROOT/bin/go" ] && PATH="$IIMM_GOROOT/bin:$PATH"
command -v go >/dev/null || die "go is not on the PATH; install Go and run: iimm kernel install"
[ -x "${IIMM_TOOLS:-}/gonb" ] && [ -x "${IIMM_TOOLS:-}/goimports" ] ||
	die "gonb and goimports are not in '${IIMM_TOOLS:-}' any more; run: iimm kernel install"
export PATH="$IIMM_TOOLS:$PATH"
[ -x "${IIMM_GOPLS:-}/gopls" ] && PATH="$IIMM_GOPLS:$PATH"

root=$PWD
while ! is_module "$root" && [ "$root" != / ]; do root=$(dirname "$root"); done
if ! is_module "$root"; then
	root=${IIMM_MODULE:-${IIMM_INSTALLED_MODULE:-}}
	[ -n "$root" ] || die "$PWD is not in a clone of github.com/iimmkit/iimm: set IIMM_MODULE to a clone or to a version (v1.2.3)"
	case $root in
	v[0-9]*)
		version=$root
		root=$(cd / && GOFLAGS=-mod=mod GOWORK=off GOPROXY=${IIMM_GOPROXY:-off} go list -m -f '{{.Dir}}' "github.com/iimmkit/iimm@$version") &&
			[ -n "$root" ] || die "github.com/iimmkit/iimm@$version is not in the module cache: run: go mod download github.com/iimmkit/iimm@$version"
		;;
	esac
	is_module "$root" || die "$root holds no module github.com/iimmkit/iimm (from IIMM_MODULE, or from the installation of this kernel): run iimm kernel install in a clone, or set IIMM_MODULE"
fi

# No symbol table: half the link time; stack traces keep working.
export GOFLAGS="${GOFLAGS:+$GOFLAGS }-ldflags=-s"
# An import that is not there fails at once instead of asking the network;
# IIMM_GOPROXY=https://proxy.golang.org,direct lets cells fetch other modules.
export GOPROXY=${IIMM_GOPROXY:-off}
[ "$GOPROXY" = off ] && export GOSUMDB=off
export GOEXPERIMENT=${GOEXPERIMENT-simd} CGO_ENABLED=${CGO_ENABLED:-0} GOTOOLCHAIN=local GOWORK=

exec gonb --kernel "$conn" -go_work="$root" -raw_error="${IIMM_RAW_ERROR:-false}" \
	-logtostderr=false -log_file=/dev/null -stderrthreshold=3 "$@"
