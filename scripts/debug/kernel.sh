#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# kernel.sh: builds the debug kernel (kernel.config) once; it is kept in the cache under the hash of its
# configuration, source and compiler. kernel.sh --where: prints its tree's path inside the toolchain root; fails
# when it has not been built.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/../lib.sh"

here=$TOP/scripts/debug
read -r SERIES _ <"$CACHE/kernel-build" 2>/dev/null || die "the kernel has not been set up yet" "Run: make setup"
packages=("$ROOT/var/lib/dpkg/info/linux-source-$SERIES.md5sums" "$ROOT"/var/lib/dpkg/info/clang-*.md5sums
	"$ROOT"/var/lib/dpkg/info/rustc.md5sums)
print=$(cat "$here/kernel.config" "$here/build.sh" "${packages[@]}" 2>/dev/null | sha256sum | cut -c1-12)
tree=$KTREES/debug-$print

if [ "${1:-}" = --where ]; then
	[ -e "$ROOT$tree/arch/x86/boot/bzImage" ] || exit 1
	echo "$tree"
	exit
fi
need_root check-debug
[ -e "$ROOT$tree/arch/x86/boot/bzImage" ] && exit
mkdir -p "$LOGS"
exec 9>"$CACHE/lock-debug"
flock -n 9 || { note "another build of the debug kernel is running: waiting for it"; flock 9; }
if [ ! -e "$ROOT$tree/arch/x86/boot/bzImage" ]; then
	say "Building the debug kernel with $(nproc) processors (15 minutes on two; it is built once)"
	run_logged debug-kernel "Run it again: it goes on where it was; from the start: rm -r $ROOT$tree.partial" \
		in_root bash scripts/debug/build.sh "$SERIES" "$tree"
fi
