// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams that no peer sent: thrown by a UDP socket at a listener and at a
 * connection, they change nothing and are counted.
 */
#include <fcntl.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define DATAGRAMS	2000
#define LARGEST		1500

FIXTURE(hostile) {
	struct qk_pair p;
	struct qk_opts opts;
	int udp;
	__u64 seed;
};

FIXTURE_VARIANT(hostile) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(hostile, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(hostile, v6) { QK_V6 };

FIXTURE_SETUP(hostile)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->udp = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
	self->seed = 20260101;
	self->udp = qk_udp(variant->family);
	ASSERT_LE(0, self->udp);
}

FIXTURE_TEARDOWN(hostile)
{
	qk_pair_close(&self->p);
	qk_close(&self->udp);
}

static __u64 rnd(__u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static __s64 drops(void)
{
	static const char * const names[] = {
		"QuicPktInvHdrDrop", "QuicPktInvNumDrop", "QuicPktInvFrmDrop", "QuicPktRcvDrop",
		"QuicPktDecDrop",
	};
	__s64 sum = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		sum += qk_snmp(names[i]);
	return sum;
}

static void throw_at(int udp, __u16 port, enum qk_family family, const void *buf, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = qk_loopback(&ss, family, port);

	/* A full queue or an ICMP error of an earlier one does not matter. */
	sendto(udp, buf, len, 0, (struct sockaddr *)&ss, ss_len);
}

static void throw_random(int udp, __u16 port, enum qk_family family, __u64 *seed)
{
	__u8 buf[LARGEST];
	size_t len = rnd(seed) % (LARGEST + 1);

	qk_pattern(buf, len, rnd(seed), 0);
	if (len > 5 && rnd(seed) % 2) {
		/* A long header of a known version gets further. */
		static const __u8 v1[] = { 0, 0, 0, 1 }, v2[] = { 0x6b, 0x33, 0x43, 0xcf };

		buf[0] |= 0xc0;
		memcpy(buf + 1, rnd(seed) % 2 ? v1 : v2, 4);
		if (len > 7 && rnd(seed) % 2)
			buf[5] = rnd(seed) % 21;
	}
	throw_at(udp, port, family, buf, len);
}

static bool drained(__s64 before, __s64 at_least)
{
	__s64 start = qk_now_ms();

	while (drops() - before < at_least) {
		if (qk_now_ms() - start > qk_wait_ms())
			return false;
		poll(NULL, 0, 5);
	}
	return true;
}

QUIC_TEST_F(hostile, random_datagrams_at_a_listener_change_nothing)
{
	__s64 before = drops();
	int i;

	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	for (i = 0; i < DATAGRAMS; i++)
		throw_random(self->udp, qk_port(self->p.listener), variant->family, &self->seed);
	EXPECT_TRUE(drained(before, DATAGRAMS / 4)) {
		TH_LOG("%lld of %d datagrams were counted", (long long)(drops() - before),
		       DATAGRAMS);
	}
	EXPECT_EQ(0, poll(&(struct pollfd){ self->p.listener, POLLIN, 0 }, 1, 0));
	qk_close(&self->p.listener);
	EXPECT_EQ(0, qk_pair_open(&self->p, &self->opts));
}

QUIC_TEST_F(hostile, truncated_initials_at_a_listener_make_no_connection)
{
	__s64 before = drops();
	__u8 buf[2048];
	ssize_t len = qk_initial(&self->opts, buf, sizeof(buf));
	ssize_t n;

	ASSERT_LE(1200, len);
	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	/* RFC 9000 14.1: an Initial in a datagram below 1200 bytes is dropped. */
	for (n = 0; n < 1200; n++)
		throw_at(self->udp, qk_port(self->p.listener), variant->family, buf, n);
	EXPECT_TRUE(drained(before, 600));
	EXPECT_EQ(0, poll(&(struct pollfd){ self->p.listener, POLLIN, 0 }, 1, 0));
	/* The whole one is a client. */
	throw_at(self->udp, qk_port(self->p.listener), variant->family, buf, len);
	EXPECT_EQ(POLLIN, qk_wait(self->p.listener, POLLIN));
}

QUIC_TEST_F(hostile, an_initial_with_a_flipped_bit_makes_no_connection)
{
	__u8 buf[2048], bad[2048];
	ssize_t len = qk_initial(&self->opts, buf, sizeof(buf));
	__s64 before = drops();
	int i;

	ASSERT_LE(1200, len);
	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	for (i = 0; i < 300; i++) {
		/* Behind the version and ids, so that the AEAD must find it. */
		size_t bit = 8 * 30 + rnd(&self->seed) % ((1200 - 30) * 8);

		memcpy(bad, buf, len);
		bad[bit / 8] ^= 1 << bit % 8;
		throw_at(self->udp, qk_port(self->p.listener), variant->family, bad, len);
	}
	EXPECT_TRUE(drained(before, 100));
	ASSERT_EQ(0, fcntl(self->p.listener, F_SETFL, O_NONBLOCK));
	for (i = 0; i < 300; i++) {
		int fd = accept(self->p.listener, NULL, NULL);
		char c;

		/* Whatever was accepted must not have handed out a byte. */
		if (fd < 0)
			break;
		EXPECT_EQ(-1, recv(fd, &c, 1, MSG_DONTWAIT));
		qk_close(&fd);
	}
}

QUIC_TEST_F(hostile, random_datagrams_at_a_connection_change_nothing)
{
	struct qk_flow flows[2];
	__s64 before;
	int round, i;

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	before = drops();
	for (round = 0; round < 10; round++) {
		flows[0] = (struct qk_flow){
			.from = self->p.client, .to = self->p.server,
			.id = QK_CLIENT_BIDI(round), .size = 20000, .seed = round,
		};
		flows[1] = (struct qk_flow){
			.from = self->p.server, .to = self->p.client,
			.id = QK_SERVER_BIDI(round), .size = 20000, .seed = round,
		};
		for (i = 0; i < DATAGRAMS / 20; i++) {
			throw_random(self->udp, qk_port(self->p.client), variant->family,
				     &self->seed);
			throw_random(self->udp, qk_port(self->p.server), variant->family,
				     &self->seed);
		}
		ASSERT_EQ(0, qk_flow_run(flows, 2)) {
			TH_LOG("round %d", round);
		}
	}
	EXPECT_TRUE(drained(before, DATAGRAMS / 4)) {
		TH_LOG("%lld of %d datagrams were counted", (long long)(drops() - before),
		       DATAGRAMS);
	}
}

QUIC_TEST_F(hostile, empty_and_tiny_datagrams_at_a_connection_change_nothing)
{
	__u8 buf[32];
	struct qk_flow f = { .id = 0, .size = 50000, .seed = 8 };
	int i;

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	for (i = 0; i < 1000; i++) {
		qk_pattern(buf, sizeof(buf), i, 0);
		throw_at(self->udp, qk_port(self->p.server), variant->family, buf, i % 32);
		throw_at(self->udp, qk_port(self->p.client), variant->family, buf, i % 32);
	}
	f.from = self->p.client;
	f.to = self->p.server;
	EXPECT_EQ(0, qk_flow_run(&f, 1));
}

TEST_HARNESS_MAIN
