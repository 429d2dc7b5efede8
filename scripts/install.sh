#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Installs module, command, library, headers and man pages on this machine. DESTDIR=/folder collects them there
# instead (for a package): then nothing is checked against, or done to, the running system.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root install
prefix=${DESTDIR:-}/usr
krel=$(kernel_release)
ko=$OUT/module/quic.ko
[ -e "$ko" ] || die "quic.ko has not been built" "Run: make modules tools, then make install again"
[ -x "$OUT/target/release/quic" ] || die "the tools have not been built" "Run: make modules tools, then make install again"

if [ -z "${DESTDIR:-}" ]; then
	[ "$(uname -r)" = "$krel" ] || die "quic.ko was built for Linux $krel, and this machine runs $(uname -r)" \
		"Install and boot that kernel (README.md, \"Installing on your own machine\")," \
		"or build for your own: make modules KDIR=/lib/modules/$(uname -r)/build (a kernel with CONFIG_RUST=y)"
	# The tools were linked in the toolchain root: an older C library cannot run them.
	"$OUT/target/release/quic" --version >/dev/null 2>&1 || die "the command quic does not run on this release" \
		"Debian 13 or newer is needed for the built tools; elsewhere: cargo build --release in tools/"
fi

put() { install -D -m "$1" "$2" "$3"; note "$3"; }
say "Installing"
put 644 "$ko" "${DESTDIR:-}/lib/modules/$krel/updates/quic.ko"
put 755 "$OUT/target/release/quic" "$prefix/bin/quic"
put 755 "$OUT/target/release/libquic.so" "$prefix/lib/x86_64-linux-gnu/libquic.so.1.0.0"
ln -sf libquic.so.1.0.0 "$prefix/lib/x86_64-linux-gnu/libquic.so.1"
ln -sf libquic.so.1 "$prefix/lib/x86_64-linux-gnu/libquic.so"
put 644 "$TOP/include/uapi/linux/quic.h" "$prefix/include/linux/quic.h"
put 644 "$TOP/tools/lib/quic/include/netinet/quic.h" "$prefix/include/netinet/quic.h"
sed -e "s|@prefix@|/usr|g" -e "s|@libdir@|/usr/lib/x86_64-linux-gnu|g" -e "s|@includedir@|/usr/include|g" \
	"$TOP/tools/lib/quic/libquic.pc.in" >"$OUT/libquic.pc"
put 644 "$OUT/libquic.pc" "$prefix/lib/x86_64-linux-gnu/pkgconfig/libquic.pc"
for page in "$TOP"/Documentation/man/*.[1-9]; do
	[ -e "$page" ] && put 644 "$page" "$prefix/share/man/man${page##*.}/$(basename "$page")"
done
if [ -z "${DESTDIR:-}" ]; then
	ldconfig
	depmod "$krel"
	good "Installed. The first socket(AF_INET, SOCK_STREAM, IPPROTO_QUIC) loads the module."
fi
