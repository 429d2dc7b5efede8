#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: the kselftests of tools/testing/selftests/net/quic (QUIC_PROGRAMS: only these), then a look at the kernel's log and rmmod.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
install_module
status=0
# Then the module goes again: the first socket() call of the tests has to load it.
if modprobe quic selftest=1 && rmmod quic; then echo "ok 899 - the kernel's cryptography meets the vectors of RFC 9001"
else status=1; echo "not ok 899 - the kernel's cryptography meets the vectors of RFC 9001"; dmesg | grep quic: | sed 's/^/# /'; fi
# A module that uses QUIC sockets itself. kernel_test NUMBER SENTENCE ENTER…: in the network namespace that ENTER leads to,
# which goes when the module is loaded.
kernel_test() {
	local number=$1 sentence=$2
	shift 2
	if modprobe quic && "$@" insmod "$TEST_MODULE" && rmmod quic_kernel_test && unload_module; then
		echo "ok $number - $sentence"
	else
		status=1
		echo "not ok $number - $sentence"
		dmesg | grep quic_kernel_test: | sed 's/^/# /'
	fi
}
kernel_test 898 "a module uses QUIC sockets through linux/quic.h" env
# shellcheck disable=SC2016 # the inner shell expands it
kernel_test 897 "a module's sockets do not outlive their network namespace" unshare -n sh -c 'ip link set lo up && "$@"' sh
# shellcheck disable=SC2086 # a list of words
bash "$TOP/tools/testing/selftests/net/quic/run_tests.sh" "$OUT/selftests" ${QUIC_PROGRAMS:-} || status=1
# shellcheck disable=SC2034 # the count of lib.sh
N=899 # behind the numbers of the kselftests
result_of_use /tmp
[ "$BAD" = 0 ] || status=1
exit "$status"
