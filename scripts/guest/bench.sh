#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# bench.sh MODE, in the guest: one table of all contenders in this boot. MODE is icount (nanoseconds are instructions)
# or real. The method is that of Documentation/networking/quic.rst, "Performance".
set -euo pipefail
. "$(dirname "$0")/lib.sh"
mode=$1
bench=$OUT/bench/bench
bytes=$((16 << 20)) trips=500
[ "$mode" = icount ] || trips=2000
install_module
# Without its driver loaded kTLS would take the generic AES, and the comparison would be unfair.
modprobe -a tls aesni_intel
ip link set lo mtu 1500
# The kernel tests its own ciphers at boot, in a thread that would be measured along.
wait_for 120 bash -c '! pgrep cryptomgr_test'

unit='instructions'
[ "$mode" = icount ] || unit='nanoseconds'

row() { # row NAME PROTOCOL OFFLOADS WRITE-SIZE
	local bulk='-' rr='-' out
	ethtool -K lo tso "$3" gso "$3" gro "$3" >/dev/null 2>&1 || true
	if out=$("$bench" "$2" bulk "$bytes" "$4" 2>&1); then bulk=${out##* }; else note "$2 bulk: $out"; fi
	if [ "$4" = 4096 ]; then
		if out=$("$bench" "$2" rr "$trips" 1024 2>&1); then rr=${out##* }; rr=${rr%.*}; else note "$2 rr: $out"; fi
	fi
	printf '%-34s %22s %26s\n' "$1" "$bulk" "$rr"
	[ "$2 $3 $4" != 'quic on 4096' ] || trip=$rr
}
note() { printf '# %s\n' "$*"; }

printf '%-34s %22s %26s\n' contender "bulk, $unit/byte" "1 KiB round trip, $unit"
row 'TCP, offloads on, 4 KiB writes' tcp on 4096
row 'TCP, offloads off, 4 KiB writes' tcp off 4096
row 'kTLS AES-128-GCM, on, 4 KiB' ktls on 4096
row 'kTLS AES-128-GCM, off, 4 KiB' ktls off 4096
row 'kTLS AES-128-GCM, on, 64 KiB' ktls on 65536
row 'QUIC AES-128-GCM, on, 4 KiB' quic on 4096
row 'QUIC AES-128-GCM, off, 4 KiB' quic off 4096
row 'QUIC AES-128-GCM, on, 64 KiB' quic on 65536
[ "$mode" = icount ] || exit 0
ceiling=$(grep -v "^#" scripts/bench-ceiling)
[ "$trip" -le "$ceiling" ] || {
	echo "not ok: a round trip of QUIC takes more than $ceiling instructions (scripts/bench-ceiling)"
	exit 1
}
