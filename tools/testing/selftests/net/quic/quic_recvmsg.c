// SPDX-License-Identifier: GPL-2.0
/* recvmsg(): what one call returns, PEEK, partial reads, control buffers. */
#include <sys/time.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

FIXTURE(receiving) {
	struct qk_pair p;
};

FIXTURE_VARIANT(receiving) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(receiving, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(receiving, v6) { QK_V6 };

FIXTURE_SETUP(receiving)
{
	struct qk_opts opts = { .family = variant->family };
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
}

FIXTURE_TEARDOWN(receiving)
{
	qk_pair_close(&self->p);
}

/* Wait until all of a stream is there, so that reads do not depend on timing. */
static int settle(struct qk_pair *p, __s64 id, const void *data, size_t len)
{
	int ret = qk_event(p->server, QUIC_EVENT_STREAM_UPDATE, 1);

	if (!ret)
		ret = qk_send(p->client, id, NEW | FIN, data, len, 0);
	if (ret >= 0)
		ret = ret == (int)len ? 0 : -EMSGSIZE;
	if (!ret)
		ret = qk_wait(p->server, POLLIN);
	return ret < 0 ? ret : 0;
}

QUIC_TEST_F(receiving, a_short_buffer_leaves_the_rest)
{
	struct qk_item it;
	char buf[16];

	ASSERT_EQ(10, qk_send(self->p.client, 0, NEW | FIN, "0123456789", 10, 0));
	ASSERT_EQ(4, qk_next(self->p.server, &it, buf, 4));
	EXPECT_EQ(QK_STREAM, it.kind);
	EXPECT_EQ(0, it.stream_flags);
	EXPECT_EQ(0, memcmp(buf, "0123", 4));
	ASSERT_EQ(6, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(FIN, it.stream_flags);
	EXPECT_EQ(0, memcmp(buf, "456789", 6));
}

QUIC_TEST_F(receiving, peek_leaves_everything)
{
	struct qk_item it;
	char buf[16];
	int i;

	ASSERT_EQ(5, qk_send(self->p.client, 0, NEW | FIN, "hello", 5, 0));
	ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
	for (i = 0; i < 3; i++) {
		memset(buf, 0, sizeof(buf));
		ASSERT_EQ(5, qk_recv(self->p.server, &it, buf, sizeof(buf),
				     MSG_PEEK | MSG_DONTWAIT));
		EXPECT_EQ(QK_STREAM, it.kind);
		EXPECT_EQ(0, it.stream_id);
		EXPECT_EQ(FIN, it.stream_flags);
		EXPECT_EQ(0, memcmp(buf, "hello", 5));
	}
	EXPECT_EQ(5, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_TRUE(qk_quiet(self->p.server));
}

QUIC_TEST_F(receiving, an_end_without_data_is_a_read_of_zero_bytes)
{
	struct qk_item it;
	char buf[16];

	ASSERT_EQ(3, qk_send(self->p.client, 0, NEW, "abc", 3, 0));
	ASSERT_EQ(3, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(0, it.stream_flags);
	ASSERT_EQ(0, qk_send(self->p.client, 0, FIN, NULL, 0, 0));
	ASSERT_EQ(0, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_STREAM, it.kind);
	EXPECT_EQ(0, it.stream_id);
	EXPECT_EQ(FIN, it.stream_flags);
}

QUIC_TEST_F(receiving, one_call_returns_one_stream)
{
	struct qk_item it;
	char buf[64];
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(4, qk_send(self->p.client, QK_CLIENT_BIDI(i), NEW | FIN, "data", 4, 0));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(4, qk_next(self->p.server, &it, buf, sizeof(buf)));
		EXPECT_EQ(QK_CLIENT_BIDI(i), it.stream_id);
		EXPECT_EQ(FIN, it.stream_flags);
	}
}

QUIC_TEST_F(receiving, flags_of_an_earlier_receive_do_no_harm)
{
	static const int flags[] = {
		MSG_QUIC_STREAM_FIN, MSG_QUIC_STREAM_NEW, MSG_QUIC_STREAM_UNI,
		MSG_QUIC_DATAGRAM, MSG_QUIC_NOTIFICATION, MSG_EOR, MSG_TRUNC, MSG_NOSIGNAL,
	};
	struct qk_item it;
	char buf[4];
	size_t i;

	ASSERT_EQ(0, settle(&self->p, 0, "0123456789abcdef", 16));
	ASSERT_EQ(0, qk_event(self->p.server, QUIC_EVENT_STREAM_UPDATE, 0));
	do {
		ASSERT_LE(0, qk_recv(self->p.server, &it, buf, 1, MSG_DONTWAIT | MSG_PEEK));
		if (it.kind == QK_EVENT)
			ASSERT_LE(0, qk_recv(self->p.server, &it, buf, 4, MSG_DONTWAIT));
	} while (it.kind == QK_EVENT);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		ASSERT_EQ(1, qk_recv(self->p.server, &it, buf, 1, flags[i] | MSG_DONTWAIT)) {
			TH_LOG("flag %#x", flags[i]);
		}
		EXPECT_EQ("0123456789"[i], buf[0]);
	}
}

QUIC_TEST_F(receiving, without_control_space_the_flags_of_the_message_tell_the_end)
{
	char buf[16], small[CMSG_LEN(0)];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int i;

	for (i = 0; i < 2; i++) {
		msg.msg_control = i ? small : NULL;
		msg.msg_controllen = i ? sizeof(small) : 0;
		msg.msg_flags = 0;
		ASSERT_EQ(2, qk_send(self->p.client, QK_CLIENT_BIDI(i), NEW | FIN, "ab", 2, 0));
		ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
		ASSERT_EQ(2, recvmsg(self->p.server, &msg, MSG_DONTWAIT));
		EXPECT_EQ(MSG_CTRUNC, msg.msg_flags & MSG_CTRUNC);
		EXPECT_EQ(FIN, msg.msg_flags & FIN);
	}
}

QUIC_TEST_F(receiving, read_takes_the_bytes_of_the_next_stream)
{
	char buf[16];

	ASSERT_EQ(2, qk_send(self->p.client, 0, NEW, "ab", 2, 0));
	ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
	ASSERT_EQ(2, read(self->p.server, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "ab", 2));
}

QUIC_TEST_F(receiving, an_empty_queue_waits_as_long_as_told)
{
	struct timeval tv = { .tv_usec = 30000 };
	__s64 start;
	char c;

	EXPECT_EQ(-1, recv(self->p.server, &c, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, setsockopt(self->p.server, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	start = qk_now_ms();
	EXPECT_EQ(-1, recv(self->p.server, &c, 1, 0));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LE(20, qk_now_ms() - start);
}

QUIC_TEST_F(receiving, a_blocked_reader_is_woken_by_data)
{
	char buf[16] = { };
	pid_t child = fork();
	int status;

	ASSERT_LE(0, child);
	if (child == 0) {
		alarm(qk_wait_ms() / 1000);
		_exit(recv(self->p.server, buf, sizeof(buf), 0) == 4 &&
		      !memcmp(buf, "wake", 4) ? 0 : 1);
	}
	EXPECT_EQ(4, qk_send(self->p.client, 0, NEW, "wake", 4, 0));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

QUIC_TEST_F(receiving, a_bad_buffer_is_a_fault_and_loses_nothing)
{
	struct qk_item it;
	char buf[16];

	ASSERT_EQ(5, qk_send(self->p.client, 0, NEW | FIN, "hello", 5, 0));
	ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
	EXPECT_EQ(-EFAULT, qk_recv(self->p.server, &it, (void *)8, 16, MSG_DONTWAIT));
	ASSERT_EQ(5, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
}

QUIC_TEST_F(receiving, what_arrived_before_the_close_can_still_be_read)
{
	struct qk_item it;
	char buf[16];
	ssize_t ret;

	ASSERT_EQ(0, settle(&self->p, 0, "last words", 10));
	ASSERT_EQ(0, qk_event(self->p.server, QUIC_EVENT_STREAM_UPDATE, 0));
	qk_close(&self->p.client);
	ASSERT_LE(0, qk_wait(self->p.server, POLLHUP));
	do {
		ret = qk_recv(self->p.server, &it, buf, sizeof(buf), MSG_DONTWAIT);
	} while (ret > 0 && it.kind == QK_EVENT);
	ASSERT_EQ(10, ret);
	EXPECT_EQ(0, memcmp(buf, "last words", 10));
	do {
		ret = qk_recv(self->p.server, &it, buf, sizeof(buf), MSG_DONTWAIT);
	} while (ret >= 0);
	EXPECT_EQ(-ENOTCONN, ret);
}

TEST_HARNESS_MAIN
