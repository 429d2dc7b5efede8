#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# kernel-tree.sh RELEASE SERIES COMPILER, inside the toolchain root: a kernel tree that modules in
# Rust can be built against, for the stock kernel RELEASE.
set -euo pipefail
krel=$1 series=$2 compiler=$3
headers=/usr/src/linux-headers-$krel
dir=/var/lib/linux-quic
localversion=+${krel#*+}

mkdir -p "$dir"
rm -rf "$dir/unpack" "$dir/$krel.partial"
mkdir "$dir/unpack"
tar -C "$dir/unpack" -xf "/usr/src/linux-source-$series.tar.xz"
mv "$dir/unpack/linux-source-$series" "$dir/$krel.partial"
rmdir "$dir/unpack"
cd "$dir/$krel.partial"
cp "$headers/.config" .config
make CC="x86_64-linux-gnu-$compiler" LOCALVERSION="$localversion" olddefconfig
# Another configuration means another layout of the kernel's structures: never load such a module.
diff -u "$headers/.config" .config
make -j"$(nproc)" CC="x86_64-linux-gnu-$compiler" LOCALVERSION="$localversion" modules_prepare
cp "$headers/Module.symvers" .
[ "$(cat include/config/kernel.release)" = "$krel" ]
test -e rust/libkernel.rmeta
mv "$dir/$krel.partial" "$dir/$krel"
