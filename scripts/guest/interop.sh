#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: aioquic, an independent implementation, as server to our client and as client to our server, over a
# network with delay and loss, on IPv4 and IPv6. Prints TAP.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
PEER="python3 $TOP/tools/testing/interop/aioquic_peer.py"
export PYTHONDONTWRITEBYTECODE=1
DIR=/tmp/interop

install_module
make_net 5ms 0.5%
make_certificate $DIR/pki server.test
mkdir -p $DIR/www
head -c 2000000 /dev/urandom >$DIR/www/large
head -c 1 /dev/urandom >$DIR/www/one-byte

same() { cmp "$DIR/www/large" "$1/large" && cmp "$DIR/www/one-byte" "$1/one-byte"; }

# as_client NAME ADDRESS PORT SERVER-ENVIRONMENT QUIC-OPTIONS…: our client, their server
as_client() {
	local name=$1 address=$2 port=$3 env=$4 out=$DIR/$1 log=$DIR/$1.log server status=0
	shift 4
	mkdir -p "$out"
	# shellcheck disable=SC2086 # words
	ip netns exec server env $env $PEER server "$address" "$port" $DIR/pki/server.pem $DIR/pki/server.key $DIR/www \
		>"$DIR/$name.peer" 2>&1 &
	server=$!
	wait_for 120 grep -q listening "$DIR/$name.peer"
	case $address in *:*) address="[$address]" ;; esac
	{ ip netns exec client timeout 300 "$QUIC" get --ca $DIR/pki/ca.pem --name server.test --handshake-timeout 60 \
		--dir "$out" "$@" "$address:$port/large" "$address:$port/one-byte" && same "$out"; } >"$log" 2>&1 || status=$?
	kill "$server"
	result "$status" "our client fetches files from aioquic's server: $name" "$log" "$DIR/$name.peer"
}

# as_server NAME ADDRESS PORT CLIENT-ENVIRONMENT QUIC-OPTIONS…: our server, their client
as_server() {
	local name=$1 address=$2 port=$3 env=$4 out=$DIR/$1 log=$DIR/$1.log server status=0
	shift 4
	mkdir -p "$out"
	case $address in *:*) listen="[$address]:$port" ;; *) listen=$address:$port ;; esac
	ip netns exec server "$QUIC" serve --cert $DIR/pki/server.pem --key $DIR/pki/server.key --listen "$listen" \
		--handshake-timeout 60 "$@" $DIR/www >"$log" 2>&1 &
	server=$!
	wait_for 60 ip netns exec server grep -q ":$port" /proc/net/quic/eps
	# shellcheck disable=SC2086 # words
	{ ip netns exec client timeout 300 env $env $PEER client "$address" "$port" $DIR/pki/ca.pem server.test "$out" \
		large one-byte && same "$out"; } >"$DIR/$name.peer" 2>&1 || status=$?
	kill "$server"
	result "$status" "aioquic's client fetches files from our server: $name" "$log" "$DIR/$name.peer"
}

as_client ipv4 "$SERVER4" 5001 A=1
as_client ipv6 "$SERVER6" 5002 A=1
as_client chacha20 "$SERVER4" 5003 A=1 --cipher chacha20
as_client retry "$SERVER4" 5004 RETRY=1
as_server server-ipv4 "$SERVER4" 5011 A=1
as_server server-ipv6 "$SERVER6" 5012 A=1
as_server server-chacha20 "$SERVER4" 5013 CIPHER=CHACHA20_POLY1305_SHA256
as_server server-retry "$SERVER4" 5014 A=1 --retry

result_of_use "$DIR"
echo "1..$N"
exit "$BAD"
