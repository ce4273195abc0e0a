# Shared by the scripts in tools/: what they print, and how they give up. Sourced, never run.

top=$(cd "$(dirname "$0")/.." && pwd)

say() { printf '%-10s %s\n' "$1" "$2"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" -eq 0 ] || die "this step must run as root (it $1): run make as root or with sudo"
}

# quiet LOG COMMAND...: run with everything it prints in LOG; on failure show the log's end.
quiet() {
	log=$1
	shift
	mkdir -p "$(dirname "$log")"
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 20 "$log" >&2
		printf '%s: failed: %s (whole log: %s)\n' "${0##*/}" "$*" "$log" >&2
		return 1
	fi
}
