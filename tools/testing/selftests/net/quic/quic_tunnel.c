// SPDX-License-Identifier: GPL-2.0
/* The UDP sockets below: closed by the hundred, and bound while others are closed. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <linux/membarrier.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define SOCKETS	400
#define ROUNDS	200

FIXTURE(tunnel) {
	int fd[SOCKETS];
};

FIXTURE_SETUP(tunnel)
{
	int ret = qk_setup(), i;

	for (i = 0; i < SOCKETS; i++)
		self->fd[i] = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(tunnel)
{
	int i;

	for (i = 0; i < SOCKETS; i++)
		qk_close(&self->fd[i]);
}

struct counter {
	atomic_bool stop;
	int periods;
};

/* RCU's grace periods, one after the other: what synchronize_rcu() waits for. */
static void *count_grace_periods(void *arg)
{
	struct counter *c = arg;

	while (!c->stop) {
		if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
			break;
		c->periods++;
	}
	return NULL;
}

QUIC_TEST_F(tunnel, closing_many_sockets_does_not_wait_for_a_grace_period_each)
{
	struct counter c = { };
	pthread_t thread;
	__s64 start;
	int i;

	/* One processor alone has no grace periods to count. */
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
	    syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		SKIP(return, "grace periods cannot be counted here");
	for (i = 0; i < SOCKETS; i++) {
		self->fd[i] = qk_socket(QK_V4, 0);
		ASSERT_LE(0, self->fd[i]);
		ASSERT_EQ(0, qk_bind_loopback(self->fd[i], QK_V4));
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, count_grace_periods, &c));
	start = qk_now_ms();
	for (i = 0; i < SOCKETS; i++)
		qk_close(&self->fd[i]);
	TH_LOG("%d sockets closed in %lld ms", SOCKETS, qk_now_ms() - start);
	c.stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%d grace periods meanwhile", c.periods);
	/*
	 * If each close waited, most of them would see one pass: 283 were
	 * counted then. A kernel with all its checkers on is slow enough for
	 * some hundred to pass by themselves.
	 */
	EXPECT_LT(c.periods, SOCKETS / 2);
}

struct binder {
	__u16 port;
	int bound;
	int err;
};

static void *bind_again_and_again(void *arg)
{
	struct binder *b = arg;
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, QK_V4, b->port);

	while (b->bound < ROUNDS) {
		int fd = qk_socket(QK_V4, 0);

		if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len)) {
			b->err = errno;
			qk_close(&fd);
			break;
		}
		b->bound++;
		qk_close(&fd);
	}
	return NULL;
}

QUIC_TEST_F(tunnel, a_port_that_others_are_letting_go_of_can_be_bound)
{
	struct binder b[4] = { };
	pthread_t thread[4];
	__u16 port;
	int i;

	self->fd[0] = qk_socket(QK_V4, 0);
	ASSERT_LE(0, self->fd[0]);
	ASSERT_EQ(0, qk_bind_loopback(self->fd[0], QK_V4));
	port = qk_port(self->fd[0]);
	qk_close(&self->fd[0]);
	for (i = 0; i < 4; i++) {
		b[i].port = port;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, bind_again_and_again, &b[i]));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(0, b[i].err);
		EXPECT_EQ(ROUNDS, b[i].bound);
	}
}

struct closer {
	int *fd;
	int closed;
};

static void *close_all(void *arg)
{
	struct closer *c = arg;

	for (c->closed = 0; c->closed < SOCKETS; c->closed++)
		qk_close(&c->fd[c->closed]);
	return NULL;
}

QUIC_TEST_F(tunnel, others_bind_and_connect_while_connected_sockets_close)
{
	struct qk_opts opts = { };
	struct closer c = { .fd = self->fd };
	int listener = qk_listen(&opts), i;
	pthread_t thread;
	__s64 start;

	ASSERT_LE(0, listener);
	for (i = 0; i < SOCKETS; i++) {
		self->fd[i] = qk_connect(&opts, qk_port(listener));
		ASSERT_LE(0, self->fd[i]);
	}
	start = qk_now_ms();
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_all, &c));
	for (i = 0; i < 20; i++) {
		int other = qk_connect(&opts, qk_port(listener));

		ASSERT_LE(0, other);
		qk_close(&other);
	}
	TH_LOG("20 connected and closed in %lld ms", qk_now_ms() - start);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%d sockets closed in %lld ms", c.closed, qk_now_ms() - start);
	qk_close(&listener);
}

TEST_HARNESS_MAIN
