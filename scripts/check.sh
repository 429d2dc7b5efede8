#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# All tests: style, the core on the host, the user-space side, the module in a guest, and other
# implementations at the other end. check.sh NAME… runs only the named ones.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tally.sh"
need_root check
LOGS=$OUT/logs
ONLY=("$@")
export CARGO_TARGET_DIR=$OUT/target

wanted() {
	[ ${#ONLY[@]} = 0 ] && return 0
	local name
	for name in "${ONLY[@]}"; do [ "$name" = "$1" ] && return 0; done
	return 1
}
run() { if wanted "$1"; then check "$@"; fi; }
cargo_in() { local dir=$1 verb=$2; shift 2; in_root -w "$TOP/$dir" cargo "$verb" --locked "$@"; }

run style 'style: rustfmt, shellcheck, checkpatch, the house rules' "$TOP/scripts/style.sh"
run module 'module: quic.ko, panic calls under the ceiling' make -C "$TOP" --no-print-directory modules
run clippy-module 'module: clippy, warnings are errors' make -C "$TOP" --no-print-directory modules CLIPPY=1
run host 'host: the core, simulations, another stack in process' cargo_in tools/testing/host test --release --workspace
run clippy-host 'host: clippy, warnings are errors' \
	cargo_in tools/testing/host clippy --release --workspace --all-targets -- -D warnings
run tools 'tools: the library and the command quic' cargo_in tools test --release --workspace --all-features
run clippy-tools 'tools: clippy, warnings are errors' cargo_in tools clippy --release --workspace --all-features --all-targets -- -D warnings
run docs-tools 'tools: documentation of the library, warnings are errors' \
	cargo_in tools rustdoc --release -p libquic --lib --all-features -- -D warnings
run build-tools 'tools: release build' "$TOP/scripts/build-tools.sh"
run headers 'headers: C89 to C23, C++11 to C++20, in any order with those of the system' "$TOP/scripts/headers.sh"
run compliance 'compliance: requirements of the RFCs cited and tested' "$TOP/scripts/compliance.sh" check
run uapi 'socket interface: each of its names has its tests' "$TOP/scripts/uapi-coverage.sh"
run selftests 'guest: kselftests of the socket interface' "$TOP/scripts/guest-tests.sh" selftests
run library 'guest: the handshake library over loopback' "$TOP/scripts/guest-tests.sh" library
run handshake 'guest: handshakes for the kernel itself, by quic-handshaked' "$TOP/scripts/guest-tests.sh" handshake
run install 'guest: make install, a program built against it, make uninstall' "$TOP/scripts/guest-tests.sh" install
run transfer 'guest: TLS transfers through the module, with the tools' "$TOP/scripts/guest-tests.sh" transfer
run scenarios 'guest: loss, rebinding, migration, 0-RTT and others, with the tools' "$TOP/scripts/scenarios.sh"
run interop 'guest: strangers at the other end' "$TOP/scripts/guest-tests.sh" interop
run samba 'guest: Samba, unmodified, over the module' "$TOP/scripts/guest-tests.sh" samba
run debug 'debug guest: a part of the kselftests under all checkers' "$TOP/scripts/debug/short.sh"
tally
