#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# panic-calls.sh OBJECT CEILING
#
# A Rust panic in the kernel is a BUG(). This counts the calls in OBJECT (net/quic/main.o) that can
# only panic, prints them by function, and fails when there are more than the number in the file
# CEILING. Fewer than that: lower the number.
set -eu

object=$1
ceiling=$(grep -v '^#' "$2")

calls=$(mktemp)
trap 'rm -f "$calls"' EXIT

# A line "address <function>:" opens a function, a relocation within names what it calls.
${OBJDUMP:-objdump} -dr "$object" | awk '
/^[0-9a-f]+ <.*>:$/ {
	function_ = $2
	gsub(/[<>:]/, "", function_)
	next
}
/R_[A-Z0-9_]+/ && /4core9panicking|panic_fmt|panic_bounds|unwrap_failed|expect_failed|slice_(start|end)_index|_fail[a-z0-9_]*5index|rust_begin_unwind|rust_helper_BUG|rust_build_error/ {
	# The shims inside of core are counted where they are called.
	if (function_ ~ /4core9panicking/)
		next
	target = $3
	sub(/[-+]0x[0-9a-f]+$/, "", target)
	print function_, target
}' >"$calls"

count=$(wc -l <"$calls")
echo "panic calls in $(basename "$object"): $count (ceiling $ceiling)"
if [ "$count" -gt 0 ]; then
	sort "$calls" | uniq -c | sort -rn | c++filt | sed -e 's/\[[0-9a-f]*\]//g' -e 's/^ */  /'
fi
if [ "$count" -gt "$ceiling" ]; then
	echo "error: more panic calls than $2 allows; find the index, unwrap or plain arithmetic above" >&2
	exit 1
fi
