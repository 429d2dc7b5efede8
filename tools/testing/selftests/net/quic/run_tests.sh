#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run the QUIC selftests. Prints one TAP stream for all programs, with what they
# have to say as comments, and last "N passed, N failed, N skipped".
#
#   run_tests.sh [-m] [DIR] [PROGRAM...]
#
# DIR holds the programs (default: where this script is).  quic_paths.sh runs
# those that need a network, for which it needs root, ip, nft and tc.  With -m the module
# must unload after the tests without leaving a reference.
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

programs="quic_uapi quic_socket quic_addr quic_listen quic_accept quic_backlog quic_share quic_vrf
quic_hellos quic_dispatch quic_group quic_token quic_option quic_option_size quic_option_blob quic_param quic_param_peer
quic_proc quic_inet quic_late quic_compat quic_handshake quic_sendmsg quic_cmsg quic_recvmsg quic_recv_kind quic_datagram
quic_splice quic_uring quic_stream quic_stream_end quic_event quic_poll quic_priority quic_wait quic_life quic_tunnel
quic_memory quic_charge quic_bulk quic_hostile quic_many quic_netns quic_race quic_random quic_paths.sh"
[ $# -gt 0 ] && programs=$*

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
number=0
passed=0
failed=0
skipped=0
failures=

result()
{
	number=$((number + 1))
	echo "$1 $number - $2"
	case $1 in
	ok) passed=$((passed + 1)) ;;
	*)
		failed=$((failed + 1))
		failures="$failures$2
"
		;;
	esac
}

# Warnings of the kernel count as a failure of the program that caused them.
kernel_warnings()
{
	dmesg 2>/dev/null | grep -c -E 'BUG:|WARNING:|Oops|refcount_t|rust_kernel: panicked'
}

# Renumber the results of one program; what failed keeps its explanations.
renumber()
{
	awk -v number="$number" -v prog="$1" '
	/^(not )?ok [0-9]/ {
		status = $1 == "ok" ? "ok" : "not ok"
		sub(/^(not )?ok [0-9]+ -? ?/, "")
		printf "%s %d - %s: %s\n", status, ++number, prog, $0
		next
	}
	/^TAP version|^1\.\.|RUN   |         OK  |^#      SKIP  |^# (Totals|PASSED|FAILED|Starting)/ { next }
	/^#/ { print; next }
	{ print "# " $0 }' "$log"
}

count()
{
	grep -c -E "$1" "$log"
}

run_one()
{
	before=$(kernel_warnings)
	case $1 in
	*.sh) sh "$here/$1" "$dir" >"$log" 2>&1 ;;
	*) "$dir/$1" >"$log" 2>&1 ;;
	esac
	status=$?
	renumber "$1"
	skip=$(count '^ok .*# SKIP')
	pass=$(($(count '^ok [0-9]') - skip))
	fail=$(count '^not ok [0-9]')
	number=$((number + skip + pass + fail))
	passed=$((passed + pass))
	skipped=$((skipped + skip))
	failed=$((failed + fail))
	if [ "$fail" -gt 0 ]; then
		failures="$failures$(sed -n "s/^not ok [0-9]* -\{0,1\} \{0,1\}/$1: /p" "$log")
"
	fi
	# A program that died before it could say "not ok" has failed as well.
	if [ $status -ne 0 ] && [ $status -ne 4 ] && [ "$fail" -eq 0 ]; then
		result "not ok" "$1: ended with status $status"
	fi
	after=$(kernel_warnings)
	if [ "$after" -gt "$before" ]; then
		result "not ok" "$1: the kernel log has $((after - before)) new warnings"
		dmesg | tail -n 80 | sed 's/^/# /'
	fi
}

references()
{
	awk '$1 == "quic" { print $3 }' /proc/modules
}

# The last namespace goes away asynchronously: wait for the count, not for time.
released()
{
	tries=0
	while [ "$(references)" -gt "$1" ] && [ $tries -lt 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	[ "$(references)" -le "$1" ]
}

# Whether a program left something that holds the module.  The first one loads it.
leaves_nothing()
{
	[ -n "$(references)" ] || return
	if released "${1:-0}"; then
		result ok "$program: leaves no reference to the module"
	else
		result "not ok" "$program: leaves $(references) references to the module"
	fi
}

module_unloads()
{
	before=$(kernel_warnings)
	if rmmod quic && [ "$(kernel_warnings)" -eq "$before" ]; then
		result ok "the module unloads"
	else
		result "not ok" "the module unloads"
	fi
}

echo "TAP version 13"
for program in $programs; do
	held=$(references)
	run_one "$program"
	leaves_nothing "$held"
done
[ $check_module -eq 1 ] && module_unloads
echo "1..$number"
[ -n "$failures" ] && printf '%s' "$failures" | sed 's/^/# failed: /'
echo "# $passed passed, $failed failed, $skipped skipped"
[ $failed -gt 0 ] && exit 1
[ $passed -eq 0 ] && exit 4
exit 0
