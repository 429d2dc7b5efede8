#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# guest-tests.sh NAME: runs scripts/guest/NAME.sh in a guest with the module of this checkout staged. With QUIC_DEBUG=1
# on the debug kernel, for which scripts/check-debug.sh has built kernel and module.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root check
suffix=${QUIC_DEBUG:+-debug}
[ -e "$OUT/module$suffix/quic.ko" ] || die "quic.ko has not been built" "Run: make modules, or make check-debug"
if [ "$1" = selftests ]; then
	# The test of the kernel interface is a module.
	if [ -n "$suffix" ]; then
		make -s -C "$TOP" -f scripts/kbuild.mk test-module MO="$OUT/module-debug" \
			QUIC_KDIR="$("$TOP/scripts/debug/kernel.sh" --where)"
	else
		make -s -C "$TOP" test-module
	fi
	in_root make -s -C "$TOP/tools/testing/selftests/net/quic" OUTPUT="$OUT/selftests" CC=gcc-14 \
		KSFT="$(kernel_tree)/tools/testing/selftests"
fi
if [ "$1" = handshake ]; then
	mkdir -p "$OUT/handshake"
	in_root make -s -C "$(kernel_tree)" M="$TOP/tools/testing/handshake" MO="$OUT/handshake" \
		CC="x86_64-linux-gnu-$(cut -d' ' -f2 "$CACHE/kernel-build")" modules
fi
case $1 in
samba) "$TOP/scripts/peers.sh" samba ;;
interop) "$TOP/scripts/interop-peers.sh" ;;
esac
"$TOP/scripts/stage-modules.sh"
if [ -n "${QUIC_DEBUG:-}" ]; then
	# Besides the modules what the tests execute; nothing of it is missing when a test has no use for it.
	QUIC_COPY=$OUT/modules-debug
	for path in "$OUT/selftests" "$OUT/module-debug-test" "$OUT/target/release/quic" "$OUT"/target/release/libquic.so* \
		"$OUT"/target/release/examples/{server,client,tokio_server,tokio_client} \
		"$OUT"/target/release/deps/{kernel-*[0-9a-f],tokio_kernel-*[0-9a-f],libquic.so*,libquic-example-*[a-z],libquic-test-*[a-z]}; do
		[ -e "$path" ] && QUIC_COPY="$QUIC_COPY $path"
	done
	export QUIC_COPY
fi
# What the user set for the tests holds in the guest too.
given=
for name in QUIC_PROGRAMS QUIC_KSFT_SCALE QUIC_RANDOM_SEED QUIC_RANDOM_ROUNDS QUIC_RANDOM_STEPS QUIC_RACE_ROUNDS \
	QUIC_FAULT_PERCENT QUIC_FAULT_ROUNDS QUIC_FAULT_PROGRAMS QUIC_LARGE; do
	[ -n "${!name:-}" ] && given="$given $name='${!name}'"
done
exec "$TOP/scripts/guest.sh" "OUT=$OUT MODULES=$OUT/modules$suffix TEST_MODULE=$OUT/module$suffix-test/quic_kernel_test.ko $given bash scripts/guest/$1.sh"
