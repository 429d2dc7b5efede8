#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds the user-space side: the library and the command quic (tools/), into this checkout's build folder.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root tools
say "Building libquic and the command quic"
export CARGO_TARGET_DIR=$OUT/target
run_logged tools "Read the compiler's message above; a missing crate means that the crate registry was not reached" \
	in_root -w "$TOP/tools" cargo build --release --locked --workspace --all-features
note "$OUT/target/release/quic"
