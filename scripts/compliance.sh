#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The requirements of the RFCs and the citations in the sources: write, check, floor or missing.
# compliance.py says what each does.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
if command -v python3 >/dev/null && command -v git >/dev/null; then
	exec python3 "$TOP/scripts/compliance.py" "${@:-check}"
fi
in_root python3 "$TOP/scripts/compliance.py" "${@:-check}"
