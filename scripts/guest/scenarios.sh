#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: the scenarios by which implementations of QUIC are compared (handshake, loss, rebinding, migration
# …), with the command quic and TLS, over three namespaces client - router - server. Prints TAP. Captures at the
# router and the keys to read them are left in $OUT/scenarios, where scripts/scenarios.sh looks at them.
# FULL=1: files and repetitions as large as the scenarios say; else what fits into some minutes of emulation.
# shellcheck disable=SC2317 # the functions of the scenarios are called by their names
set -uo pipefail
. "$(dirname "$0")/lib.sh"
DIR=/tmp/scenarios
CAP=$OUT/scenarios
SERVER=10.11.2.2 PREFERRED=10.11.2.3 CLIENT=10.11.1.2 ELSEWHERE=10.11.1.3 RELAY=10.11.2.1
NET=$TOP/tools/testing/selftests/net/quic/quic_net.sh
export QN_CLIENT=client QN_ROUTER=router QN_SERVER=server QN_PORT=4000
MB=$((300 * 1000)) HANDSHAKES=5
[ -n "${FULL:-}" ] && MB=$((1000 * 1000)) HANDSHAKES=50
PATH_OF_TEN_MBIT="delay 15ms rate 10mbit limit 25"
PORT=4500
CAPTURE='' RELAYING=''

in_ns() { ip netns exec "$@"; }
file() { # file NAME BYTES
	[ -e "$DIR/www/$1" ] || head -c "$2" /dev/urandom >"$DIR/www/$1"
}

# serve OPTIONS…: a server for the scenario $NAME, waits until it listens
serve() {
	local address=$SERVER
	PORT=$((PORT + 1))
	[ "${V6:-}" = 1 ] && address="[fd00:11:2::2]"
	LISTEN=$address:$PORT
	ip netns exec server "$QUIC" --json serve --cert "${CERT:-$DIR/pki/server.pem}" --key "${KEY:-$DIR/pki/server.key}" \
		--listen "$LISTEN" --handshake-timeout 60 "$@" "$DIR/www" >"$DIR/$NAME.server" 2>&1 &
	SERVING=$!
	wait_for 60 in_ns server grep -q ":$PORT" /proc/net/quic/eps
}

# fetch OPTIONS… -- NAMES…: what the server of the scenario has, compared by checksum
fetch() {
	local options=() urls=() name
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	for name in "$@"; do urls+=("$LISTEN/$name"); done
	mkdir -p "$DIR/$NAME"
	in_ns client env SSLKEYLOGFILE="$CAP/$NAME.keys" timeout 300 "$QUIC" --json get --ca "${CA:-$DIR/pki/ca.pem}" \
		--name server.test --handshake-timeout 60 --dir "$DIR/$NAME" "${options[@]}" "${urls[@]}" \
		>>"$DIR/$NAME.json" 2>>"$DIR/$NAME.err" || return 1
	# One process for all of them: there may be hundreds.
	(cd "$DIR/www" && sha256sum "$@") >"$DIR/$NAME.sums" && (cd "$DIR/$NAME" && sha256sum -c --quiet) <"$DIR/$NAME.sums" 2>>"$DIR/$NAME.err"
}

# says EXPRESSION: jq's word on the last report of the client
says() {
	tail -n 1 "$DIR/$NAME.json" | jq -e "$1" >/dev/null && return
	echo "not so: $1" >>"$DIR/$NAME.err"
	return 1
}

capture() {
	ip netns exec router tcpdump -n -U --immediate-mode -i toserver -w "$CAP/$NAME.pcap" udp >/dev/null 2>"$DIR/$NAME.tcpdump" &
	CAPTURE=$!
	wait_for 30 grep -q listening "$DIR/$NAME.tcpdump"
}

# Ends a capture when all that was sent before has been written: what tcpdump has not read yet is lost with it.
MARK='the capture ends here'
marked() {
	in_ns client bash -c "echo '$MARK' >/dev/udp/$SERVER/9"
	grep -qaF "$MARK" "$CAP/$NAME.pcap"
}
end_capture() {
	[ -n "$CAPTURE" ] || return 0
	wait_for 60 marked
	kill "$CAPTURE"
	wait "$CAPTURE"
	CAPTURE=''
}

# relay drop|corrupt PERCENT: clients reach the server through it
relay() {
	start_relay router "$DIR/$NAME.relay" "$RELAY" "$PORT" "$SERVER" "$PORT" "$1" "$2" 3 "$PORT" || return 1
	LISTEN=$RELAY:$PORT
}

# scenario NAME SENTENCE: runs the function of the name on an undisturbed path, ends what it began
scenario() {
	local status=0
	NAME=$1
	[ -n "${ONLY:-}" ] && [[ ",$ONLY," != *",$NAME,"* ]] && return
	"$NET" plain
	# shellcheck disable=SC2086 # words
	"$NET" shape $PATH_OF_TEN_MBIT
	: >"$DIR/$NAME.err"
	local began=$SECONDS
	"${NAME//-/_}" >>"$DIR/$NAME.err" 2>&1 || status=1
	end_capture
	for job in "$SERVING" $RELAYING; do kill "$job" 2>/dev/null && wait "$job" 2>/dev/null; done
	RELAYING=''
	result "$status" "$NAME: $2" "$DIR/$NAME.err" "$DIR/$NAME.server"
	echo "# $((SECONDS - began)) s"
}

handshake() { serve && fetch -- 1k; }
transfer() { serve && fetch --jobs 1 -- 2m 3m 5m; }
longrtt() {
	"$NET" shape delay 750ms rate 10mbit limit 100
	serve && fetch -- 1k && says '.handshake_ms > 1500'
}
chacha20() { serve && fetch --cipher chacha20 -- 3m && says '.cipher == "CHACHA20-POLY1305"'; }
multiplexing() {
	local names
	mapfile -t names < <(cd "$DIR/www" && ls many-*)
	[ "${#names[@]}" = "$MANY" ] || return 1
	serve && fetch --jobs 64 -- "${names[@]}" && says ".files | length == $MANY"
}
retry() { capture && serve --retry && fetch -- 1k; }
resumption() {
	serve && fetch --session "$DIR/session" -- 1k && says '.resumed | not' && capture &&
		fetch --session "$DIR/session" -- 1k && says '.resumed'
}
zerortt() {
	local names
	mapfile -t names < <(cd "$DIR/www" && ls many-00[0-3]?)
	# Forty small packets at once: the queue must have room for them.
	"$NET" shape delay 15ms rate 10mbit limit 100
	serve --early && fetch --session "$DIR/early" -- 1k && capture &&
		fetch --session "$DIR/early" --early --jobs 40 -- "${names[@]}" && says '.early and .resumed'
}
zerortt_rejected() {
	serve --early && fetch --session "$DIR/rejected" -- 1k && kill "$SERVING" || return 1
	wait "$SERVING"
	# Another server with other keys, which takes no early data either.
	serve && fetch --session "$DIR/rejected" --early -- 1k && says '.early | not'
}
blackhole() {
	local outages=0
	serve || return 1
	{ fetch -- 5m; echo $? >"$DIR/$NAME.done"; } &
	until [ -e "$DIR/$NAME.done" ]; do
		wait_for 60 larger_than $((outages * 5 * MB / 3)) || return 1
		"$NET" drop both
		sleep 2 # the outage is what this is about
		"$NET" drop off
		outages=$((outages + 1))
		[ "$outages" = 3 ] && break
	done
	wait_for 300 [ -e "$DIR/$NAME.done" ] && [ "$(cat "$DIR/$NAME.done")" = 0 ]
}
# larger_than BYTES: the file that arrives, or it is there
larger_than() {
	[ -e "$DIR/$NAME/5m" ] || [ "$(stat -c %s "$DIR/$NAME/5m.part" 2>/dev/null || echo 0)" -gt "$1" ]
}
keyupdate() { capture && serve && fetch --key-update 100K -- 3m; }
ecn() { capture && serve && fetch -- 2m; }
amplificationlimit() {
	CERT="$DIR/chain/chain.pem" KEY="$DIR/chain/leaf.key"
	in_ns router nft -f - <<-'RULES'
	table inet qn_first {
		chain forward {
			type filter hook forward priority filter;
			iifname "toclient" meta l4proto udp numgen inc mod 1000000 1-6 drop
		}
	}
	RULES
	local status=0
	{ capture && serve && CA="$DIR/chain/root.pem" fetch -- 1k; } || status=1
	CERT='' KEY=''
	[ "$status" = 0 ] || return 1
	end_capture
	# Until the client's second packet came through, three times its first one at most.
	in_ns router tcpdump -n -r "$CAP/$NAME.pcap" udp 2>/dev/null | awk -v from="> $SERVER" '
		index($0, from) { if (got) heard = 1; else got = $NF; next }
		!heard { sent += $NF }
		END { print sent " bytes for " got; exit !(got >= 1200 && sent > 0 && sent <= 3 * got) }'
}
many_handshakes() { # many_handshakes drop|corrupt
	local i
	serve && relay "$1" 30 || return 1
	for i in $(seq "$HANDSHAKES"); do
		fetch -- 1k || { echo "connection $i failed"; return 1; }
	done
	relay_hit "$DIR/$NAME.relay"
}
handshakeloss() { many_handshakes drop; }
handshakecorruption() { many_handshakes corrupt; }
transferloss() { serve && relay drop 2 && fetch -- 2m && relay_hit "$DIR/$NAME.relay"; }
transfercorruption() { serve && relay corrupt 2 && fetch -- 2m && relay_hit "$DIR/$NAME.relay"; }
ipv6() { V6=1 serve && fetch -- 2m; }
v2() { capture && serve --quic-version 2 && fetch --quic-version 1 -- 1k && says '.version == "QUICv2"'; }
# rebinding VERB ARGUMENT…: the NAT changes each time some of the file has arrived and the last change has been noticed
rebinding() {
	local verb=$1 argument times=0
	shift
	# Slow enough for the changes to happen under way, however slow the machine is.
	"$NET" shape delay 15ms rate 1mbit limit 25
	capture && serve || return 1
	{ fetch --bind "$CLIENT:$QN_PORT" -- 5m; echo $? >"$DIR/$NAME.done"; } &
	for argument in "$@"; do
		wait_for 120 larger_than $((times * 5 * MB / 8)) || return 1
		"$NET" nat "$verb" "$argument"
		wait_for 60 in_ns server grep -q "[[:space:]:]${argument}[:[:space:]]" /proc/net/quic/conns || return 1
		times=$((times + 1))
	done
	# shellcheck disable=SC2086 # words
	"$NET" shape $PATH_OF_TEN_MBIT
	wait_for 300 [ -e "$DIR/$NAME.done" ] && [ "$(cat "$DIR/$NAME.done")" = 0 ]
}
rebind_port() { rebinding port 7001 7002 7003; }
rebind_addr() { rebinding addr 10.11.1.71 10.11.1.72 10.11.1.73; }
connectionmigration() {
	capture && serve && fetch --migrate "$ELSEWHERE:5000" -- 2m && says ".local == \"$ELSEWHERE:5000\""
}
preferredaddress() {
	capture && serve --preferred "$PREFERRED:4434" && fetch -- 2m && says ".peer == \"$PREFERRED:4434\""
}
goodput() {
	local least=8
	# An emulated machine can keep up with this.
	[ -n "${FULL:-}" ] || { least=2.5; "$NET" shape delay 15ms rate 4mbit limit 25; }
	serve && fetch -- 5m && says ".throughput_mbit_s > $least"
}
crosstraffic() {
	ip netns exec server nc -l 5999 >/dev/null &
	local sink=$!
	wait_for 30 in_ns server sh -c 'ss -ltn | grep -q :5999'
	ip netns exec client nc "$SERVER" 5999 </dev/zero &
	local source=$!
	# The other one is at full speed before this one begins.
	wait_for 60 sh -c "ip netns exec server ss -tin | grep -Eo 'bytes_received:[0-9]{6,}'"
	local status=0
	serve && fetch -- 2m && says '.throughput_mbit_s > 0.5' || status=1
	kill "$source" "$sink" 2>/dev/null
	wait "$source" "$sink" 2>/dev/null
	return "$status"
}

# A chain of nine certificates below a root, and the server's own key.
make_chain() (
	mkdir -p "$DIR/chain"
	cd "$DIR/chain" || return 1
	openssl req -x509 -newkey rsa:2048 -nodes -keyout 0.key -out 0.pem -days 30 -subj /CN=root \
		-addext basicConstraints=critical,CA:TRUE
	printf 'basicConstraints=critical,CA:TRUE\n' >ca.ext
	printf 'subjectAltName=DNS:server.test\nbasicConstraints=CA:FALSE\n' >leaf.ext
	# One key for all of them: making keys is slow, and their size is what counts.
	for i in 1 2 3 4 5 6 7 8; do
		openssl req -new -key 0.key -out $i.csr -subj "/CN=intermediate authority $i of a chain that is long"
		openssl x509 -req -in $i.csr -CA $((i - 1)).pem -CAkey 0.key -CAcreateserial -days 30 -extfile ca.ext -out $i.pem
	done
	openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=server.test
	openssl x509 -req -in leaf.csr -CA 8.pem -CAkey 0.key -CAcreateserial -days 30 -extfile leaf.ext -out leaf.pem
	cat leaf.pem 8.pem 7.pem 6.pem 5.pem 4.pem 3.pem 2.pem 1.pem >chain.pem
	cp 0.pem root.pem
	chmod 600 ./*.key
)

rm -rf "$CAP"
mkdir -p "$CAP" "$DIR/www"
install_module
"$NET" up || { echo "Bail out! the network could not be made"; exit 1; }
make_certificate "$DIR/pki" server.test
make_chain >"$DIR/chain.log" 2>&1 || { cat "$DIR/chain.log"; exit 1; }
file 1k 1024
for n in 2 3 5; do file ${n}m $((n * MB)); done
MANY=1999
[ -n "${FULL:-}" ] || MANY=400
for n in $(seq -w 0000 $((MANY - 1))); do printf 'request %s of thirty-two bytes..\n' "$n" >"$DIR/www/many-""$n"; done
SERVING=''

scenario handshake 'a file of 1 KB'
scenario transfer 'three files on one connection'
scenario longrtt 'a round trip of 1.5 s'
scenario chacha20 'ChaCha20-Poly1305 only'
scenario multiplexing "$MANY requests of 32 bytes on one connection"
scenario retry 'the client proves its address first'
scenario resumption 'the second connection continues the first'
scenario zerortt '40 requests before the handshake'
scenario zerortt_rejected 'requests before the handshake that the server does not take are asked again'
scenario blackhole 'outages of 2 s'
scenario keyupdate 'keys change under way'
scenario ecn 'packets are marked both ways'
scenario amplificationlimit 'three times at most for a client that is not heard of again'
scenario handshakeloss "$HANDSHAKES handshakes under a loss of 30 % each way"
scenario handshakecorruption "$HANDSHAKES handshakes under damage of 30 % each way"
scenario transferloss 'a loss of 2 % each way'
scenario transfercorruption 'damage of 2 % each way'
scenario ipv6 'over IPv6'
scenario v2 'from version 1 to version 2 by compatible negotiation'
scenario rebind-port 'a NAT changes the port three times under a download'
scenario rebind-addr 'a NAT changes the address three times under a download'
scenario connectionmigration 'the client goes on from another address'
scenario preferredaddress 'the client goes on to the preferred address of the server'
scenario goodput 'most of a slow link is used'
scenario crosstraffic 'beside a TCP connection'

"$NET" down
result_of_use $DIR
echo "1..$N"
exit "$BAD"
