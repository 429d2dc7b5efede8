#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: the command quic moves files through the module with real TLS: families, ciphers, sizes, several
# at once, loss, keys instead of certificates; and what must fail fails with its reason. Prints TAP.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
DIR=/tmp/transfer
PORT=6000

install_module
make_net 2ms 1%
make_certificate $DIR/pki server.test
make_certificate $DIR/other other.test
mkdir -p $DIR/in
for size in 1 1199 65536 3000000; do head -c "$size" /dev/urandom >$DIR/in/file-$size; done
: >$DIR/in/empty
(umask 077; printf 'me:%s\n' "$(openssl rand -hex 32)" >$DIR/keys.psk; printf 'me:%s\n' "$(openssl rand -hex 32)" >$DIR/wrong.psk)

# receiver NAME LISTEN OPTIONS…: starts a receiver in namespace server, waits until it listens
receiver() {
	local name=$1 listen=$2
	shift 2
	mkdir -p "$DIR/$name"
	ip netns exec server "$QUIC" recv --dir "$DIR/$name" --listen "$listen" --handshake-timeout 60 "$@" >"$DIR/$name.recv" 2>&1 &
	RECEIVER=$!
	wait_for 60 ip netns exec server grep -q ":$PORT" /proc/net/quic/eps
}
sender() { # sender NAME TARGET OPTIONS… -- FILES…
	local name=$1 target=$2 options=()
	shift 2
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	ip netns exec client timeout 300 "$QUIC" --json send --handshake-timeout 60 "${options[@]}" "$@" "$target" >"$DIR/$name.send" 2>&1
}

# moves NAME SENTENCE LISTEN TARGET SERVER-OPTIONS -- CLIENT-OPTIONS
moves() {
	local name=$1 what=$2 listen=$3 target=$4 status=0 server=() file
	shift 4
	while [ "$1" != -- ]; do server+=("$1"); shift; done
	shift
	PORT=$((PORT + 1))
	receiver "$name" "$listen:$PORT" "${server[@]}"
	sender "$name" "$target:$PORT" "$@" -- $DIR/in/* || status=$?
	for file in "$DIR"/in/*; do cmp "$file" "$DIR/$name/${file##*/}" >>"$DIR/$name.send" 2>&1 || status=1; done
	kill "$RECEIVER"
	result "$status" "$what" "$DIR/$name.send" "$DIR/$name.recv"
}
CERT=(--cert "$DIR/pki/server.pem" --key "$DIR/pki/server.key")
CA=(--ca "$DIR/pki/ca.pem" --name server.test)

moves v4 'files of 0 to 3,000,000 bytes over IPv4' "$SERVER4" "$SERVER4" "${CERT[@]}" -- "${CA[@]}"
moves v6 'files over IPv6' "[$SERVER6]" "[$SERVER6]" "${CERT[@]}" -- "${CA[@]}"
moves mapped 'files over IPv4 to a listener on [::]' '[::]' "$SERVER4" "${CERT[@]}" -- "${CA[@]}"
for cipher in aes128-gcm aes256-gcm aes128-ccm chacha20; do
	moves "$cipher" "files with $cipher" "$SERVER4" "$SERVER4" "${CERT[@]}" -- "${CA[@]}" --cipher "$cipher"
done
moves psk 'files with a pre-shared key' "$SERVER4" "$SERVER4" --psk $DIR/keys.psk -- --psk $DIR/keys.psk
moves cubic 'files with CUBIC' "$SERVER4" "$SERVER4" "${CERT[@]}" --congestion cubic -- "${CA[@]}" --congestion cubic
moves retry 'files after address validation by Retry' "$SERVER4" "$SERVER4" "${CERT[@]}" --retry -- "${CA[@]}"
moves v2 'files over QUIC version 2' "$SERVER4" "$SERVER4" "${CERT[@]}" -- "${CA[@]}" --quic-version 2

# refused NAME SENTENCE PATTERN CLIENT-OPTIONS…: the sender fails, and its message has PATTERN
refused() {
	local name=$1 what=$2 pattern=$3 status=0
	shift 3
	PORT=$((PORT + 1))
	receiver "$name" "$SERVER4:$PORT" "${CERT[@]}"
	if sender "$name" "$SERVER4:$PORT" "$@" -- $DIR/in/file-1; then status=1; fi
	grep -qiE "$pattern" "$DIR/$name.send" || status=1
	[ -z "$(ls "$DIR/$name")" ] || status=1
	kill "$RECEIVER"
	result "$status" "$what" "$DIR/$name.send" "$DIR/$name.recv"
}
refused wrong-name 'a certificate for another name is refused, with the name in the message' 'name' --ca $DIR/pki/ca.pem --name elsewhere.test
refused wrong-ca 'a certificate of an unknown authority is refused, with the reason' 'authority|issuer|trust' --ca $DIR/other/ca.pem --name server.test
refused wrong-psk 'a key the server does not have is refused, with the reason' 'alert|psk|key|handshake' --psk $DIR/wrong.psk

status=0
ip netns exec client timeout 120 "$QUIC" send --handshake-timeout 3 "${CA[@]}" $DIR/in/file-1 "$SERVER4:7999" >$DIR/nobody.send 2>&1 && status=1
grep -qiE 'time|answer' $DIR/nobody.send || status=1
result "$status" 'nobody there is told as a time-out' $DIR/nobody.send

result_of_use "$DIR"
echo "1..$N"
exit "$BAD"
