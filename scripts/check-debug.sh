#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The guest's tests on the debug kernel (scripts/debug: KASAN, lockdep, PROVE_RCU, DEBUG_OBJECTS, kmemleak, UBSAN), and
# those that only it can run: fault injection, the random tester for longer. check-debug.sh NAME… runs only the named ones.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tally.sh"
need_root check-debug
"$TOP/scripts/setup.sh" debug
"$TOP/scripts/debug/kernel.sh"
LOGS=$OUT/logs
ONLY=("$@")
export CARGO_TARGET_DIR=$OUT/target QUIC_DEBUG=1 QUIC_TIMEOUT=${QUIC_TIMEOUT:-5400}

wanted() {
	[ ${#ONLY[@]} = 0 ] && return 0
	local name
	for name in "${ONLY[@]}"; do [ "$name" = "$1" ] && return 0; done
	return 1
}
run() { if wanted "$1"; then check "debug-$1" "${@:2}"; fi; }

check debug-module 'module: quic.ko for the debug kernel' "$TOP/scripts/debug/module.sh"
build_tests() { in_root -w "$TOP/tools" cargo test --locked --release --workspace --all-features --no-run; }
# The guest has no compiler: what its tests compile elsewhere, c_api has compiled before.
build_c() { in_root -w "$TOP/tools" cargo test --locked --release --workspace --all-features --test c_api; }
if wanted tools; then
	"$TOP/scripts/build-tools.sh"
	check debug-tools 'tools: the tests of the library' build_tests
	check debug-c-tools 'tools: programs in C against the library' build_c
fi
run selftests 'debug guest: kselftests of the socket interface' "$TOP/scripts/guest-tests.sh" selftests
run library 'debug guest: the handshake library over loopback' "$TOP/scripts/guest-tests.sh" library
run transfer 'debug guest: TLS transfers through the module' "$TOP/scripts/guest-tests.sh" transfer
run faults 'debug guest: allocations and copies that fail' "$TOP/scripts/guest-tests.sh" faults
tally
