#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The network of the path tests, and what the programs do to it while they run:
#
#   client 10.11.1.2 .3 --- 10.11.1.1 router 10.11.2.1 --- 10.11.2.2 .3 server
#   fd00:11:1::2 ::3         ::1             fd00:11:2::1   fd00:11:2::2 ::3
#
# quic_net.sh VERB [ARGUMENT...] with QN_CLIENT, QN_ROUTER and QN_SERVER naming
# the three namespaces:
#
#   up | down            make, remove the namespaces
#   nat port N           the client's packets come from port N from now on
#   nat addr A           ... from the address A, of either family
#   nat off
#   mtu N                the router's link to the server carries N bytes an IP
#                        packet, and says so by ICMP
#   ceil N               larger packets vanish in silence
#   ecn ce N             every N-th ECN-capable packet to the server is marked CE
#   ecn bleach           all packets lose their mark
#   ecn off
#   drop to-server | to-client | both | off
#   only_host 2          the second addresses of the ends, .3, cannot be reached
#   shape NETEM...       each way, in netem's words; unshape ends it
#   count [reset]        packets by mark and direction since the last reset
#   plain                the network as it was at first
#
# IP packets cross the router as they were sent: segmentation in the devices is
# off, so that each counts and is measured by itself.

set -eu

router()
{
	ip netns exec "$QN_ROUTER" "$@"
}

# Replaces the table of one concern by the rules on standard input.
rules()
{
	{
		echo "table inet qn_$1 {}"
		echo "delete table inet qn_$1"
		cat
	} | router nft -f -
}

clear_rules()
{
	rules "$1" </dev/null
}

address()
{
	ip -n "$1" addr add "10.11.$3/24" dev "$2"
	ip -n "$1" addr add "fd00:11:${3%.*}::${3#*.}/64" dev "$2" nodad
}

# link NAMESPACE DEVICE NUMBER: a veth pair to the router, whose end has the same name
link()
{
	ip link add "$2" netns "$1" type veth peer name "$2" netns "$QN_ROUTER"
	for ns in "$1" "$QN_ROUTER"; do
		ip -n "$ns" link set "$2" up
		ip netns exec "$ns" ethtool -K "$2" tx off gso off tso off gro off \
			tx-udp-segmentation off >/dev/null
	done
	address "$QN_ROUTER" "$2" "$3.1"
	address "$1" "$2" "$3.2"
	address "$1" "$2" "$3.3"
	ip -n "$1" route add default via "10.11.$3.1"
	ip -n "$1" route add default via "fd00:11:$3::1"
}

up()
{
	for ns in "$QN_CLIENT" "$QN_ROUTER" "$QN_SERVER"; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
	done
	link "$QN_CLIENT" toclient 1
	link "$QN_SERVER" toserver 2
	router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	# Neighbours are known before the first packet of a test.
	ip netns exec "$QN_CLIENT" ping -q -c 1 -W 10 10.11.2.2 >/dev/null
	ip netns exec "$QN_CLIENT" ping -q -c 1 -W 10 fd00:11:2::2 >/dev/null
	count_rules
}

down()
{
	for ns in "$QN_CLIENT" "$QN_ROUTER" "$QN_SERVER"; do
		ip netns del "$ns" 2>/dev/null || true
	done
}

# Without connection tracking: each packet is rewritten by itself, both ways.
nat()
{
	case $1 in
	off)
		clear_rules nat
		return
		;;
	port)
		out="udp sport set $2"
		back="udp dport $2 udp dport set $QN_PORT"
		;;
	addr)
		case $2 in
		*:*)
			out="ip6 saddr set $2"
			back="ip6 daddr $2 ip6 daddr set fd00:11:1::2"
			;;
		*)
			out="ip saddr set $2"
			back="ip daddr $2 ip daddr set 10.11.1.2"
			;;
		esac
		;;
	esac
	rules nat <<-RULES
	table inet qn_nat {
		chain pre {
			type filter hook prerouting priority raw;
			iifname "toclient" meta l4proto udp $out
			iifname "toserver" meta l4proto udp $back
		}
	}
	RULES
}

mtu()
{
	router ip link set toserver mtu "$1"
}

ceil()
{
	[ "$1" = off ] && { clear_rules ceil; return; }
	rules ceil <<-RULES
	table inet qn_ceil {
		chain forward {
			type filter hook forward priority filter;
			meta length > $1 drop
		}
	}
	RULES
}

# nft's own two bits of IPv6 are not written in the kernels of today: the first 16 bits of the header are,
# the version, the traffic class and the beginning of the flow label.
ecn()
{
	case $1 in
	off)
		clear_rules ecn
		return
		;;
	ce)
		v4='oifname "toserver" ip ecn ect0 numgen inc mod '$2' 0 ip ecn set ce'
		v6='oifname "toserver" ip6 ecn ect0 numgen inc mod '$2' 0 @nh,0,16 set 0x6030'
		;;
	bleach)
		v4='meta nfproto ipv4 ip ecn set not-ect'
		v6='meta nfproto ipv6 @nh,0,16 set 0x6000'
		;;
	esac
	rules ecn <<-RULES
	table inet qn_ecn {
		chain forward {
			type filter hook forward priority mangle;
			$v4
			$v6
		}
	}
	RULES
}

drop()
{
	case $1 in
	off)
		clear_rules drop
		return
		;;
	both) out='meta l4proto udp' ;;
	*) out="oifname \"${1%%-*}${1##*-}\" meta l4proto udp" ;;
	esac
	rules drop <<-RULES
	table inet qn_drop {
		chain forward {
			type filter hook forward priority filter;
			$out drop
		}
	}
	RULES
}

only_host()
{
	[ "$1" = off ] && { clear_rules host; return; }
	rules host <<-RULES
	table inet qn_host {
		chain forward {
			type filter hook forward priority filter;
			ip saddr { 10.11.1.3, 10.11.2.3 } drop
			ip daddr { 10.11.1.3, 10.11.2.3 } drop
			ip6 saddr { fd00:11:1::3, fd00:11:2::3 } drop
			ip6 daddr { fd00:11:1::3, fd00:11:2::3 } drop
		}
	}
	RULES
}

shape()
{
	for dev in toclient toserver; do
		router tc qdisc replace dev $dev root netem "$@"
	done
}

unshape()
{
	for dev in toclient toserver; do
		router tc qdisc del dev $dev root 2>/dev/null || true
	done
}

# Counted before anything else happens to a packet: what the ends sent.
count_rules()
{
	rules count <<-RULES
	table inet qn_count {
		counter client_ect0 {}
		counter client_other {}
		counter server_ect0 {}
		counter server_other {}
		chain pre {
			type filter hook prerouting priority -400;
			meta l4proto != udp return
			iifname "toclient" ip ecn ect0 counter name client_ect0 return
			iifname "toclient" ip6 ecn ect0 counter name client_ect0 return
			iifname "toclient" counter name client_other
			iifname "toserver" ip ecn ect0 counter name server_ect0 return
			iifname "toserver" ip6 ecn ect0 counter name server_ect0 return
			iifname "toserver" counter name server_other
		}
	}
	RULES
}

# NAME PACKETS, one a line
count()
{
	[ "${1:-}" = reset ] && { count_rules; return; }
	router nft list counters table inet qn_count |
		awk '$1 == "counter" { name = $2 } $1 == "packets" { print name, $2 }'
}

plain()
{
	router nft flush ruleset
	mtu 1500
	unshape
	for ns in "$QN_CLIENT" "$QN_SERVER"; do
		ip -n "$ns" route flush cache
		ip -n "$ns" -6 route flush cache
	done
	count_rules
}

verb=$1
shift
"$verb" "$@"
