#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds the fuzz targets and runs them one after another.
#
#   run.sh [SECONDS [TARGET...]]      60 seconds each, all targets
#   run.sh merge                      keep only what adds coverage, in corpus/
#
# New inputs go to $FUZZ_WORK (default: target/fuzz), not to the corpus.
# The sanitizer flags need a nightly compiler, or a stable one that is told to
# behave like one. Debian's compiler comes without AddressSanitizer's library:
# with it the targets run without that one (the core has no unsafe code).

set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=${FUZZ_WORK:-$here/target/fuzz}
seconds=${1:-60}
[ $# -gt 0 ] && shift
targets=${*:-$(find "$here/fuzz_targets" -name '*.rs' -exec basename {} .rs \; | sort)}

if rustup run nightly rustc --version >/dev/null 2>&1; then
	cargo="rustup run nightly cargo"
	rustc="rustup run nightly rustc"
else
	cargo=cargo
	rustc=rustc
	export RUSTC_BOOTSTRAP=1
fi

triple=$($cargo -vV | sed -n 's/^host: //p')
address=
if ls "$($rustc --print target-libdir)"/librustc*_rt.asan.a >/dev/null 2>&1; then
	address=-Zsanitizer=address
fi
RUSTFLAGS="--cfg fuzzing $address -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
export RUSTFLAGS
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/target}"
$cargo build --release --manifest-path "$here/Cargo.toml" --target "$triple"

for target in $targets; do
	program=$CARGO_TARGET_DIR/$triple/release/$target
	mkdir -p "$work/$target" "$work/crashes"
	if [ "$seconds" = merge ]; then
		rm -rf "$work/merged"
		mkdir -p "$work/merged"
		"$program" -merge=1 -max_len=1500 "$work/merged" \
			"$here/corpus/$target" "$work/$target" 2>&1 | tail -n 1
		cp -n "$work/merged"/* "$here/corpus/$target/"
		continue
	fi
	echo "== $target, $seconds s"
	"$program" -max_total_time="$seconds" -max_len=1500 -timeout=10 \
		-print_final_stats=1 -artifact_prefix="$work/crashes/$target-" \
		"$work/$target" "$here/corpus/$target" 2>&1 |
		tee "$work/$target.log" | grep -E '^(stat::|==|SUMMARY|#.*DONE)' || true
	if grep -q SUMMARY "$work/$target.log"; then exit 1; fi
done
