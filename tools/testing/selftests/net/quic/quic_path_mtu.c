// SPDX-License-Identifier: GPL-2.0
/* The size of datagrams on a path, found and followed by probing (RFC 8899). */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/udp.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include "kselftest_harness.h"
#include "quic_net.h"

/* The search ends when it knows the size to within this many bytes. */
#define RESOLUTION	16

FIXTURE(mtu) {
	struct qk_pair p;
	struct qk_opts opts;
	struct quic_config config;
	struct quic_transport_param param;
};

FIXTURE_VARIANT(mtu) {
	enum qk_family family;
	int overhead;		/* of IP and UDP */
};

FIXTURE_VARIANT_ADD(mtu, v4) { QK_V4, 28 };
FIXTURE_VARIANT_ADD(mtu, v6) { QK_V6, 48 };

FIXTURE_SETUP(mtu)
{
	self->p = (struct qk_pair){ -1, -1, -1 };
	ASSERT_EQ(0, qn_setup());
	self->opts.family = variant->family;
	self->config.plpmtud_probe_interval = 5000000;
	self->opts.client_config = &self->config;
	self->opts.server_config = &self->config;
	self->opts.client_param = &self->param;
	self->opts.server_param = &self->param;
}

FIXTURE_TEARDOWN(mtu)
{
	qk_pair_close(&self->p);
}

static bool found(const struct quic_info *info, __u64 size)
{
	return info->mtu <= size && info->mtu + RESOLUTION > size;
}

static bool fell(const struct quic_info *info, __u64 size)
{
	return info->mtu <= size;
}

QUIC_TEST_F(mtu, both_ends_find_what_the_path_carries)
{
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
	EXPECT_EQ(0, qn_await(self->p.server, found, 1500 - variant->overhead));
}

QUIC_TEST_F(mtu, a_narrow_link_on_the_way_that_speaks_up_bounds_the_search)
{
	ASSERT_EQ(0, qn("mtu 1400"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1400 - variant->overhead));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 100000));
}

QUIC_TEST_F(mtu, a_narrow_link_on_the_way_that_is_silent_bounds_the_search)
{
	ASSERT_EQ(0, qn("ceil 1400"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1400 - variant->overhead));
	EXPECT_EQ(0, qn_await(self->p.server, found, 1400 - variant->overhead));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 100000));
}

QUIC_TEST_F(mtu, a_black_hole_is_found_and_got_around)
{
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
	ASSERT_EQ(0, qn_await(self->p.server, found, 1500 - variant->overhead));
	ASSERT_EQ(0, qn("ceil 1300"));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 100000));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(5), false, 100000));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1300 - variant->overhead));
	EXPECT_EQ(0, qn_await(self->p.server, found, 1300 - variant->overhead));
}

QUIC_TEST_F(mtu, a_link_that_becomes_narrow_and_says_so_is_got_around)
{
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
	ASSERT_EQ(0, qn("mtu 1300"));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 100000));
	EXPECT_EQ(0, qn_await(self->p.client, fell, 1300 - variant->overhead));
}

static bool is(const struct quic_info *info, __u64 size)
{
	return info->mtu == size;
}

/*
 * Nothing but the router's message can tell the client: no ack comes back, and the way
 * takes so long that time-outs have not yet made it suspect a black hole.
 */
QUIC_TEST_F(mtu, a_router_that_says_packet_too_big_is_heard_at_once)
{
	static __u8 data[20000];
	struct quic_info before, info;
	__s64 heard, id = -1;

	ASSERT_EQ(0, qn("shape delay 400ms"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
	heard = qn_snmp(QN_CLIENT, "QuicIcmpTooBig");
	ASSERT_LE(0, heard);
	ASSERT_EQ(0, qn("mtu 1300"));
	ASSERT_EQ(0, qn("drop to-client"));
	ASSERT_EQ(0, qn_info(self->p.client, &before));
	ASSERT_EQ(0, qk_open(self->p.client, &id, MSG_QUIC_STREAM_UNI));
	ASSERT_EQ((ssize_t)sizeof(data), qk_send(self->p.client, id, 0, data, sizeof(data), 0));
	ASSERT_EQ(0, qn_await(self->p.client, fell, 1300 - variant->overhead));
	ASSERT_EQ(0, qn_info(self->p.client, &info));
	EXPECT_EQ(before.packets_lost, info.packets_lost);
	EXPECT_GT(before.probe_timeouts + 3, info.probe_timeouts);
	EXPECT_LT(heard, qn_snmp(QN_CLIENT, "QuicIcmpTooBig"));
	/* The size that the router named is tried and found good, which halving would not hit. */
	ASSERT_EQ(0, qn("drop off"));
	ASSERT_EQ(0, qn("unshape"));
	EXPECT_EQ(0, qn_await(self->p.client, is, 1300 - variant->overhead));
}

/* What a forger can make up: everything but the id of the connection. */
static size_t forge(__u8 *packet, enum qk_family family, __u16 mtu)
{
	struct sockaddr_storage from, to;
	__u8 *udp, *quic;
	size_t ip;

	qn_addr(&from, QN_CLIENT, family, 2, QN_CLIENT_PORT);
	qn_addr(&to, QN_SERVER, family, 2, QN_SERVER_PORT);
	ip = family == QK_V4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
	if (family == QK_V4) {
		struct icmphdr icmp = {
			.type = ICMP_DEST_UNREACH,
			.code = ICMP_FRAG_NEEDED,
			.un.frag.mtu = htons(mtu),
		};
		struct iphdr header = {
			.version = 4,
			.ihl = 5,
			.tot_len = htons(1500),
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.saddr = ((struct sockaddr_in *)&from)->sin_addr.s_addr,
			.daddr = ((struct sockaddr_in *)&to)->sin_addr.s_addr,
		};

		memcpy(packet, &icmp, sizeof(icmp));
		memcpy(packet + sizeof(icmp), &header, sizeof(header));
	} else {
		struct icmp6hdr icmp = {
			.icmp6_type = ICMPV6_PKT_TOOBIG,
			.icmp6_mtu = htonl(mtu),
		};
		struct ip6_hdr header = {
			.ip6_flow = htonl(6u << 28),
			.ip6_plen = htons(1460),
			.ip6_nxt = IPPROTO_UDP,
			.ip6_hlim = 64,
			.ip6_src = ((struct sockaddr_in6 *)&from)->sin6_addr,
			.ip6_dst = ((struct sockaddr_in6 *)&to)->sin6_addr,
		};

		memcpy(packet, &icmp, sizeof(icmp));
		memcpy(packet + sizeof(icmp), &header, sizeof(header));
	}
	udp = packet + sizeof(struct icmphdr) + ip;
	quic = udp + sizeof(struct udphdr);
	*(struct udphdr *)udp = (struct udphdr){
		.source = htons(QN_CLIENT_PORT),
		.dest = htons(QN_SERVER_PORT),
		.len = htons(1500 - ip),
	};
	/* A short header, whose id nobody off the path has seen. */
	memset(quic, 0x5a, 32);
	return quic + 32 - packet;
}

static __u16 checksum(const __u8 *bytes, size_t len)
{
	__u32 sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

static bool reached(enum qn_side side, const char *name, __s64 value)
{
	__s64 start = qk_now_ms();

	while (qn_snmp(side, name) < value && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	return qn_snmp(side, name) >= value;
}

QUIC_TEST_F(mtu, a_forged_message_is_counted_and_changes_nothing)
{
	struct sockaddr_storage client;
	socklen_t to = qn_addr(&client, QN_CLIENT, variant->family, 2, 0);
	bool v4 = variant->family == QK_V4;
	__s64 heard, ignored;
	__u8 packet[256];
	size_t len;
	int raw;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
	heard = qn_snmp(QN_CLIENT, "QuicIcmpTooBig");
	ignored = qn_snmp(QN_CLIENT, "QuicIcmpIgnored");
	ASSERT_LE(0, ignored);
	len = forge(packet, variant->family, 1300);
	if (v4)
		((struct icmphdr *)packet)->checksum = checksum(packet, len);
	ASSERT_EQ(0, qn_enter(QN_SERVER));
	raw = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	ASSERT_LE(0, raw);
	ASSERT_EQ((ssize_t)len,
		  sendto(raw, packet, len, 0, (struct sockaddr *)&client, to));
	close(raw);
	EXPECT_TRUE(reached(QN_CLIENT, "QuicIcmpIgnored", ignored + 1));
	EXPECT_EQ(heard, qn_snmp(QN_CLIENT, "QuicIcmpTooBig"));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 100000));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
}

QUIC_TEST_F(mtu, a_path_that_widens_is_used_after_the_next_search)
{
	ASSERT_EQ(0, qn("ceil 1300"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1300 - variant->overhead));
	ASSERT_EQ(0, qn("ceil off"));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
}

/* What ICMP said once, the kernel remembers for minutes; probes have to get past that. */
QUIC_TEST_F(mtu, a_link_that_widens_is_used_after_the_next_search)
{
	ASSERT_EQ(0, qn("mtu 1300"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1300 - variant->overhead));
	ASSERT_EQ(0, qn("mtu 1500"));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
}

QUIC_TEST_F(mtu, the_largest_datagram_follows_the_size)
{
	static __u8 data[1500], got[1500];
	size_t small = 1, large = sizeof(data);
	struct qk_item it;

	self->param.max_datagram_frame_size = 65535;
	ASSERT_EQ(0, qn("ceil 1400"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1400 - variant->overhead));
	/* The largest size that the socket takes. */
	while (small + 1 < large) {
		size_t middle = (small + large) / 2;
		ssize_t ret = send(self->p.client, data, middle, MSG_QUIC_DATAGRAM);

		if (ret == (ssize_t)middle) {
			ASSERT_EQ(ret, qk_next(self->p.server, &it, got, sizeof(got)));
			ASSERT_EQ(QK_DATAGRAM, it.kind);
			small = middle;
			continue;
		}
		ASSERT_EQ(EMSGSIZE, errno);
		large = middle;
	}
	EXPECT_LT(1400 - variant->overhead - RESOLUTION - 40, small);
	EXPECT_GT(1400 - variant->overhead, small);
}

TEST_HARNESS_MAIN
