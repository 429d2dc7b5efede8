#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: independent implementations, each as server to our client and as client to our server where it has
# that role, over a network with delay and loss, on IPv4 and IPv6. Prints TAP. Those that set-up could not fetch are
# skipped, with the reason.
# shellcheck disable=SC2317 # functions are called by the name of a peer
set -uo pipefail
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1
DIR=/tmp/interop
PKI=$DIR/pki
PORT=5000

peer_overlay nginx haproxy quic-go
install_module
make_net 5ms 0.5%
make_certificate $PKI server.test
cat $PKI/server.pem $PKI/server.key >$PKI/both.pem
mkdir -p $DIR/www
head -c 1000000 /dev/urandom >$DIR/www/large
head -c 1 /dev/urandom >$DIR/www/one-byte

head -c 20000 /dev/urandom >$DIR/www/small
# What is moved.
FILES=(large one-byte)
same() { # same FOLDER
	local file
	for file in "${FILES[@]}"; do cmp "$DIR/www/$file" "$1/$file" || return; done
}

# The drivers of the peers that are libraries; they share one command line and their options come from the environment.
driver() {
	case $1 in
	aioquic) echo "python3 $TOP/tools/testing/interop/aioquic_peer.py" ;;
	openssl) echo "$OUT/openssl_peer" ;;
	quinn) echo "$OUT/target/release/quinn_peer" ;;
	quic-go) echo quic_go_peer ;;
	esac
}

# nginx ADDRESS: its configuration
nginx_server() {
	local retry=off
	[ -z "${RETRY:-}" ] || retry=on
	case $1 in *:*) set -- "[$1]" ;; esac
	mkdir -p "$DIR/nginx"
	cat >"$DIR/nginx.conf" <<-CONF
	user root;
	daemon off;
	pid $DIR/nginx/pid;
	error_log stderr;
	events {}
	http {
		access_log off;
		client_body_temp_path $DIR/nginx/a; proxy_temp_path $DIR/nginx/b; fastcgi_temp_path $DIR/nginx/c;
		uwsgi_temp_path $DIR/nginx/d; scgi_temp_path $DIR/nginx/e;
		server {
			listen $1:$PORT quic;
			http3_hq on;
			quic_retry $retry;
			ssl_certificate $PKI/server.pem;
			ssl_certificate_key $PKI/server.key;
			root $DIR/www;
		}
	}
	CONF
	exec ip netns exec server nginx -e stderr -c "$DIR/nginx.conf"
}

# haproxy is a proxy: a plain HTTP server behind it has the files.
haproxy_server() {
	local family=quic4 retry=''
	case $1 in *:*) family=quic6 ;; esac
	[ -z "${RETRY:-}" ] || retry=quic-force-retry
	cat >"$DIR/haproxy.conf" <<-CONF
	global
		limited-quic
	defaults
		mode http
		timeout connect 100s
		timeout client 100s
		timeout server 100s
	frontend files
		bind $family@$1:$PORT ssl crt $PKI/both.pem alpn hq-interop $retry
		default_backend files
	backend files
		server files 127.0.0.1:8000
	CONF
	exec ip netns exec server haproxy -db -f "$DIR/haproxy.conf"
}

# start_peer PEER ADDRESS NAME: PEER as a server, in the background; returns when it has its socket.
start_peer() {
	# shellcheck disable=SC2046 # words
	case $1 in
	nginx | haproxy) "$1_server" "$2" ;;
	*) exec ip netns exec server $(driver "$1") server "$2" "$PORT" $PKI/server.pem $PKI/server.key $DIR/www ;;
	esac >"$DIR/$3.peer" 2>&1 &
	STARTED=$!
	wait_for 120 bound
}
bound() { ip netns exec server grep -qih ":$(printf '%04X' "$PORT") " /proc/net/udp /proc/net/udp6; }

# missing PEER SENTENCE: skips the test when set-up could not get PEER
missing() {
	[ -e "$OUT/peers/$1.skip" ] || return
	N=$((N + 1))
	echo "ok $N - $2 # SKIP $(cat "$OUT/peers/$1.skip")"
}

# fetches PEER WHAT ADDRESS ENVIRONMENT QUIC-OPTIONS…: our client, their server
fetches() {
	local peer=$1 what=$2 address=$3 env=$4 name="$1-server-$2" status=0
	shift 4
	PORT=$((PORT + 1))
	missing "$peer" "our client fetches files from the server of $peer: $what" && return
	name=${name// /-}
	mkdir -p "$DIR/$name"
	export "${env?}"
	start_peer "$peer" "$address" "$name"
	unset "${env%%=*}"
	case $address in *:*) address="[$address]" ;; esac
	{ ip netns exec client timeout 120 "$QUIC" --json get --ca $PKI/ca.pem --name server.test --handshake-timeout 60 \
		--dir "$DIR/$name" "$@" "${FILES[@]/#/$address:$PORT/}" &&
		same "$DIR/$name"; } >"$DIR/$name.log" 2>&1 || status=$?
	kill "$STARTED"
	wait "$STARTED" 2>/dev/null
	result "$status" "our client fetches files from the server of $peer: $what" "$DIR/$name.log" "$DIR/$name.peer"
}

# resumes PEER ADDRESS: our client continues its session with their server
resumes() {
	local peer=$1 address=$2 name="$1-server-resumed" what="our client continues its session with the server of $1" status=0
	PORT=$((PORT + 1))
	missing "$peer" "$what" && return
	mkdir -p "$DIR/$name"
	start_peer "$peer" "$address" "$name"
	for _ in 1 2; do
		ip netns exec client timeout 120 "$QUIC" --json get --ca $PKI/ca.pem --name server.test --handshake-timeout 60 \
			--session "$DIR/$name.session" --dir "$DIR/$name" "${FILES[@]/#/$address:$PORT/}" \
			>"$DIR/$name.log" 2>&1 && same "$DIR/$name" >>"$DIR/$name.log" 2>&1 || status=1
	done
	grep -q '"resumed":true' "$DIR/$name.log" || status=1
	kill "$STARTED"
	wait "$STARTED" 2>/dev/null
	result "$status" "$what" "$DIR/$name.log" "$DIR/$name.peer"
}

# past START SECONDS: whether more than that have passed since START of $SECONDS
past() { [ $((SECONDS - $1)) -gt "$2" ]; }

# Where clients find a relay, through which they lose their LOST-th datagram if that is set.
RELAY=127.0.0.1

# serves PEER WHAT ADDRESS ENVIRONMENT QUIC-OPTIONS…: our server, their client
serves() {
	local peer=$1 what=$2 address=$3 env=$4 name="$1-client-$2" listen=$3 server listening status=0
	shift 4
	PORT=$((PORT + 1))
	missing "$peer" "the client of $peer fetches files from our server: $what" && return
	name=${name// /-}
	mkdir -p "$DIR/$name"
	case $address in *:*) listen="[$address]" ;; esac
	ip netns exec server "$QUIC" serve --cert $PKI/server.pem --key $PKI/server.key --listen "$listen:$PORT" \
		--handshake-timeout 60 "$@" $DIR/www >"$DIR/$name.log" 2>&1 &
	server=$!
	wait_for 60 ip netns exec server grep -q ":$PORT" /proc/net/quic/eps
	listening=$SECONDS
	# A server takes no early data at first: it cannot know yet what it has seen before (RFC 8446 8.2; GnuTLS: 10 s).
	# Its credentials were made before it listens.
	case " $* " in *' --early '*) wait_for 60 past "$listening" 11 ;; esac
	if [ -n "${LOST:-}" ]; then
		start_relay client "$DIR/$name.relay" $RELAY "$PORT" "$address" "$PORT" drop-number "$LOST" || status=1
		address=$RELAY
	fi
	# shellcheck disable=SC2046 # words
	{ ip netns exec client timeout 120 env "$env" $(driver "$peer") client "$address" "$PORT" $PKI/ca.pem server.test \
		"$DIR/$name" "${FILES[@]}" && same "$DIR/$name"; } >"$DIR/$name.peer" 2>&1 || status=$?
	[ -z "${LOST:-}" ] || relay_hit "$DIR/$name.relay" || status=1
	kill "$server"
	result "$status" "the client of $peer fetches files from our server: $what" "$DIR/$name.log" "$DIR/$name.peer"
}

(cd $DIR/www && exec ip netns exec server python3 -m http.server 8000 --bind 127.0.0.1) >$DIR/http.log 2>&1 &
HTTP=$!
for peer in aioquic openssl quinn quic-go nginx haproxy; do
	fetches $peer IPv4 "$SERVER4" A=1
	fetches $peer 'IPv6 with Retry' "$SERVER6" RETRY=1
	fetches $peer ChaCha20 "$SERVER4" A=1 --cipher chacha20
done
for peer in aioquic haproxy; do
	fetches $peer 'version 2' "$SERVER6" A=1 --quic-version 2
done
for peer in aioquic openssl quinn quic-go nginx haproxy; do resumes $peer "$SERVER4"; done
for peer in aioquic openssl quinn quic-go; do
	serves $peer IPv4 "$SERVER4" A=1
	serves $peer 'IPv6 with Retry' "$SERVER6" A=1 --retry
done
serves aioquic ChaCha20 "$SERVER4" CIPHER=CHACHA20_POLY1305_SHA256
serves openssl ChaCha20 "$SERVER4" CIPHER=TLS_CHACHA20_POLY1305_SHA256
serves quinn ChaCha20 "$SERVER4" CHACHA20=1
serves aioquic 'version 2' "$SERVER6" VERSION=2
# Their ClientHellos take two packets, and OpenSSL 3.5 does not send again what was lost before something is acknowledged.
LOST=1 serves openssl 'the first packet is lost' "$SERVER4" A=1
LOST=2 serves openssl 'the second packet is lost' "$SERVER4" A=1
for peer in aioquic openssl quic-go; do serves $peer 'a resumed session' "$SERVER4" RESUME=1; done
serves quinn 'early data' "$SERVER4" EARLY=1 --early
for peer in aioquic openssl quinn; do serves $peer 'new keys' "$SERVER6" KEY_UPDATE=1; done
# quic-go updates its keys after 100 packets, in version 2 with the label of version 1 ("quic ku", not the "quicv2 ku" of
# RFC 9369 3.3.2): then nobody understands it any more. A small file is over before.
FILES=(small)
fetches quic-go 'version 2' "$SERVER6" A=1 --quic-version 2
serves quic-go 'version 2' "$SERVER6" VERSION=2
kill $HTTP

result_of_use "$DIR"
echo "1..$N"
exit "$BAD"
