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
if kernel_log_clean >/tmp/dmesg 2>&1; then echo 'ok 900 - the kernel log has no warning'
else status=1; echo 'not ok 900 - the kernel log has no warning'; sed 's/^/# /' /tmp/dmesg; fi
if unload_module >/tmp/rmmod 2>&1; then echo 'ok 901 - the module can be removed after use'
else status=1; echo 'not ok 901 - the module can be removed after use'; sed 's/^/# /' /tmp/rmmod; fi
exit "$status"
