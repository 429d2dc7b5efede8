// SPDX-License-Identifier: GPL-2.0
/* What a listener keeps of clients that wait: how many, how much, and in which order. */
#include <linux/sock_diag.h>
#include <netinet/udp.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define EACH		(8 << 10)	/* memory for each client of the backlog */
#define CLIENTS		120
#define SEGMENTS	16		/* datagrams of a batch */

FIXTURE(backlog) {
	struct qk_opts opts;
	struct qk_pair p;
	int clients[CLIENTS];
	int servers[CLIENTS];
	int udp;
};

FIXTURE_VARIANT(backlog) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(backlog, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(backlog, v6) { QK_V6 };

FIXTURE_SETUP(backlog)
{
	int ret = qk_setup();
	int i;

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->udp = -1;
	for (i = 0; i < CLIENTS; i++) {
		self->clients[i] = -1;
		self->servers[i] = -1;
	}
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
	self->udp = qk_udp(variant->family);
	ASSERT_LE(0, self->udp);
}

FIXTURE_TEARDOWN(backlog)
{
	int i;

	for (i = 0; i < CLIENTS; i++) {
		qk_close(&self->clients[i]);
		qk_close(&self->servers[i]);
	}
	qk_pair_close(&self->p);
	qk_close(&self->udp);
}

/* A listener with the smallest receive buffer, so that the backlog says what it keeps. */
static int small_listener(const struct qk_opts *opts, int backlog)
{
	int fd = qk_listen(opts), ret;

	if (fd < 0)
		return fd;
	ret = qk_set_int(fd, SOL_SOCKET, SO_RCVBUF, 1);
	if (!ret && listen(fd, backlog))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

/* Bytes that are charged to a socket for what it received. */
static __s64 charged(int fd)
{
	__u32 info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len))
		return -errno;
	return info[SK_MEMINFO_RMEM_ALLOC];
}

/* @count first packets of client @id that nobody can read, as one batch. */
static int throw_batch(QUIC_SELF(backlog), __u16 port, __u32 id, int count)
{
	static __u8 buf[SEGMENTS * QK_INITIAL];
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, self->opts.family, port);
	int i;

	for (i = 0; i < count; i++)
		qk_unreadable(buf + i * QK_INITIAL, id);
	if (qk_set_int(self->udp, SOL_UDP, UDP_SEGMENT, count > 1 ? QK_INITIAL : 0))
		return -errno;
	return sendto(self->udp, buf, count * QK_INITIAL, 0, (struct sockaddr *)&ss, len) ==
	       count * QK_INITIAL ? 0 : -errno;
}

/* Until so much is charged. */
static bool settles(int fd, __s64 at_least)
{
	__s64 start = qk_now_ms();

	while (charged(fd) < at_least && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	return charged(fd) >= at_least;
}

/* The number of the client with this peer's port, or -1. */
static int whose(QUIC_SELF(backlog), int server)
{
	struct sockaddr_storage peer = { };
	socklen_t len = sizeof(peer);
	int i;

	if (getpeername(server, (struct sockaddr *)&peer, &len))
		return -1;
	for (i = 0; i < CLIENTS; i++) {
		if (self->clients[i] >= 0 &&
		    htons(qk_port(self->clients[i])) == ((struct sockaddr_in *)&peer)->sin_port)
			return i;
	}
	return -1;
}

/*
 * All packets of a client find its request, however many others wait, while
 * some are accepted and others come: each hello arrives whole, in order.
 */
QUIC_TEST_F(backlog, further_packets_find_their_request_among_many)
{
	int started = 0, accepted = 0, burst;
	__u8 hello[8192], got[8192];
	size_t n;

	self->p.listener = small_listener(&self->opts, 2 * CLIENTS);
	ASSERT_LE(0, self->p.listener);
	for (burst = 1; accepted < CLIENTS; burst++) {
		int more = burst * 7 % 40 + 1, less = burst * 5 % 20 + 1;

		while (started < CLIENTS && more--) {
			__u16 port = qk_port(self->p.listener);

			self->clients[started] = qk_hs_client(&self->opts, port, 2500, NULL);
			ASSERT_LE(0, self->clients[started]);
			started++;
		}
		while (accepted < started && less--) {
			int fd = qk_accept(self->p.listener);

			ASSERT_LE(0, fd);
			self->servers[accepted] = fd;
			EXPECT_EQ(accepted, whose(self, fd));
			n = qk_client_hello_for(self->clients[accepted], NULL, NULL, 2500,
						hello, sizeof(hello));
			ASSERT_EQ(0, qk_hs_recv(fd, QUIC_CRYPTO_INITIAL, got, n));
			EXPECT_EQ(0, memcmp(got, hello, n));
			accepted++;
		}
	}
	EXPECT_EQ(0, charged(self->p.listener));
}

/* A small receive buffer does not make the backlog smaller for ordinary clients. */
QUIC_TEST_F(backlog, half_of_it_is_for_clients_without_a_proof)
{
	__s64 retries = qk_snmp("QuicRetryOut"), one;
	int i;

	self->p.listener = small_listener(&self->opts, 400);
	ASSERT_LE(0, self->p.listener);
	ASSERT_EQ(0, throw_batch(self, qk_port(self->p.listener), 0, 1));
	ASSERT_TRUE(settles(self->p.listener, 1));
	one = charged(self->p.listener);
	for (i = 1; i < 200; i++)
		ASSERT_EQ(0, throw_batch(self, qk_port(self->p.listener), i, 1));
	EXPECT_TRUE(settles(self->p.listener, 200 * one)) {
		TH_LOG("%lld of 200 times %lld", (long long)charged(self->p.listener),
		       (long long)one);
	}
	EXPECT_EQ(retries, qk_snmp("QuicRetryOut"));
}

/* What is kept is bounded in bytes: half for those who have proven nothing. */
QUIC_TEST_F(backlog, batches_are_bounded_in_memory_and_a_client_gets_through)
{
	__s64 retries = qk_snmp("QuicRetryOut"), start = qk_now_ms();
	const __s64 limit = 64 * EACH;
	int i, fd;

	self->p.listener = small_listener(&self->opts, 64);
	ASSERT_LE(0, self->p.listener);
	/* Twice each: further packets are no way around the bound. */
	for (i = 0; i < 2 * 32; i++) {
		ASSERT_EQ(0, throw_batch(self, qk_port(self->p.listener), i / 2, SEGMENTS));
		EXPECT_GE(limit / 2, charged(self->p.listener));
	}
	while (qk_snmp("QuicRetryOut") == retries && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	EXPECT_LT(retries, qk_snmp("QuicRetryOut"));
	EXPECT_GE(limit / 2, charged(self->p.listener));
	EXPECT_LE(limit / 4, charged(self->p.listener));
	/* The other half is for whoever answers a Retry. */
	self->clients[0] = qk_hs_client(&self->opts, qk_port(self->p.listener), 2500, NULL);
	ASSERT_LE(0, self->clients[0]);
	for (i = 0; i < 64 && self->p.server < 0; i++) {
		fd = qk_accept(self->p.listener);
		ASSERT_LE(0, fd);
		if (whose(self, fd) == 0)
			self->p.server = fd;
		else
			close(fd);
	}
	ASSERT_LE(0, self->p.server);
	EXPECT_LE(0, qk_wait(self->p.server, POLLIN));
}

/* A buffer that is nearly empty is not kept as it came. */
QUIC_TEST_F(backlog, what_is_kept_costs_little_more_than_its_bytes)
{
	const int bytes = SEGMENTS * QK_INITIAL;

	self->p.listener = small_listener(&self->opts, 64);
	ASSERT_LE(0, self->p.listener);
	ASSERT_EQ(0, throw_batch(self, qk_port(self->p.listener), 1, SEGMENTS));
	ASSERT_TRUE(settles(self->p.listener, bytes));
	EXPECT_GE(2 * bytes, charged(self->p.listener));
	ASSERT_EQ(0, listen(self->p.listener, 0));
	EXPECT_EQ(0, charged(self->p.listener));
}

TEST_HARNESS_MAIN
