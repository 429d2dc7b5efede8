#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the debug guest: allocations and user copies made by quic.ko fail now and then while selftests run. The tests may
# fail; the kernel must not: no report, no hang, nothing lost, and all is well once the faults are over. Prints TAP.
# QUIC_FAULT_PERCENT (2), QUIC_FAULT_ROUNDS (1), QUIC_FAULT_PROGRAMS.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
DIR=/tmp/faults
DEBUG=/sys/kernel/debug
TIMES=1000000000
mkdir -p $DIR

install_module
modprobe quic
# Only calls whose stack goes through the module fail.
start=$(cat /sys/module/quic/sections/.text)
size=$(awk '$1 == "quic" {print $2}' /proc/modules)
end=$(printf '0x%x' $((start + size)))

set_fault() { # set_fault KIND PERCENT
	local dir=$DEBUG/$1
	echo 0 >"$dir/probability"
	echo 1 >"$dir/interval"
	echo 0 >"$dir/verbose"
	echo $TIMES >"$dir/times"
	echo "$start" >"$dir/require-start"
	echo "$end" >"$dir/require-end"
	echo 32 >"$dir/stacktrace-depth"
	[ -e "$dir/ignore-gfp-wait" ] && echo N >"$dir/ignore-gfp-wait"
	[ -e "$dir/min-order" ] && echo 0 >"$dir/min-order"
	echo "$2" >"$dir/probability"
}
injected() { echo $((TIMES - $(cat "$DEBUG/$1/times"))); }

# A short wait for events: under faults a test may wait for what cannot come.
export QUIC_KSFT_SCALE=1 QUIC_RANDOM_FAULTS=1
# runs NAME: the program came to an end by itself, however that was
runs() {
	local status=0
	timeout -k 5 600 "$OUT/selftests/$1" >"$DIR/$1.log" 2>&1 || status=$?
	[ $status -lt 124 ]
}

for round in $(seq "${QUIC_FAULT_ROUNDS:-1}"); do
	export QUIC_RANDOM_SEED=$((20261126 + round * 1000))
	for fault in failslab fail_page_alloc fail_usercopy; do
		set_fault $fault "${QUIC_FAULT_PERCENT:-2}"
		for program in ${QUIC_FAULT_PROGRAMS:-quic_random quic_race quic_handshake quic_stream quic_listen quic_life}; do
			status=0
			runs "$program" || status=1
			kernel_log_clean >"$DIR/dmesg" 2>&1 || status=1
			result "$status" "$program ends under $fault" "$DIR/$program.log" "$DIR/dmesg"
			# What was told once need not be told again.
			[ $status = 0 ] || dmesg -C
		done
		status=0
		count=$(injected $fault)
		echo 0 >$DEBUG/$fault/probability
		[ "$count" -gt 0 ] || status=1
		result $status "$fault made $([ $status = 0 ] && echo some) calls fail" /dev/null
		echo "# $fault: $count"
	done
done

unset QUIC_KSFT_SCALE QUIC_RANDOM_FAULTS
status=0
"$OUT/selftests/quic_life" >$DIR/after.log 2>&1 || status=1
result $status 'once the faults are over, all is as before' $DIR/after.log
result_of_use $DIR
echo "1..$N"
exit "$BAD"
