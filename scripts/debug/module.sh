#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# module.sh: builds quic.ko against the debug kernel, in a folder of its own.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/../lib.sh"
tree=$("$TOP/scripts/debug/kernel.sh" --where) || die "the debug kernel has not been built" "Run: make check-debug"
exec make -C "$TOP" --no-print-directory -f scripts/kbuild.mk modules QUIC_KDIR="$tree" MO="$OUT/module-debug"
