#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the tests that need a network between the two ends: three namespaces,
# client, router and server, which quic_net.sh makes and changes under the
# programs.  The output is TAP.
#
#   quic_paths.sh [DIR] [PROGRAM...]
#
# DIR holds the programs (default: $OUTPUT or where this script is).

here=$(cd "$(dirname "$0")" && pwd)
dir=${OUTPUT:-$here}
if [ -d "${1:-}" ]; then
	dir=$1
	shift
fi
[ $# -gt 0 ] || set -- quic_path_version quic_path_move quic_path_mtu quic_path_ecn quic_path_end quic_path_header

skip()
{
	echo "1..0 # SKIP $1"
	exit 4
}

[ "$(id -u)" = 0 ] || skip "needs root: it makes network namespaces"
for tool in ip nft tc ethtool ping awk; do
	command -v $tool >/dev/null || skip "needs the command $tool"
done

QN_SCRIPT=$here/quic_net.sh
QN_CLIENT=quic-client-$$
QN_ROUTER=quic-router-$$
QN_SERVER=quic-server-$$
export QN_SCRIPT QN_CLIENT QN_ROUTER QN_SERVER
trap '"$QN_SCRIPT" down' EXIT
trap 'exit 1' INT TERM
if ! "$QN_SCRIPT" up; then
	echo "Bail out! the network could not be made"
	exit 1
fi

log=$(mktemp) || exit 1
trap 'rm -f "$log"; "$QN_SCRIPT" down' EXIT
number=0
failed=0
skipped=0
echo "TAP version 13"
for program in "$@"; do
	"$dir/$program" >"$log" 2>&1
	status=$?
	# One stream of results for all programs; what is no result becomes a comment.
	awk -v number=$number -v prog="$program" '
	/^(not )?ok [0-9]/ {
		status = $1 == "ok" ? "ok" : "not ok"
		sub(/^(not )?ok [0-9]+ -? ?/, "")
		printf "%s %d - %s: %s\n", status, ++number, prog, $0
		next
	}
	/^TAP version|^1\.\.|RUN   |         OK  |^# (Totals|PASSED|FAILED|Starting)/ { next }
	/^#/ { print; next }
	{ print "# " $0 }' "$log"
	bad=$(grep -c '^not ok' "$log")
	skipped=$((skipped + $(grep -c '^ok .*# SKIP' "$log")))
	number=$((number + $(grep -c -E '^(not )?ok [0-9]' "$log")))
	if [ $status -ne 0 ] && [ $status -ne 4 ] && [ "$bad" -eq 0 ]; then
		number=$((number + 1))
		bad=1
		echo "not ok $number - $program: ended with status $status"
	fi
	failed=$((failed + bad))
done
echo "1..$number"
[ $failed -gt 0 ] && exit 1
[ $number -eq $skipped ] && exit 4
exit 0
