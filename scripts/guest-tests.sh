#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# guest-tests.sh NAME: runs scripts/guest/NAME.sh in a guest with the module of this checkout staged.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root check
[ -e "$OUT/module/quic.ko" ] || die "quic.ko has not been built" "Run: make modules"
if [ "$1" = selftests ]; then
	make -s -C "$TOP" test-module
	in_root make -s -C "$TOP/tools/testing/selftests/net/quic" OUTPUT="$OUT/selftests" CC=gcc-14 \
		KSFT="$(kernel_tree)/tools/testing/selftests"
fi
"$TOP/scripts/stage-modules.sh"
exec "$TOP/scripts/guest.sh" "OUT=$OUT bash scripts/guest/$1.sh"
