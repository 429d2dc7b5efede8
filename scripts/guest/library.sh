#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: the handshake library's tests that need a kernel with QUIC, over loopback: connections,
# refusals and their reasons, streams in many threads, tickets, the examples in C. Shows the test runner's output.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
install_module
# The newest build of tests/kernel.rs; check.sh has made it with the other tests of tools/.
tests=$(find "$OUT/target/release/deps" -maxdepth 1 -name 'kernel-*' -type f -executable -printf '%T@ %p\n' |
	sort -n | tail -n 1 | cut -d' ' -f2)
[ -n "$tests" ] || { echo "the library's tests have not been built: cargo test --release in tools/ first"; exit 1; }
exec timeout 600 "$tests" --ignored --test-threads=1
