#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Removes what was built for this checkout. The toolchain root and the kernel stay: they serve every checkout.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
rm -rf "$OUT"
note "removed $OUT; to remove the set-up too: rm -r $CACHE"
