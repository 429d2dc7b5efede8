// SPDX-License-Identifier: GPL-2.0
/* poll() bits by state, and the ioctls that tell what is queued. */
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

#ifndef SIOCOUTQNSD
#define SIOCOUTQNSD	0x894B
#endif

#define READ	(POLLIN | POLLRDNORM)
#define WRITE	(POLLOUT | POLLWRNORM)
#define ALL	(READ | WRITE | POLLRDHUP | POLLPRI)

FIXTURE(polling) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_SETUP(polling)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(polling)
{
	qk_pair_close(&self->p);
}

static int bits(int fd)
{
	struct pollfd p = { .fd = fd, .events = ALL };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

QUIC_TEST_F(polling, a_closed_socket_has_every_bit)
{
	int fd = qk_socket(QK_V4, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(READ | WRITE | POLLRDHUP | POLLHUP | POLLERR, bits(fd));
	qk_close(&fd);
}

QUIC_TEST_F(polling, a_listener_is_readable_once_a_client_waits)
{
	__u8 hello[1024];
	size_t len;
	int fd;

	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	EXPECT_EQ(0, bits(self->p.listener));
	self->p.client = qk_connect(&self->opts, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	EXPECT_EQ(0, bits(self->p.listener));
	len = qk_client_hello(self->p.client, NULL, hello, sizeof(hello));
	ASSERT_EQ((ssize_t)len, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, len, 0));
	ASSERT_LE(0, qk_wait(self->p.listener, POLLIN));
	EXPECT_EQ(READ, bits(self->p.listener));
	fd = accept(self->p.listener, NULL, NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, bits(self->p.listener));
	qk_close(&fd);
}

/* Whoever drives a handshake by poll() waits for POLLOUT before the first message. */
QUIC_TEST_F(polling, handshake_messages_need_room_in_the_buffer_but_no_credit)
{
	struct quic_transport_param param = { .max_data = 5000 };
	static char buf[8192];

	self->opts.client_param = &param;
	self->opts.server_param = &param;
	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	self->p.client = qk_connect(&self->opts, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	EXPECT_EQ(WRITE, bits(self->p.client));
	qk_pair_close(&self->p);

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	EXPECT_EQ(WRITE, bits(self->p.client) & WRITE);
	EXPECT_EQ(WRITE, bits(self->p.server) & WRITE);
	/* With the handshake the exception ends. */
	ASSERT_EQ(0, qk_hs_finish(&self->p, self->opts.cipher));
	ASSERT_EQ(5000, qk_send(self->p.client, 0, NEW, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(0, bits(self->p.client) & WRITE);
}

QUIC_TEST_F(polling, a_larger_send_buffer_has_room_at_once)
{
	static char buf[65536];

	/* Nobody accepts: what is sent stays in the buffer. */
	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	self->p.client = qk_connect(&self->opts, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	ASSERT_EQ(0, qk_set_int(self->p.client, SOL_SOCKET, SO_SNDBUF, 8192));
	ASSERT_LT(0, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, buf, sizeof(buf),
				MSG_DONTWAIT));
	ASSERT_EQ(0, bits(self->p.client) & WRITE);
	ASSERT_EQ(0, qk_set_int(self->p.client, SOL_SOCKET, SO_SNDBUF, sizeof(buf)));
	EXPECT_EQ(WRITE, bits(self->p.client) & WRITE);
	ASSERT_EQ(0, qk_set_int(self->p.client, SOL_SOCKET, SO_SNDBUF, 4096));
	EXPECT_EQ(0, bits(self->p.client) & WRITE);
}

QUIC_TEST_F(polling, an_open_connection_is_writable_and_readable_with_data)
{
	struct qk_item it;
	char buf[8];

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	EXPECT_EQ(WRITE, bits(self->p.client));
	EXPECT_EQ(WRITE, bits(self->p.server));
	ASSERT_EQ(3, qk_send(self->p.client, 0, NEW, "abc", 3, 0));
	ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
	EXPECT_EQ(READ | WRITE, bits(self->p.server));
	ASSERT_EQ(3, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(WRITE, bits(self->p.server));
}

QUIC_TEST_F(polling, without_credit_of_the_connection_it_is_not_writable)
{
	struct quic_transport_param param = { .max_data = 5000 };
	static char buf[8192];
	struct qk_item it;
	size_t total = 0;
	ssize_t ret;

	self->opts.server_param = &param;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_LT(0, ret = qk_send(self->p.client, 0, NEW, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(5000, ret);
	EXPECT_EQ(0, bits(self->p.client) & POLLOUT);
	while (total < 5000) {
		ret = qk_next(self->p.server, &it, buf, sizeof(buf));
		ASSERT_LT(0, ret);
		total += ret;
	}
	/* What was read comes back as credit. */
	EXPECT_EQ(POLLOUT, qk_wait(self->p.client, POLLOUT));
}

QUIC_TEST_F(polling, the_close_of_the_peer_wakes_a_sleeper)
{
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	qk_close(&self->p.client);
	ASSERT_LT(0, qk_wait(self->p.server, POLLRDHUP));
	EXPECT_EQ(READ | WRITE | POLLRDHUP | POLLHUP | POLLERR, bits(self->p.server));
}

QUIC_TEST_F(polling, epoll_edges_follow_arrivals)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET }, got;
	int ep = epoll_create1(0);
	int i;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->p.server, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &got, 1, 0));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, qk_send(self->p.client, QK_CLIENT_BIDI(i), NEW | FIN, "x", 1, 0));
		EXPECT_EQ(1, epoll_wait(ep, &got, 1, qk_wait_ms()));
		EXPECT_EQ(EPOLLIN, got.events);
	}
	close(ep);
}

QUIC_TEST_F(polling, ioctl_tells_what_is_queued)
{
	int val;

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	EXPECT_EQ(0, qk_queued(self->p.server, SIOCINQ));
	EXPECT_EQ(0, qk_queued(self->p.client, SIOCOUTQNSD));
	ASSERT_EQ(16, qk_send(self->p.client, 0, NEW | FIN, "0123456789abcdef", 16, 0));
	ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
	EXPECT_LE(16, qk_queued(self->p.server, SIOCINQ));
	EXPECT_LE(0, qk_queued(self->p.client, SIOCOUTQ));
	EXPECT_EQ(-EINVAL, qk_queued(self->p.listener, SIOCINQ));
	EXPECT_EQ(-EINVAL, qk_queued(self->p.listener, SIOCOUTQ));
	EXPECT_EQ(-1, ioctl(self->p.client, 0x8999, &val));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->p.client, SIOCINQ, (void *)8));
	EXPECT_EQ(EFAULT, errno);
}

QUIC_TEST_F(polling, what_is_sent_is_released_by_acknowledgments)
{
	struct qk_flow f = { .id = 0, .size = 100000, .seed = 4 };
	__s64 start = qk_now_ms();

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	f.from = self->p.client;
	f.to = self->p.server;
	ASSERT_EQ(0, qk_flow_run(&f, 1));
	/* The last acknowledgment may be delayed by max_ack_delay. */
	while (qk_queued(self->p.client, SIOCOUTQ) > 0 && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	EXPECT_EQ(0, qk_queued(self->p.client, SIOCOUTQ));
	EXPECT_EQ(0, qk_queued(self->p.client, SIOCOUTQNSD));
}

TEST_HARNESS_MAIN
