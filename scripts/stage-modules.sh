#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Lays a module folder for the guest: the stock kernel's modules with quic.ko among them, so that modprobe and
# the autoload by socket() work as on an installed machine. The root folder itself stays untouched. With
# QUIC_DEBUG=1 for the debug kernel, which has no other module.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
if [ -n "${QUIC_DEBUG:-}" ]; then
	tree=$ROOT$("$TOP/scripts/debug/kernel.sh" --where)
	stage=$OUT/modules-debug/lib/modules/$(cat "$tree/include/config/kernel.release")
	rm -rf "$OUT/modules-debug"
	mkdir -p "$stage/updates"
	cp "$tree"/modules.{order,builtin,builtin.modinfo} "$stage/"
	cp "$OUT/module-debug/quic.ko" "$stage/updates/"
	in_root depmod -b "$OUT/modules-debug" "${stage##*/}"
	exit
fi
krel=$(kernel_release)
stage=$OUT/modules/lib/modules
if [ ! -e "$stage/$krel/modules.dep" ]; then
	rm -rf "$OUT/modules"
	mkdir -p "$stage"
	# Hard links: nothing is copied. They need one file system; where that is not so, copy.
	cp -al "$ROOT/usr/lib/modules/$krel" "$stage/" 2>/dev/null || cp -a "$ROOT/usr/lib/modules/$krel" "$stage/"
fi
if ! cmp -s "$OUT/module/quic.ko" "$stage/$krel/updates/quic.ko"; then
	mkdir -p "$stage/$krel/updates"
	cp "$OUT/module/quic.ko" "$stage/$krel/updates/"
	rm -f "$stage/$krel"/modules.{dep,alias,symbols,devname,softdep}*
	in_root depmod -b "$OUT/modules" "$krel"
fi
