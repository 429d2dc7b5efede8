#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# root-run.sh CMD…: runs CMD inside the toolchain root, in the current folder of this checkout.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root modules
[ -x "$ROOT/usr/bin/env" ] || die "the toolchain root has not been set up yet" "Run: make setup"
in_root -w "$PWD" "$@"
