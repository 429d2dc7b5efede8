#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# make demo: builds, boots a guest with the stock kernel, and moves a real file over in-kernel QUIC with TLS between
# two network namespaces, each way over IPv4 and IPv6; scripts/guest/demo.sh is what happens in the guest.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_root demo
began=$SECONDS
say "Building quic.ko for Linux $(kernel_release)"
run_logged modules "Read the compiler's message above" make -C "$TOP" --no-print-directory modules
"$TOP/scripts/build-tools.sh"
"$TOP/scripts/stage-modules.sh"
say "Booting a guest with Debian's own kernel, unmodified (by $(cat "$CACHE/accel"))"
# What tcpdump saw in the guest, all four transfers, as tshark reads it.
wire() {
	local t=(tshark -r "$OUT/demo.pcap" -d "udp.port==4433-4436,quic")
	say "What was on the wire, as tshark reads it"
	in_root "${t[@]}" -q -z io,phs 2>/dev/null | grep -E '^ *(eth|ip|ipv6|udp|quic) ' | sed 's/^/    /'
	in_root "${t[@]}" -c 2000 -T fields -e quic.version 2>/dev/null | tr ',' '\n' | grep 0x | sort | uniq -c |
		sed 's/^ */    long headers among the first 2000 packets, by version: /'
	in_root "${t[@]}" -c 2000 -Y 'tls.handshake.type == 1' -T fields -e ip.src -e ipv6.src \
		-e tls.handshake.extensions_alpn_str 2>/dev/null | sort -u |
		sed 's/^/    a ClientHello inside an Initial packet (source, ALPN): /'
	# Read to its end: a pipe closed early would count as a failure of tshark.
	[ "$(in_root "${t[@]}" -c 200 -Y quic 2>/dev/null | wc -l)" -gt 100 ] ||
		die "tshark does not recognise QUIC in $OUT/demo.pcap" "Look at it with tshark or wireshark"
}

status=0
QUIC_TIMEOUT=600 "$TOP/scripts/guest.sh" "OUT=$OUT bash scripts/guest/demo.sh" || status=$?
if [ "$status" = 0 ]; then
	wire
	good "The demo succeeded, in $((SECONDS - began)) s: every file arrived whole, over QUIC, in the kernel."
else
	die "the demo failed after $((SECONDS - began)) s; what went wrong is above" "make check looks closer"
fi
