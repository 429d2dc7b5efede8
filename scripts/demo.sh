#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# make demo: builds, boots a guest with the stock kernel, and moves a real file over in-kernel QUIC with TLS between
# two network namespaces, each way over IPv4 and IPv6; scripts/guest/demo.sh is what happens in the guest.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root demo
began=$SECONDS
say "Building quic.ko for Linux $(kernel_release)"
run_logged modules "Read the compiler's message above" make -C "$TOP" --no-print-directory modules
"$TOP/scripts/build-tools.sh"
"$TOP/scripts/stage-modules.sh"
say "Booting a guest with Debian's own kernel, unmodified (by $(cat "$CACHE/accel"))"
status=0
QUIC_TIMEOUT=600 "$TOP/scripts/guest.sh" "OUT=$OUT bash scripts/guest/demo.sh" || status=$?
if [ "$status" = 0 ]; then
	good "The demo succeeded, in $((SECONDS - began)) s: every file arrived whole, over QUIC, in the kernel."
else
	die "the demo failed after $((SECONDS - began)) s; what went wrong is above" "make check looks closer"
fi
