// SPDX-License-Identifier: GPL-2.0
/*
 * What counts for net.quic.quic_mem besides the data of connections: clients
 * that wait at listeners, hellos that nobody answers, and streams themselves.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/udp.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define MIB		(1024u * 1024)
#define LIMIT		(8 * MIB)
/* The kernel counts a MiB of a protocol's memory on each processor by itself. */
#define SLACK		(sysconf(_SC_NPROCESSORS_CONF) * MIB + MIB)
/* Listeners that are flooded, the batches for each and the datagrams of a batch. */
#define LISTENERS	64
#define BATCHES		40
#define SEGMENTS	16
/* What each of them gets although there is no memory, with what is kept beside it. */
#define ALWAYS		(20u << 10)
/* Clients of a server that does not answer, and the hello that each wants to send. */
#define CLIENTS		200
#define HELLO		(64u << 10)

FIXTURE(charge) {
	struct qk_pair p;
	struct qk_limits limits;
};

FIXTURE_SETUP(charge)
{
	int no_limits = qk_limits_open(&self->limits), ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	if (no_limits)
		SKIP(return, "the limits of memory cannot be changed here");
}

FIXTURE_TEARDOWN(charge)
{
	qk_pair_close(&self->p);
	EXPECT_TRUE(qk_limits_end(&self->limits));
}

/* Bytes that are charged to a listener for clients that wait. */
static long waiting(int fd)
{
	__u32 info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) ? -errno :
	       (long)info[SK_MEMINFO_RMEM_ALLOC];
}

static long all_waiting(const int *listeners)
{
	long sum = 0;
	int i;

	for (i = 0; i < LISTENERS; i++)
		sum += waiting(listeners[i]);
	return sum;
}

/* First packets of clients that are each another one, at all listeners. */
static int flood(const int *listeners, int udp)
{
	static __u8 buf[SEGMENTS * QK_INITIAL];
	struct sockaddr_storage ss;
	int i, j, k;

	for (j = 0; j < BATCHES; j++) {
		for (k = 0; k < SEGMENTS; k++)
			qk_unreadable(buf + k * QK_INITIAL, j);
		for (i = 0; i < LISTENERS; i++) {
			socklen_t len = qk_loopback(&ss, QK_V4, qk_port(listeners[i]));

			if (sendto(udp, buf, sizeof(buf), 0, (struct sockaddr *)&ss, len) < 0)
				return -errno;
		}
	}
	return 0;
}

QUIC_TEST_F(charge, listeners_keep_no_more_than_quic_mem_and_others_get_on)
{
	struct qk_opts opts = { };
	__s64 start = qk_now_ms();
	int listeners[LISTENERS];
	long held;
	int i, udp;

	for (i = 0; i < LISTENERS; i++) {
		listeners[i] = qk_listen(&opts);
		ASSERT_LE(0, listeners[i]);
		ASSERT_EQ(0, listen(listeners[i], 256));
	}
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_LE(0, udp);
	ASSERT_EQ(0, qk_set_int(udp, SOL_UDP, UDP_SEGMENT, QK_INITIAL));
	ASSERT_TRUE(qk_limits_set(&self->limits, LIMIT));
	ASSERT_EQ(0, flood(listeners, udp));
	while (all_waiting(listeners) < LIMIT / 2 && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	held = all_waiting(listeners);
	TH_LOG("%ld KiB", held / 1024);
	EXPECT_LE(LIMIT / 2, held);
	EXPECT_GT(LIMIT + SLACK + LISTENERS * ALWAYS, held);
	EXPECT_EQ(0, qk_pair_open(&self->p, &opts));
	for (i = 0; i < LISTENERS; i++)
		close(listeners[i]);
	close(udp);
}

QUIC_TEST_F(charge, hellos_that_nobody_answers_take_no_more_than_quic_mem)
{
	struct qk_opts opts = { };
	static __u8 hello[HELLO];
	struct sockaddr_storage ss;
	int clients[CLIENTS];
	int i, silent, sent;
	long held = 0;
	socklen_t len;

	silent = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_LE(0, silent);
	len = qk_loopback(&ss, QK_V4, 0);
	ASSERT_EQ(0, bind(silent, (struct sockaddr *)&ss, len));
	ASSERT_TRUE(qk_limits_set(&self->limits, MIB));
	for (i = 0; i < CLIENTS; i++) {
		clients[i] = qk_connect(&opts, qk_port(silent));
		ASSERT_LE(0, clients[i]);
		ASSERT_EQ(0, qk_set_int(clients[i], SOL_SOCKET, SO_SNDBUF, 2 * HELLO));
		for (sent = 0; sent < (int)HELLO; sent += 8192) {
			if (qk_hs_send(clients[i], QUIC_CRYPTO_INITIAL, hello, 8192,
				       MSG_DONTWAIT | MSG_MORE) < 0)
				break;
		}
		EXPECT_LT(0, sent);
		held += qk_queued(clients[i], SIOCOUTQ);
	}
	TH_LOG("%ld KiB", held / 1024);
	EXPECT_GT(MIB + SLACK + CLIENTS * ALWAYS, held);
	for (i = 0; i < CLIENTS; i++)
		close(clients[i]);
	close(silent);
}

QUIC_TEST_F(charge, streams_count_and_no_more_than_4096_of_a_type_are_open)
{
	const struct quic_transport_param many = {
		.max_streams_bidi = 4096,
		.max_streams_uni = 4096,
	};
	struct qk_opts opts = { .server_param = &many };
	long before, pages;
	__s64 id;
	int i;

	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
	before = qk_protocol("QUIC", 3);
	ASSERT_LE(0, before);
	for (i = 0; i < 4096; i++) {
		id = -1;
		ASSERT_EQ(0, qk_open(self->p.client, &id, 0));
		id = -1;
		ASSERT_EQ(0, qk_open(self->p.client, &id, MSG_QUIC_STREAM_UNI));
	}
	id = -1;
	EXPECT_EQ(-EAGAIN, qk_open(self->p.client, &id, MSG_QUIC_STREAM_DONTWAIT));
	pages = qk_protocol("QUIC", 3) - before;
	TH_LOG("%ld pages", pages);
	/* Of more than 8 MiB; two processors may count 4 by themselves. */
	EXPECT_LT(4 * MIB, pages * 4096);
	/* They are no data. */
	EXPECT_EQ(0, qk_queued(self->p.client, SIOCINQ));
}

TEST_HARNESS_MAIN
