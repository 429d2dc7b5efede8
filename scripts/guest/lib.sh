# SPDX-License-Identifier: GPL-2.0
# Shared by what runs in the guest: the module, the two network namespaces, certificates, waiting.
# shellcheck shell=bash

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# OUT, the build folder of this checkout, is given by the script on the host.
: "${OUT:?is set by the scripts on the host}"
export TOP
QUIC=$OUT/target/release/quic
SERVER4=10.9.0.1 CLIENT4=10.9.0.2 SERVER6=fd00:9::1 CLIENT6=fd00:9::2
PEERS=/var/lib/linux-quic/peers
export QUIC SERVER4 CLIENT4 SERVER6 CLIENT6 PEERS

# Puts the staged modules in place; the module itself is then loaded by the first socket() call.
install_module() {
	mount --bind "${MODULES:-$OUT/modules}/lib/modules" /lib/modules
	# What the debug kernel finds lost up to here is not ours.
	if [ -e $KMEMLEAK ]; then echo scan >$KMEMLEAK && echo clear >$KMEMLEAK; fi
}
KMEMLEAK=/sys/kernel/debug/kmemleak

# nothing_leaked: on the debug kernel, no memory was lost since install_module; prints where it came from. An object
# counts as lost when two scans say so.
nothing_leaked() {
	[ -e $KMEMLEAK ] || return 0
	sleep 6 # kmemleak leaves objects alone that are younger than 5 s
	echo scan >$KMEMLEAK
	echo scan >$KMEMLEAK
	! grep . $KMEMLEAK
}

# peer_overlay NAME…: programs that peers.sh fetched appear in /usr and /etc as if they were installed. Before
# install_module, which mounts below /usr.
peer_overlay() {
	local dir name layers
	modprobe overlay
	for dir in usr etc; do
		layers=''
		for name in "$@"; do
			[ ! -d "$PEERS/$name/$dir" ] || layers=$layers$PEERS/$name/$dir:
		done
		[ -z "$layers" ] || mount -t overlay overlay -o "lowerdir=$layers/$dir" "/$dir"
	done
}

# make_net DELAY LOSS: namespaces server and client, joined by a veth pair with that netem on both ends.
make_net() {
	local ns peer addr4 addr6
	ip netns add server
	ip netns add client
	ip link add veth0 netns server type veth peer name veth0 netns client
	for ns in server client; do
		if [ "$ns" = server ]; then addr4=$SERVER4 addr6=$SERVER6; else addr4=$CLIENT4 addr6=$CLIENT6; fi
		ip -n "$ns" link set lo up
		ip -n "$ns" addr add "$addr4/24" dev veth0
		ip -n "$ns" addr add "$addr6/64" dev veth0 nodad
		ip -n "$ns" link set veth0 up
		[ "$1" = 0 ] || ip netns exec "$ns" tc qdisc add dev veth0 root netem delay "$1" loss "$2" limit 10000
	done
	for peer in $SERVER4 $SERVER6; do
		wait_for 20 ip netns exec client ping -q -c 1 -W 2 "$peer"
	done
}

# start_relay NAMESPACE LOG ARGUMENT…: tools/testing/interop/relay.py in the background.
start_relay() {
	local ns=$1 log=$2
	shift 2
	ip netns exec "$ns" python3 "$TOP/tools/testing/interop/relay.py" "$@" >"$log" 2>&1 &
	RELAYING=$!
	wait_for 60 grep -q listening "$log"
}

# relay_hit LOG: ends the relay; whether it did hit datagrams.
relay_hit() {
	kill "$RELAYING"
	wait "$RELAYING"
	RELAYING=''
	grep -q 'hit [1-9]' "$1"
}

# wait_for SECONDS CMD…: until CMD succeeds; fails when the time is over.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# make_certificate DIR NAME…: a certificate authority and a server certificate for NAME and the test addresses.
make_certificate() {
	local dir=$1 name names=IP:$SERVER4,IP:$SERVER6,IP:127.0.0.1,IP:::1
	shift
	for name in "$@"; do names=$names,DNS:$name; done
	mkdir -p "$dir"
	(
		cd "$dir" || exit 1
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 \
			-subj '/CN=linux-quic test authority' -addext basicConstraints=critical,CA:TRUE \
			-addext keyUsage=critical,keyCertSign,cRLSign
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj "/CN=$1"
		printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' \
			"$names" >ext
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out server.pem
		chmod 600 ./*.key
	) >"$dir/log" 2>&1 || { cat "$dir/log"; return 1; }
}

# The kernel's log since boot must have no warning; prints what it has.
# That the debug kernel could not track a reference for want of memory, which fault injection makes, is none.
kernel_log_clean() {
	! dmesg | grep -E 'BUG:|WARNING:|Oops|Kernel panic|panicked|refcount|INFO: task|rcu_.*stall|use-after-free|Call Trace|leaked|KASAN|UBSAN|ODEBUG' | grep -vE 'unreliable refcount tracker|out-of-tree|ommand line:|debug is enabled'
}

# unload_module: rmmod after use, as soon as the last socket's memory is gone. Says who still uses it when it fails.
unload_module() {
	local ns
	wait_for 60 rmmod quic && return
	lsmod | grep -w quic
	for ns in $(ip netns list | cut -d' ' -f1) ''; do
		echo "sockets in the namespace ${ns:-of the guest}:"
		${ns:+ip netns exec "$ns"} cat /proc/net/quic/eps /proc/net/quic/conns
	done
	ps --ppid 2 -p 2 --deselect -f
	return 1
}

# TAP: the number of the last test, and whether one failed so far. result STATUS SENTENCE LOG… says one.
N=0 BAD=0
result() {
	local status=$1 what=$2
	shift 2
	N=$((N + 1))
	if [ "$status" = 0 ]; then echo "ok $N - $what"; return; fi
	# shellcheck disable=SC2034 # the exit status of the script that sources this
	BAD=1
	echo "not ok $N - $what"
	tail -n 25 "$@" | sed 's/^/# /'
}

# result_of_use DIR: the last two tests of every script here: what the use of the module leaves behind.
result_of_use() {
	local status=0
	kernel_log_clean >"$1/dmesg" 2>&1 || status=1
	result "$status" 'the kernel log has no warning' "$1/dmesg"
	status=0
	nothing_leaked >"$1/leaks" 2>&1 || status=1
	[ -e $KMEMLEAK ] && result "$status" 'no memory is lost while the module is loaded' "$1/leaks"
	status=0
	unload_module >"$1/rmmod" 2>&1 || status=1
	result "$status" 'the module can be removed after use' "$1/rmmod"
	[ -e $KMEMLEAK ] || return 0
	status=0
	nothing_leaked >"$1/leaks" 2>&1 || status=1
	result "$status" 'nor after it was removed' "$1/leaks"
}
