#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# make bench: TCP, kTLS and QUIC in one guest whose clock counts instructions, then once more on two CPUs with the
# real clock. The table goes to the terminal and, with the raw lines, to a file.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root bench
say "Building quic.ko and the bench"
run_logged modules "Read the compiler's message above" make -C "$TOP" --no-print-directory modules
run_logged bench-build "Read the compiler's message above" \
	in_root make -C "$TOP/tools/testing/bench" OUTPUT="$OUT/bench" KSFT_INCLUDE="$(kernel_tree)/tools/testing/selftests"
"$TOP/scripts/stage-modules.sh"
mkdir -p "$OUT/bench"
say "Measuring, one CPU, the guest's clock counts instructions (some minutes)"
QUIC_ICOUNT=1 QUIC_TIMEOUT=2400 "$TOP/scripts/guest.sh" \
	"OUT=$OUT bash scripts/guest/bench.sh icount" | tee "$OUT/bench/icount.txt"
say "Measuring, two CPUs, real time (says whether anything serialises, nothing about hardware)"
QUIC_TIMEOUT=1800 "$TOP/scripts/guest.sh" "OUT=$OUT bash scripts/guest/bench.sh real" | tee "$OUT/bench/real.txt"
good "The tables are in $OUT/bench/icount.txt and $OUT/bench/real.txt"
