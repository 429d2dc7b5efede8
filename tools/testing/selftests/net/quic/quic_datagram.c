// SPDX-License-Identifier: GPL-2.0
/*
 * Senders of datagrams that wait for room, by sleep and by epoll: nothing but
 * the departure of earlier datagrams wakes them.
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
	unsigned int rate = 400000 / qk_scale();	/* bytes per second: the buffer fills */
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
	int bytes, sent, refused = 0;

	self->ep = epoll_create1(0);
	ASSERT_LE(0, self->ep);
	ASSERT_EQ(0, epoll_ctl(self->ep, EPOLL_CTL_ADD, self->p.client, &ev));
	for (bytes = FIRST_BUFFER; bytes <= LAST_BUFFER; bytes += BUFFER_STEP) {
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

TEST_HARNESS_MAIN
