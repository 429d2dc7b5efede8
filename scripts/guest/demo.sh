#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The demo, in the guest: two network namespaces joined by veth with a delay of 20 ms for the round trip and 1 % loss on
# both ends, a certificate made for this run and verified by the client, a real file each way over IPv4 and IPv6.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
DIR=/tmp/demo
DELAY=10ms LOSS=1%

say() { printf '==> %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$1"; shift; [ $# = 0 ] || tail -n 20 "$@"; exit 1; }

# The real file: the kernel's own image, and the module's programs behind it until it is 16 MiB.
make_file() {
	head -c $((17 << 20)) <(cat "/usr/lib/modules/$(uname -r)/vmlinuz" "$QUIC" "$(command -v qemu-system-x86_64)") >"$1"
	[ "$(stat -c %s "$1")" -ge $((16 << 20)) ] || fail "no file of 16 MiB could be made"
}

# receive NAMESPACE FOLDER LISTEN: a receiver that ends after one sender.
receive() {
	mkdir -p "$2"
	ip netns exec "$1" "$QUIC" recv --once --cert $DIR/pki/server.pem --key $DIR/pki/server.key \
		--handshake-timeout 60 --dir "$2" --listen "$3" >"$2.log" 2>&1 &
}

# transfer NAME SENDER-NAMESPACE TARGET: leaves the sender's account in NAME.json.
transfer() {
	ip netns exec "$2" "$QUIC" --json send --ca $DIR/pki/ca.pem --name demo.test --handshake-timeout 60 \
		$DIR/image "$3" >"$DIR/$1.json" 2>"$DIR/$1.err"
}

# A row of the table from a sender's JSON lines.
row() {
	jq -rs --arg name "$1" --arg same "$2" '
		(map(select(.handshake_ms)) | last) as $c |
		[$name, ($c.handshake_ms | floor | tostring) + " ms", ($c.throughput_mbit_s * 100 | floor / 100 | tostring) + " Mbit/s",
		 ($c.packets_lost | tostring), ($c.frames_retransmitted | tostring), $c.cipher // "-", $same] | @tsv' "$DIR/$1.json" |
		awk -F'\t' '{printf "    %-24s %10s %16s %8s %14s  %-14s %s\n", $1, $2, $3, $4, $5, $6, $7}'
}

trap 'printf "FAILED at line %s: %s\n" "$LINENO" "$BASH_COMMAND"' ERR
install_module
say "Linux $(uname -r) on $(nproc) CPUs; quic.ko: $(modinfo -F description quic)"
make_net "$DELAY" "$LOSS"
say "Two network namespaces, joined by veth with $DELAY delay and $LOSS loss on both ends: 20 ms for a round trip"
make_certificate $DIR/pki demo.test
say "A certificate made for this run; the client verifies its name (demo.test) and its authority"
make_file $DIR/image
say "The file: $(stat -c %s $DIR/image) bytes, beginning with the kernel's own image; SHA-256 $(sha256sum <$DIR/image | cut -c1-16)…"

ip netns exec client tcpdump -q -n -i veth0 -s 1600 -c 20000 -w $DIR/capture udp >/dev/null 2>$DIR/tcpdump.log &
capture=$!
wait_for 30 grep -q listening $DIR/tcpdump.log || fail "tcpdump did not start" $DIR/tcpdump.log

receive server $DIR/ipv4-to-server "$SERVER4:4433"
receive client $DIR/ipv4-to-client "$CLIENT4:4434"
receive server $DIR/ipv6-to-server "[$SERVER6]:4435"
receive client $DIR/ipv6-to-client "[$CLIENT6]:4436"
for port in 4433 4435; do
	wait_for 60 ip netns exec server grep -q ":$port" /proc/net/quic/eps || fail "no receiver at port $port" $DIR/*.log
done
for port in 4434 4436; do
	wait_for 60 ip netns exec client grep -q ":$port" /proc/net/quic/eps || fail "no receiver at port $port" $DIR/*.log
done
say "The first socket loaded the module: $(lsmod | awk '$1 == "quic" {print "quic.ko, " $2 " bytes, used by " $3 " sockets"}')"

say "Four transfers at the same time: each way, over IPv4 and over IPv6"
began=$SECONDS
transfer ipv4-to-server client "$SERVER4:4433" & a=$!
transfer ipv4-to-client server "$CLIENT4:4434" & b=$!
transfer ipv6-to-server client "[$SERVER6]:4435" & c=$!
transfer ipv6-to-client server "[$CLIENT6]:4436" & d=$!
status=0
for job in "$a" "$b" "$c" "$d"; do wait "$job" || status=1; done
[ "$status" = 0 ] || fail "a transfer failed" $DIR/*.err $DIR/*.log
say "Done in $((SECONDS - began)) s"

printf '\n    %-24s %10s %16s %8s %14s  %-14s %s\n' transfer handshake throughput lost "sent again" cipher file
for name in ipv4-to-server ipv4-to-client ipv6-to-server ipv6-to-client; do
	cmp "$DIR/image" "$DIR/$name/image" || fail "$name: the file that arrived is another" "$DIR/$name.log"
	row "$name" identical
done
echo

kill -INT "$capture" 2>/dev/null || true
wait "$capture" 2>/dev/null || true
cp $DIR/capture "$OUT/demo.pcap"
kernel_log_clean || fail "the kernel's log has warnings"
unload_module || fail "the module could not be removed after use"
say "Afterwards: the kernel's log has no warning, and rmmod quic succeeded"
