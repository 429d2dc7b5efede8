// SPDX-License-Identifier: GPL-2.0
/*
 * Sending datagrams: their lengths, and senders that wait for room, by sleep
 * and by epoll: nothing but the departure of earlier datagrams wakes them.
 */
#include <sys/epoll.h>
#include <sys/time.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define SIZE	1100
#define COUNT	25

/*
 * What is left of the buffer when no further datagram fits depends on its
 * size: anything from nothing to almost enough must work.
 */
#define FIRST_BUFFER	4096
#define LAST_BUFFER	6144
#define BUFFER_STEP	256

FIXTURE(datagram) {
	struct qk_pair p;
	int ep;
};

FIXTURE_SETUP(datagram)
{
	struct quic_transport_param param = { .max_datagram_frame_size = 1400 };
	struct qk_opts opts = { .server_param = &param, .client_param = &param };
	unsigned int rate = 400000;	/* bytes per second: the buffer fills */
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->ep = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_MAX_PACING_RATE, &rate,
				sizeof(rate)));
}

FIXTURE_TEARDOWN(datagram)
{
	qk_close(&self->ep);
	qk_pair_close(&self->p);
}

QUIC_TEST_F(datagram, a_sender_sleeps_no_longer_than_it_must)
{
	struct timeval limit = { .tv_sec = qk_wait_ms() / 1000 };
	static const char buf[SIZE];
	int bytes, i;

	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
	for (bytes = FIRST_BUFFER; bytes <= LAST_BUFFER; bytes += BUFFER_STEP) {
		ASSERT_EQ(0, qk_set_int(self->p.client, SOL_SOCKET, SO_SNDBUF, bytes));
		for (i = 0; i < COUNT; i++) {
			__s64 start = qk_now_ms();

			ASSERT_EQ(SIZE, send(self->p.client, buf, SIZE, MSG_QUIC_DATAGRAM));
			/* Whoever was not woken looks again at the time limit. */
			ASSERT_LT(qk_now_ms() - start, limit.tv_sec * 1000) {
				TH_LOG("SO_SNDBUF %d, datagram %d", bytes, i);
			}
		}
	}
}

QUIC_TEST_F(datagram, an_edge_comes_whenever_a_refused_datagram_fits)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET }, got;
	static const char buf[SIZE];
	int flags = MSG_QUIC_DATAGRAM | MSG_DONTWAIT;
	unsigned int rate = 400000;
	int bytes, sent, refused = 0;

	self->ep = epoll_create1(0);
	ASSERT_LE(0, self->ep);
	ASSERT_EQ(0, epoll_ctl(self->ep, EPOLL_CTL_ADD, self->p.client, &ev));
	for (bytes = FIRST_BUFFER; bytes <= LAST_BUFFER; bytes += BUFFER_STEP) {
		/* A slow machine sends no faster than that: then less may leave. */
		if (!refused && bytes > FIRST_BUFFER)
			rate /= 2;
		ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_MAX_PACING_RATE, &rate,
					sizeof(rate)));
		ASSERT_EQ(0, qk_set_int(self->p.client, SOL_SOCKET, SO_SNDBUF, bytes));
		for (sent = 0; sent < COUNT;) {
			if (send(self->p.client, buf, SIZE, flags) == SIZE) {
				sent++;
				continue;
			}
			ASSERT_EQ(EAGAIN, errno);
			refused++;
			ASSERT_EQ(1, epoll_wait(self->ep, &got, 1, qk_wait_ms())) {
				TH_LOG("SO_SNDBUF %d, datagram %d", bytes, sent);
			}
			EXPECT_EQ(EPOLLOUT, got.events);
		}
	}
	EXPECT_LT(0, refused);
}

/* Without this a program that waits by level would spin. */
QUIC_TEST_F(datagram, a_refused_datagram_leaves_the_socket_not_writable)
{
	struct pollfd p = { .fd = self->p.client, .events = POLLOUT };
	unsigned int rate = 20000;	/* 50 ms for a datagram */
	static const char buf[SIZE];
	int i, refused = 0;

	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_MAX_PACING_RATE, &rate,
				sizeof(rate)));
	ASSERT_EQ(0, qk_set_int(self->p.client, SOL_SOCKET, SO_SNDBUF, FIRST_BUFFER));
	for (i = 0; i < COUNT && refused < 3; i++) {
		if (send(self->p.client, buf, SIZE, MSG_QUIC_DATAGRAM | MSG_DONTWAIT) == SIZE)
			continue;
		ASSERT_EQ(EAGAIN, errno);
		refused++;
		ASSERT_EQ(1, poll(&p, 1, qk_wait_ms()));
		EXPECT_EQ(POLLOUT, p.revents);
		/* What was promised is there. */
		EXPECT_EQ(SIZE, send(self->p.client, buf, SIZE, MSG_QUIC_DATAGRAM | MSG_DONTWAIT));
	}
	EXPECT_EQ(3, refused);
}

static ssize_t try_length(int fd, size_t len)
{
	static const char buf[70000];
	ssize_t ret = send(fd, buf, len, MSG_QUIC_DATAGRAM | MSG_DONTWAIT);

	return ret < 0 ? -errno : ret;
}

/* Send data until the packets have grown to more than a datagram of the table needs. */
static int widen(struct qk_pair *p)
{
	struct quic_info info = { };
	socklen_t len = sizeof(info);
	int i, ret = 0;

	for (i = 0; i < 20 && !ret && info.mtu < 1400; i++) {
		struct qk_flow f = { .from = p->server, .to = p->client, .size = 300000,
				     .id = QK_SERVER_UNI(i), .seed = i };

		ret = qk_flow_run(&f, 1);
		if (!ret)
			ret = qk_get(p->server, QUIC_SOCKOPT_INFO, &info, &len);
	}
	return ret ? ret : info.mtu < 1400 ? -ETIMEDOUT : 0;
}

static const struct {
	size_t len;
	int ret;
} lengths[] = {
	{ 0, -EMSGSIZE }, { 1, 1 }, { 1197, 1197 }, { 1198, -EMSGSIZE }, { 1200, -EMSGSIZE },
	{ 65535, -EMSGSIZE }, { 70000, -EMSGSIZE },
};

/* What the peer takes is the size of a whole frame: type and length are a part of it. */
QUIC_TEST_F(datagram, lengths_by_table)
{
	struct quic_transport_param small = { .max_datagram_frame_size = 1200 };
	struct qk_opts opts = { .client_param = &small };
	struct qk_item it;
	char buf[1500];
	size_t i;

	qk_pair_close(&self->p);
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
	/* The server announces nothing, so that the client may send none. */
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		EXPECT_EQ(-EINVAL, try_length(self->p.client, lengths[i].len)) {
			TH_LOG("%zu bytes", lengths[i].len);
		}
	}
	/* More than fits a packet, until packets have grown. */
	EXPECT_EQ(-EMSGSIZE, try_length(self->p.server, 1197));
	ASSERT_EQ(0, widen(&self->p));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		EXPECT_EQ(lengths[i].ret, try_length(self->p.server, lengths[i].len)) {
			TH_LOG("%zu bytes", lengths[i].len);
		}
		if (lengths[i].ret < 0)
			continue;
		EXPECT_EQ(lengths[i].ret, qk_next(self->p.client, &it, buf, sizeof(buf)));
		EXPECT_EQ(QK_DATAGRAM, it.kind);
	}
}

TEST_HARNESS_MAIN
