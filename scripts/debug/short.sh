#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# short.sh: the part of `make check` that runs on the debug kernel, when that is in the cache: building it takes longer
# than all of `make check`. make check-debug builds it and runs everything.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/../lib.sh"
if ! "$TOP/scripts/debug/kernel.sh" --where >/dev/null; then
	echo "the debug kernel has not been built (15 minutes on two processors): make check-debug"
	exit 77
fi
"$TOP/scripts/debug/module.sh"
QUIC_DEBUG=1 QUIC_TIMEOUT=${QUIC_TIMEOUT:-1800} QUIC_PROGRAMS=${QUIC_PROGRAMS:-quic_handshake quic_wait quic_race quic_random} \
	exec "$TOP/scripts/guest-tests.sh" selftests
