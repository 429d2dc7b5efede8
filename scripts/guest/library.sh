#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: the handshake library's tests that need a kernel with QUIC, over loopback: connections,
# refusals and their reasons, streams in many threads and tasks, tickets, the examples in Rust and C. Shows the
# test runners' output. library.sh NAME… runs the tests whose name has NAME.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
install_module

# newest NAME: the newest build of tests/NAME; check.sh has made it with the other tests of tools/.
newest() {
	find "$OUT/target/release/deps" -maxdepth 1 -name "$1-*" -type f -executable -printf '%T@ %p\n' |
		sort -n | tail -n 1 | cut -d' ' -f2
}
status=0
for name in kernel tokio_kernel; do
	tests=$(newest "$name")
	[ -n "$tests" ] || { echo "tests/$name has not been built: scripts/check.sh tools first"; exit 1; }
	timeout 600 "$tests" --ignored --test-threads=1 "$@" || status=1
done
exit "$status"
