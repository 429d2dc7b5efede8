#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The scenarios of scripts/guest/scenarios.sh in a guest, and then what the captures of the router say about them,
# as tshark reads them with the keys. Prints TAP. QUIC_SCENARIOS=full: full sizes; =NAME,NAME: only these.
# shellcheck disable=SC2317 # functions are called through on_wire()
set -uo pipefail
. "$(dirname "$0")/lib.sh"
need_root check
full='' only=''
case ${QUIC_SCENARIOS:-} in
full) full=1 ;;
*) only=${QUIC_SCENARIOS:-} ;;
esac
[ -e "$OUT/module/quic.ko" ] || die "quic.ko has not been built" "Run: make modules"
"$TOP/scripts/stage-modules.sh"
BAD=0 N=500
QUIC_TIMEOUT=${QUIC_TIMEOUT:-$([ -n "$full" ] && echo 3000 || echo 1500)} "$TOP/scripts/guest.sh" \
	"OUT=$OUT FULL=$full ONLY=$only bash scripts/guest/scenarios.sh" || BAD=1

# fields NAME FILTER FIELD…: the fields of all packets of a capture that match, one packet a line
fields() {
	local name=$1 filter=$2 want=() field
	shift 2
	for field in "$@"; do want+=(-e "$field"); done
	in_root tshark -r "$OUT/scenarios/$name.pcap" -d "udp.port==1-65535,quic" \
		-o "tls.keylog_file:$OUT/scenarios/$name.keys" -Y "$filter" -T fields "${want[@]}" 2>/dev/null
}
from_client='udp.dstport >= 4434 && udp.dstport < 5000'
from_server='udp.srcport >= 4434 && udp.srcport < 5000'
has() { [ -n "$(fields "$@")" ]; }

# on_wire NAME SENTENCE CMD…: what a capture shows
on_wire() {
	local name=$1 what=$2
	shift 2
	[ -e "$OUT/scenarios/$name.pcap" ] || return 0
	N=$((N + 1))
	if "$@" "$name"; then echo "ok $N - on the wire, $name: $what"
	else echo "not ok $N - on the wire, $name: $what"; BAD=1; fi
}

token_is_echoed() {
	local token
	token=$(fields "$1" 'quic.long.packet_type == 3' quic.retry_token | head -n 1)
	[ -n "$token" ] && fields "$1" "quic.long.packet_type == 0 && $from_client" quic.token | grep -q "$token"
}
numbers_go_on() { # of the client's Initial packets, over the Retry
	local numbers
	numbers=$(fields "$1" "quic.long.packet_type == 0 && $from_client" quic.packet_number | cut -d, -f1)
	[ -n "$numbers" ] && [ "$(sort -n <<<"$numbers" | uniq -d | wc -l)" = 0 ]
}
no_certificate() { has "$1" 'tls.handshake.type == 20' frame.number && ! has "$1" 'tls.handshake.type == 11' frame.number; }
mostly_early() { # forty requests of which most are in 0-RTT packets
	local early late
	early=$(fields "$1" "quic.long.packet_type == 1 && $from_client" quic.stream.stream_id | tr ',' '\n' | sort -u | wc -l)
	late=$(fields "$1" "quic.header_form == 0 && $from_client && quic.stream.stream_id" quic.stream.stream_id | wc -l)
	[ "$early" -ge 35 ] && [ "$late" -le 5 ]
}
phase_one_both_ways() { has "$1" "quic.key_phase == 1 && $from_client" frame.number && has "$1" "quic.key_phase == 1 && $from_server" frame.number; }
marks_both_ways() { has "$1" "ip.dsfield.ecn == 2 && $from_client" frame.number && has "$1" "ip.dsfield.ecn == 2 && $from_server" frame.number; }
counts_both_ways() { has "$1" "quic.ack.ect0_count > 0 && $from_client" frame.number && has "$1" "quic.ack.ect0_count > 0 && $from_server" frame.number; }
begins_in_v1_goes_on_in_v2() {
	[ "$(fields "$1" "$from_client && quic.long.packet_type" quic.version | head -n 1)" = 0x00000001 ] &&
		has "$1" "quic.version == 0x6b3343cf && $from_server" frame.number &&
		has "$1" "quic.version == 0x6b3343cf && $from_client" frame.number
}
# Every new address of the client is challenged, and answers.
challenged_at() {
	local field=$1 name=${!#} value
	shift
	for value in "${@:1:$#-1}"; do
		has "$name" "quic.frame_type == 0x1a && $field == $value" quic.path_challenge.data || return 1
		has "$name" "quic.frame_type == 0x1b && ${field/dst/src} == $value" quic.path_response.data || return 1
	done
}
new_id_on_new_path() { # new_id_on_new_path FILTER NAME: no id of the other path is used on it
	local old new
	old=$(fields "$2" "$from_client && !($1) && quic.header_form == 0" quic.dcid | sort -u)
	new=$(fields "$2" "($1) && quic.header_form == 0" quic.dcid | sort -u)
	[ -n "$old" ] && [ -n "$new" ] && [ -z "$(comm -12 <(echo "$old") <(echo "$new"))" ]
}

on_wire retry 'the token of the Retry comes back' token_is_echoed
on_wire retry 'packet numbers go on over the Retry' numbers_go_on
on_wire resumption 'no certificate in the second handshake' no_certificate
on_wire zerortt 'the requests are in 0-RTT packets' mostly_early
on_wire keyupdate 'key phase 1 from both sides' phase_one_both_ways
on_wire ecn 'ECT(0) both ways' marks_both_ways
on_wire ecn 'counts of ECT(0) in the acknowledgements of both sides' counts_both_ways
on_wire v2 'the first packet is of version 1, the connection of version 2' begins_in_v1_goes_on_in_v2
on_wire rebind-port 'each new port is challenged and answers' challenged_at udp.dstport 7001 7002 7003
on_wire rebind-addr 'each new address is challenged and answers' challenged_at ip.dst 10.11.1.71 10.11.1.72 10.11.1.73
on_wire connectionmigration 'a new connection id on the new path' new_id_on_new_path 'ip.src == 10.11.1.3'
on_wire preferredaddress 'a new connection id to the preferred address' new_id_on_new_path 'ip.dst == 10.11.2.3'
exit "$BAD"
