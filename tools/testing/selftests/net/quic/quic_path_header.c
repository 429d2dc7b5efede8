// SPDX-License-Identifier: GPL-2.0
/* What the IP headers of packets say, as a network sees it (RFC 9000 9.7, 14; RFC 8899 3). */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "kselftest_harness.h"
#include "quic_net.h"

#define DONT_FRAGMENT	0x4000
#define LABEL_MASK	0xfffff

FIXTURE(header) {
	struct qk_pair p;
	struct qk_opts opts;
	int tap;
};

FIXTURE_SETUP(header)
{
	self->p = (struct qk_pair){ -1, -1, -1 };
	self->tap = -1;
	ASSERT_EQ(0, qn_setup());
}

FIXTURE_TEARDOWN(header)
{
	qk_pair_close(&self->p);
	qk_close(&self->tap);
}

/* Everything of a protocol that reaches the server's link. */
static int tap_open(__u16 protocol)
{
	int ret = qn_enter(QN_SERVER), fd, size = 8 << 20;

	if (ret)
		return ret;
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(protocol));
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/* The next packet, or 0 when there is none any more. */
static ssize_t tap_next(int tap, void *packet, size_t size)
{
	struct sockaddr_ll from;
	socklen_t len;
	ssize_t ret;

	do {
		len = sizeof(from);
		ret = recvfrom(tap, packet, size, MSG_TRUNC, (struct sockaddr *)&from, &len);
	} while (ret >= 0 && from.sll_pkttype != PACKET_HOST);
	return ret < 0 ? 0 : ret;
}

static bool found(const struct quic_info *info, __u64 size)
{
	return info->mtu == size;
}

/*
 * RFC 9000 14 #2 test, RFC 9000 14 #3 test: nor the probes for a larger size,
 * RFC 8899 3 #2 test, RFC 8899 3 #3 test, RFC 8899 4.5 #1 test.
 */
QUIC_TEST_F(header, no_packet_may_be_fragmented)
{
	union {
		struct iphdr ip;
		__u8 bytes[64];
	} packet;
	int packets = 0, large = 0;
	ssize_t len;

	self->opts.family = QK_V4;
	self->tap = tap_open(ETH_P_IP);
	ASSERT_LE(0, self->tap);
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1500 - 28));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 50000));
	while ((len = tap_next(self->tap, &packet, sizeof(packet)))) {
		ASSERT_LE((ssize_t)sizeof(packet.ip), len);
		if (packet.ip.protocol != IPPROTO_UDP)
			continue;
		packets++;
		large += len == 1500;
		EXPECT_EQ(DONT_FRAGMENT, ntohs(packet.ip.frag_off));
	}
	EXPECT_LT(30, packets);
	EXPECT_LT(0, large);
}

/*
 * The flow labels of all packets so far, or 0 if they have several. Packets of the client that
 * come from another port are not looked at.
 */
static __u32 label(int tap, __u16 port)
{
	struct {
		struct ipv6hdr ip;
		struct udphdr udp;
		__u8 rest[64];
	} packet;
	__u32 seen = 0;
	__be32 word;

	while (tap_next(tap, &packet, sizeof(packet))) {
		if (packet.ip.nexthdr != IPPROTO_UDP || packet.udp.source != htons(port))
			continue;
		memcpy(&word, &packet.ip, sizeof(word));
		if (!seen)
			seen = ntohl(word) & LABEL_MASK;
		if (seen != (ntohl(word) & LABEL_MASK))
			return 0;
	}
	return seen;
}

/* RFC 9000 9.7 #1 test, RFC 9000 9.7 #2 test */
QUIC_TEST_F(header, each_path_has_a_flow_label_of_its_own)
{
	__u32 first, second;

	self->opts.family = QK_V6;
	self->opts.client_events = 1u << QUIC_EVENT_CONNECTION_MIGRATION;
	self->tap = tap_open(ETH_P_IPV6);
	ASSERT_LE(0, self->tap);
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 20000));
	first = label(self->tap, QN_CLIENT_PORT);
	EXPECT_NE(0, first);
	ASSERT_EQ(0, qn_migrate(self->p.client, QN_CLIENT, QK_V6, 2, 4100));
	ASSERT_EQ(1, qn_migrated(self->p.client));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(6), true, 20000));
	second = label(self->tap, 4100);
	EXPECT_NE(0, second);
	EXPECT_NE(first, second);
}

TEST_HARNESS_MAIN
