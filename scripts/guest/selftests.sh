#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: the kselftests of tools/testing/selftests/net/quic, then a look at the kernel's log and rmmod.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
install_module
status=0
# Then the module goes again: the first socket() call of the tests has to load it.
if modprobe quic selftest=1 && rmmod quic; then echo "ok 899 - the kernel's cryptography meets the vectors of RFC 9001"
else status=1; echo "not ok 899 - the kernel's cryptography meets the vectors of RFC 9001"; dmesg | grep quic: | sed 's/^/# /'; fi
bash "$TOP/tools/testing/selftests/net/quic/run_tests.sh" "$OUT/selftests" || status=1
N=899 # behind the numbers of the kselftests
result_of_use /tmp
[ "$BAD" = 0 ] || status=1
exit "$status"
