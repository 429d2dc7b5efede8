#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: Debian's smbd and smbclient, unmodified, speak SMB over QUIC through the module: listings, files both
# ways, many clients, a server that is restarted under load, and what a request costs beside TCP. Prints TAP.
# QUIC_LARGE=1 moves the largest file over IPv6 and over the lossy network as well.
# shellcheck disable=SC2317 # functions are called through wait_for
set -uo pipefail
. "$(dirname "$0")/lib.sh"
DIR=/tmp/samba
QUIC_PORT=10443 TCP_PORT=10445

peer_overlay samba
install_module
make_net 0 0
make_certificate $DIR/pki server.test server4.test server6.test
make_certificate $DIR/other other.test
mkdir -p $DIR/share $DIR/in $DIR/run
chmod 777 $DIR/share
# The target must be a name.
printf '%s\n' "$SERVER4 server4.test" "$SERVER6 server6.test" "$SERVER4 server.test" "$SERVER6 server.test" >$DIR/hosts
mount --bind $DIR/hosts /etc/hosts
for size in 1 1199 65536 1048577 67108864; do head -c "$size" /dev/urandom >$DIR/in/file-$size; done
SMALL=(file-1 file-1199 file-65536 file-1048577)
ALL=("${SMALL[@]}" file-67108864)
LARGE=("${SMALL[@]}")
[ -z "${QUIC_LARGE:-}" ] || LARGE=("${ALL[@]}")

cat >$DIR/smb.conf <<CONF
[global]
server smb transports = tcp:$TCP_PORT, quic:$QUIC_PORT
server role = standalone server
map to guest = Bad User
disable netbios = yes
disable spoolss = yes
load printers = no
tls enabled = yes
tls keyfile = $DIR/pki/server.key
tls certfile = $DIR/pki/server.pem
tls cafile = $DIR/pki/ca.pem
private dir = $DIR/run
state directory = $DIR/run
lock directory = $DIR/run
cache directory = $DIR/run
pid directory = $DIR/run
ncalrpc dir = $DIR/run/ncalrpc
log file = $DIR/log.%m
[pub]
path = $DIR/share
guest ok = yes
read only = no
CONF
client_conf() { # client_conf NAME TRANSPORT AUTHORITY
	cat >"$DIR/$1.conf" <<-CONF
	[global]
	client smb transports = $2
	tls cafile = $3
	tls verify peer = ca_and_name
	name resolve order = host
	private dir = $DIR/run
	state directory = $DIR/run
	lock directory = $DIR/run
	cache directory = $DIR/run
	CONF
}
client_conf quic "quic:$QUIC_PORT" $DIR/pki/ca.pem
client_conf tcp "tcp:$TCP_PORT" $DIR/pki/ca.pem
client_conf stranger "quic:$QUIC_PORT" $DIR/other/ca.pem

# In a session of its own, so that all its processes can be ended at once.
start_smbd() {
	ip netns exec server setsid smbd -F --no-process-group -s $DIR/smb.conf --debug-stdout >>$DIR/smbd.out 2>&1 </dev/null &
	SMBD=$!
	wait_for 120 listens
}
listens() { [ "$(ip netns exec server grep -c ":$QUIC_PORT" /proc/net/quic/eps)" = 2 ]; }
stop_smbd() { # stop_smbd SIGNAL
	kill "-$1" -- "-$SMBD"
	wait "$SMBD" 2>/dev/null
	wait_for 120 gone
}
gone() { ! pgrep -x smbd; }

# smb CONF HOST [COMMANDS]: one session, by default with commands from the standard input. 124 is a client that hung.
smb() { ip netns exec client timeout 300 smbclient -s "$DIR/$1.conf" -N "//$2/pub" ${3:+-c "$3"}; }
# shellcheck disable=SC2016 # awk's
counter() { ip netns exec "$1" awk -v name="$2" '$1 == name {print $2}' /proc/net/quic/snmp; }

# moves NAME CONF HOST FILE…: put and get of each file in one session, then all compared.
moves() {
	local name=$1 conf=$2 host=$3 out=$DIR/$1 commands='' file
	shift 3
	mkdir -p "$out"
	for file; do commands+="put $DIR/in/$file $name-$file; get $name-$file $out/$file;"; done
	smb "$conf" "$host" "$commands" || return
	for file; do
		cmp "$DIR/in/$file" "$DIR/share/$name-$file" && cmp "$DIR/in/$file" "$out/$file" || return
		rm "$DIR/share/$name-$file" "$out/$file"
	done
}
# check_moves SENTENCE NAME CONF HOST FILE…
check_moves() {
	local what=$1 name=$2 status=0 began=$SECONDS
	shift
	moves "$@" >"$DIR/$name.log" 2>&1 || status=1
	result "$status" "$what" "$DIR/$name.log" $DIR/smbd.out
	echo "# $((SECONDS - began)) s: $(sed -n 's/.*file-67108864 .*(\([0-9.]* .*B.*\/s[^)]*\)) .*/\1/p' "$DIR/$name.log" | paste -sd' ')"
}

listing() {
	local host=$1
	: >$DIR/share/empty
	cp $DIR/in/file-1199 "$DIR/share/a file"
	smb quic "$host" ls && smb quic "$host" 'allinfo "a file"'
}
test_listing() { # both families
	local host status
	for host in server4.test server6.test; do
		status=0
		listing "$host" >$DIR/list.log 2>&1 || status=1
		grep -qE '^ *a file .* 1199 ' $DIR/list.log && grep -qE '^ *empty .* 0 ' $DIR/list.log || status=1
		result "$status" "a listing of $host" $DIR/list.log $DIR/smbd.out
	done
}

# While a session is open, its ends are QUIC sockets of the kernel, the client's in smbclient's own hands: it has not
# fallen back to its QUIC in user space. The look is a command of the session.
look() {
	cat >$DIR/look <<-LOOK
	cat /proc/net/quic/conns >$DIR/client.conns
	ip netns exec server cat /proc/net/quic/conns >$DIR/server.conns
	ls -l /proc/\$(pgrep -x smbclient)/fd >$DIR/fds
	LOOK
	printf '%s\n' ls "!sh $DIR/look" ls >$DIR/commands
	smb quic server4.test <$DIR/commands
}
inode_of() { awk -v from="$1" -v to="$2" '$2 == 1 && $3 ~ from && $4 ~ to {print $NF}' "$3"; }
test_kernel() {
	local status=0 inode before=() after=()
	before=("$(counter client QuicConnActiveEstabs)" "$(counter server QuicConnPassiveEstabs)")
	look >$DIR/look.log 2>&1 || status=1
	after=("$(counter client QuicConnActiveEstabs)" "$(counter server QuicConnPassiveEstabs)")
	inode=$(inode_of "^$CLIENT4:" "^$SERVER4:$QUIC_PORT\$" $DIR/client.conns)
	grep -q "socket:\[$inode\]" $DIR/fds || status=1
	[ -n "$(inode_of "^$SERVER4:$QUIC_PORT\$" "^$CLIENT4:" $DIR/server.conns)" ] || status=1
	[ $((before[0] + 1)) = "${after[0]}" ] && [ $((before[1] + 1)) = "${after[1]}" ] || status=1
	echo "connections before ${before[*]}, after ${after[*]}, inode $inode" >>$DIR/look.log
	result "$status" 'both ends of a session are QUIC sockets of the kernel' $DIR/look.log $DIR/client.conns $DIR/server.conns $DIR/fds
}

test_stranger() {
	local status=0
	smb stranger server4.test ls >$DIR/stranger.log 2>&1
	[ $? = 1 ] || status=1
	result "$status" 'a client that does not know the authority refuses the server' $DIR/stranger.log $DIR/smbd.out
}

# 20 clients at once, each with files of its own in both directions: 20 sessions are open before the first one goes on.
# They are opened two at a time, because Samba gives a handshake 5 seconds at both ends, and 20 programs that start at
# once on an emulated machine may need longer: what is wanted is 20 sessions, not 20 starts. Until all are open each
# asks something every second, since an idle connection ends after 30 seconds. (cd / would ask nothing, and a command
# that waits inside smbclient would keep it from asking.)
MANY=20
commands_of() { # commands_of I: one of the many, as if typed
	local file
	echo "!touch $DIR/ready-$1"
	until [ -e $DIR/go ]; do echo 'ls empty'; sleep 1; done
	for file in "${SMALL[@]}"; do printf '%s\n' "put $DIR/in/$file many-$1-$file" "get many-$1-$file $DIR/many-$1/$file"; done
}
one_of_many() { # one_of_many I
	local file
	mkdir -p "$DIR/many-$1"
	commands_of "$1" | smb quic "server$(($1 % 2 * 2 + 4)).test" || return
	for file in "${SMALL[@]}"; do
		cmp "$DIR/in/$file" "$DIR/share/many-$1-$file" && cmp "$DIR/in/$file" "$DIR/many-$1/$file" || return
	done
}
ready() { [ "$(find "$DIR" -name 'ready-*' | wc -l)" -ge "$1" ]; }
# What neither side may have counted: connections that fell idle, memory that was not there, data without room. Single
# packets may be dropped (QuicPktRcvDrop) where a starved process has a full backlog: they are sent again.
# shellcheck disable=SC2016 # awk's
trouble() {
	local ns
	for ns in client server; do
		ip netns exec $ns awk '/^Quic(IdleTimeout|NoMemory|FrmRcvBufDrop)[[:space:]]/ {print $1, $2}' /proc/net/quic/snmp
		ip netns exec $ns awk '/^Udp:/ {print "UDP buffer overruns", $6}' /proc/net/snmp
	done
}
test_many() {
	local i status=0 pids=() open
	trouble >$DIR/trouble
	for ((i = 1; i <= MANY; i++)); do
		wait_for 120 ready $((i - 2))
		one_of_many "$i" >"$DIR/many-$i.log" 2>&1 &
		pids+=($!)
	done
	wait_for 120 ready $MANY || status=1
	open=$(ip netns exec server grep -cE '^[^[:space:]]+[[:space:]]1[[:space:]]' /proc/net/quic/conns)
	: >$DIR/go
	[ "$open" = $MANY ] || status=1
	echo "$open connections were open" >$DIR/many.log
	for i in "${!pids[@]}"; do wait "${pids[i]}" || { status=1; tail -n 6 "$DIR/many-$((i + 1)).log" >>$DIR/many.log; }; done
	trouble | diff $DIR/trouble - >>$DIR/many.log || status=1
	result "$status" "$MANY clients at once, each with files of its own" $DIR/many.log $DIR/smbd.out
}

# worker N: sessions one after another until told to stop. Counts those that worked since the last restart, and
# sessions that hung: a session that the restart interrupts fails, but it ends.
worker() {
	local status
	until [ -e $DIR/stop ]; do
		status=0
		moves "load-$1" quic server4.test file-1048577 >"$DIR/load-$1.log" 2>&1 || status=$?
		[ "$status" != 124 ] || echo "$1" >>$DIR/hung
		if [ "$status" = 0 ]; then echo "$1" >>"$DIR/worked"; else cat "$DIR/load-$1.log" >>$DIR/interrupted; fi
	done
}
each_worked() { [ "$(sort -u "$DIR/worked" 2>/dev/null | wc -l)" = 4 ]; }
test_restart() {
	local i signal status=0 workers=()
	rm -f $DIR/{hung,interrupted}
	for i in 1 2 3 4; do worker $i & workers+=($!); done
	for signal in TERM KILL; do
		rm -f $DIR/worked
		wait_for 180 each_worked || status=1
		stop_smbd $signal || status=1
		start_smbd || status=1
		rm -f $DIR/worked
		wait_for 180 each_worked || status=1
	done
	: >$DIR/stop
	wait "${workers[@]}"
	: >>$DIR/interrupted
	[ ! -e $DIR/hung ] || status=1
	result "$status" 'smbd ended by TERM and by KILL under load and started again: every client goes on, none hangs' $DIR/interrupted $DIR/smbd.out
}

# A request waits for its answer. A small file takes four of them: open, read, close, and what smbclient asks first.
# session CONF N: milliseconds of a session that gets N files
session() {
	local began commands='' i
	for ((i = 0; i < $2; i++)); do commands+='get "a file" /dev/null;'; done
	began=$(date +%s%N)
	smb "$1" server4.test "$commands" >"$DIR/ops-$1.log" 2>&1 || return 1
	[ "$(grep -c 'getting file' "$DIR/ops-$1.log")" = "$2" ] || return 1
	echo $((($(date +%s%N) - began) / 1000000))
}
FILES=300
operations() { # operations CONF: files in a second, without the session's start
	local one all
	one=$(session "$1" 1) && all=$(session "$1" $FILES) || return 1
	echo $(((FILES - 1) * 1000 / (all - one)))
}
test_operations() {
	local status=0 quic tcp
	quic=$(operations quic) || status=1
	tcp=$(operations tcp) || status=1
	result "$status" "requests and answers: ${quic:-0} files of 1,199 bytes in a second over QUIC, ${tcp:-0} over TCP" \
		$DIR/ops-quic.log $DIR/ops-tcp.log
}

status=0
start_smbd || status=1
result "$status" 'smbd listens on QUIC sockets of both families' $DIR/smbd.out
test_listing
check_moves 'files of 1 byte to 64 MiB, both ways, over IPv4' v4 quic server4.test "${ALL[@]}"
check_moves 'files over IPv6' v6 quic server6.test "${LARGE[@]}"
check_moves 'files, the name having addresses of both families' both quic server.test "${SMALL[@]}"
check_moves 'the same files over TCP' tcp tcp server4.test "${ALL[@]}"
test_kernel
test_stranger
test_many
test_restart
test_operations
for ns in server client; do ip netns exec $ns tc qdisc add dev veth0 root netem delay 2ms loss 1% limit 10000; done
check_moves 'files over a network with delay and loss' loss quic server4.test "${LARGE[@]}"
stop_smbd TERM

result_of_use "$DIR"
echo "1..$N"
exit "$BAD"
