# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts in this folder: messages, the cache, and running in the toolchain root.
# shellcheck shell=bash

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${QUIC_CACHE:-/var/cache/linux-quic}
ROOT=$CACHE/root
STAMPS=$CACHE/stamps
LOGS=$CACHE/logs
# What the kernel tree is called inside the toolchain root.
KTREES=/var/lib/linux-quic
# Programs of others that only tests need, each in a folder of its own there (peers.sh).
PEERS=$KTREES/peers
# What is built for this checkout: one folder per checkout, outside it, so that clones never mix.
OUT=$CACHE/build/$(printf '%s' "$TOP" | sha256sum | cut -c1-12)
export TOP CACHE ROOT STAMPS LOGS KTREES PEERS OUT

if [ -t 1 ]; then BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else BOLD='' RED='' GREEN='' DIM='' PLAIN=''; fi

say() { printf '%s==>%s %s\n' "$BOLD" "$PLAIN" "$*"; }
note() { printf '%s    %s%s\n' "$DIM" "$*" "$PLAIN"; }
good() { printf '%s==> %s%s\n' "$GREEN" "$*" "$PLAIN"; }

# die WHAT WHAT-TO-DO…: the reason, then one line per remedy.
die() {
	printf '%serror:%s %s\n' "$RED" "$PLAIN" "$1" >&2
	shift
	for hint in "$@"; do printf '       %s\n' "$hint" >&2; done
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "this must run as root: it mounts, and starts a virtual machine" \
		"Run it again as root, for instance: sudo make ${1:-check}"
}

# run_logged NAME WHAT-TO-DO CMD…: runs CMD with its output in a log file, shows the log's end
# when it fails.
run_logged() {
	local name=$1 hint=$2 log began
	shift 2
	log=$LOGS/$name.log
	began=$SECONDS
	mkdir -p "$LOGS"
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 15 "$log" >&2
		die "$name failed after $((SECONDS - began)) s; the whole output is in $log" "$hint"
	fi
	note "done in $((SECONDS - began)) s"
}

# The release of the chosen kernel, as set-up recorded it.
kernel_release() {
	cat "$CACHE/kernel-release" 2>/dev/null ||
		die "the kernel has not been set up yet" "Run: make setup"
}
kernel_tree() { printf '%s/%s\n' "$KTREES" "$(kernel_release)"; }

# in_root [-w DIR] CMD…: runs CMD inside the toolchain root, with the checkout at its own path. The mounts
# live in a mount namespace of their own and vanish with the command.
in_root() {
	local dir=$TOP
	if [ "$1" = -w ]; then dir=$2; shift 2; fi
	mkdir -p "$ROOT$TOP" "$OUT" "$ROOT$OUT"
	[ -e /etc/resolv.conf ] && cp -L /etc/resolv.conf "$ROOT/etc/resolv.conf" 2>/dev/null
	QUIC_DIR=$dir unshare --mount --propagation private \
		bash "$TOP/scripts/in-root.sh" "$@"
}
