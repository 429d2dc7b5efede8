#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# build.sh SERIES DIR, inside the toolchain root: builds the debug kernel from the Debian source of SERIES with
# kernel.config next to this file, as a tree in DIR that modules can be built against.
set -euo pipefail
series=$1 dir=$2
config=$(cd "$(dirname "$0")" && pwd)/kernel.config

# An interrupted build goes on where it was.
if [ ! -e "$dir.partial/Makefile" ]; then
	rm -rf "$dir.unpack"
	mkdir -p "$dir.unpack"
	tar -C "$dir.unpack" -xf "/usr/src/linux-source-$series.tar.xz"
	mv "$dir.unpack/linux-source-$series" "$dir.partial"
	rmdir "$dir.unpack"
fi
cd "$dir.partial"
make LLVM=1 rustavailable
make LLVM=1 KCONFIG_ALLCONFIG="$config" allnoconfig

# A checker that Kconfig dropped in silence would make every run of it pass.
missing=$(grep -E '^(# )?CONFIG_' "$config" | grep -vxF -f .config || true)
if [ -n "$missing" ]; then
	printf 'the kernel does not take these lines of kernel.config:\n%s\n' "$missing" >&2
	exit 1
fi
for name in NET_UDP_TUNNEL NET_HANDSHAKE; do grep -x "CONFIG_$name=y" .config; done
make LLVM=1 -j"$(nproc)" bzImage modules
test -e rust/libkernel.rmeta
test -e Module.symvers
mv "$dir.partial" "$dir"
