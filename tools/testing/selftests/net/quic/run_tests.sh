#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run the QUIC selftests and print TAP, then "N passed, N failed, N skipped".
#
#   run_tests.sh [-m] [DIR] [PROGRAM...]
#
# DIR holds the programs (default: where this script is).  With -m the module
# must unload after the tests without leaving a reference, and loads again.
# QUIC_KSFT_SCALE multiplies all time limits; it is measured if not set.
# The exit status is 0 if nothing failed, 4 if all was skipped, else 1.

usage()
{
	sed -n '4,12s/^# \{0,1\}//p' "$0"
	exit "$1"
}

check_module=0
while getopts mh opt; do
	case $opt in
	m) check_module=1 ;;
	h) usage 0 ;;
	*) usage 2 ;;
	esac
done
shift $((OPTIND - 1))

here=$(dirname "$0")
dir=$here
if [ -d "$1" ]; then
	dir=$1
	shift
fi

programs="quic_uapi quic_socket quic_addr quic_listen quic_option quic_option_size
quic_option_blob quic_param quic_handshake quic_sendmsg quic_cmsg quic_recvmsg
quic_stream quic_stream_end quic_event quic_poll quic_life quic_bulk quic_hostile"
[ $# -gt 0 ] && programs=$*

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
passed=0
failed=0
skipped=0
failures=

# Warnings of the kernel count as a failure of the program that caused them.
kernel_warnings()
{
	dmesg 2>/dev/null | grep -c -E 'BUG:|WARNING:|Oops|refcount_t|rust_kernel: panicked'
}

count()
{
	grep -c -E "$1" "$log"
}

run_one()
{
	prog=$1
	before=$(kernel_warnings)
	echo "# --- $prog"
	"$dir/$prog" >"$log" 2>&1
	status=$?
	sed "s/^/    /" "$log"
	skip=$(count '^ok .*# SKIP')
	pass=$(($(count '^ok ') - skip))
	fail=$(count '^not ok ')
	# A program that died before it could say "not ok" has failed as well.
	if [ $status -ne 0 ] && [ $status -ne 4 ] && [ "$fail" -eq 0 ]; then
		fail=1
		echo "# $prog ended with status $status"
	fi
	after=$(kernel_warnings)
	if [ "$after" -gt "$before" ]; then
		fail=$((fail + 1))
		echo "# the kernel log has $((after - before)) new warnings"
	fi
	passed=$((passed + pass))
	failed=$((failed + fail))
	skipped=$((skipped + skip))
	number=$((number + 1))
	if [ "$fail" -gt 0 ]; then
		echo "not ok $number $prog # $pass passed, $fail failed, $skip skipped"
		failures="$failures$(grep '^not ok ' "$log" | sed "s/^not ok [0-9]* /$prog: /")
"
	elif [ "$pass" -eq 0 ]; then
		echo "ok $number $prog # SKIP $skip tests"
	else
		echo "ok $number $prog # $pass passed, $skip skipped"
	fi
}

references()
{
	awk '$1 == "quic" { print $3 }' /proc/modules
}

# The last namespace goes away asynchronously: wait for the count, not for time.
module_unloads()
{
	number=$((number + 1))
	tries=0
	while [ "$(references)" != 0 ] && [ $tries -lt 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	before=$(kernel_warnings)
	if rmmod quic && [ "$(kernel_warnings)" -eq "$before" ]; then
		passed=$((passed + 1))
		echo "ok $number the module unloads"
	else
		failed=$((failed + 1))
		failures="${failures}module: $(references) references left
"
		echo "not ok $number the module unloads"
	fi
}

# shellcheck disable=SC2086 # a list of names
set -- $programs
echo "TAP version 13"
echo "1..$(($# + check_module))"
number=0
for program; do
	run_one "$program"
done
[ $check_module -eq 1 ] && module_unloads

[ -n "$failures" ] && printf '%s' "$failures" | sed 's/^/# failed: /'
echo "# $passed passed, $failed failed, $skipped skipped"
[ $failed -gt 0 ] && exit 1
[ $passed -eq 0 ] && exit 4
exit 0
