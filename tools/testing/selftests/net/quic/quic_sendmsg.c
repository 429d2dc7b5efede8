// SPDX-License-Identifier: GPL-2.0
/* sendmsg(): flags and lengths by table, the active stream, blocking. */
#include <signal.h>
#include <sys/time.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

FIXTURE(sending) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_VARIANT(sending) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(sending, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(sending, v6) { QK_V6 };

FIXTURE_SETUP(sending)
{
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
}

FIXTURE_TEARDOWN(sending)
{
	qk_pair_close(&self->p);
}

/* Every bit that sendmsg() may be given; one that is not here is refused. */
#define ACCEPTED	(MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN | MSG_QUIC_STREAM_UNI | \
			 MSG_QUIC_STREAM_DONTWAIT | MSG_QUIC_STREAM_SNDBLOCK | \
			 MSG_QUIC_DATAGRAM | MSG_BATCH | MSG_MORE | MSG_DONTWAIT | \
			 MSG_NOSIGNAL | MSG_WAITALL)
/* Bits that the socket layer itself treats before a protocol sees them. */
#define CORE		(MSG_CMSG_CLOEXEC | 0x8000000 | 0x100000 | 0x80000)

QUIC_TEST_F(sending, a_flag_of_another_protocol_is_refused)
{
	int bit;

	for (bit = 0; bit < 31; bit++) {
		int flag = 1 << bit;

		if (flag & (ACCEPTED | CORE))
			continue;
		EXPECT_EQ(-1, send(self->p.client, "x", 1,
				   flag | MSG_QUIC_STREAM_NEW | MSG_NOSIGNAL));
		EXPECT_EQ(EINVAL, errno) {
			TH_LOG("flag %#x", flag);
		}
	}
	/* None of them opened a stream. */
	EXPECT_EQ(1, send(self->p.client, "x", 1, MSG_QUIC_STREAM_NEW));
	EXPECT_EQ(-EINVAL, qk_send(self->p.client, QK_CLIENT_BIDI(0), MSG_QUIC_STREAM_NEW,
				   "x", 1, 0));
}

struct row {
	const char *what;
	__s64 id;
	__u32 stream_flags;
	size_t len;
	int ret;
};

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN
#define UNI	MSG_QUIC_STREAM_UNI

/* Run from top to bottom on the client of one connection. */
static const struct row rows[] = {
	{ "no such stream", 0, 0, 1, -EINVAL },
	{ "next id without NEW", -1, 0, 1, -EINVAL },
	{ "unknown stream flag", 0, NEW | 0x4, 1, -EINVAL },
	{ "message flag as stream flag", 0, NEW | MSG_DONTWAIT, 1, -EINVAL },
	{ "nothing to send", 0, NEW, 0, -EMSGSIZE },
	{ "peer's bidi, not open", 1, 0, 1, -EINVAL },
	{ "peer's bidi is not ours to open", 1, NEW, 1, -EINVAL },
	{ "peer's uni is read only", 3, NEW, 1, -EINVAL },
	{ "negative id", -2, NEW, 1, -EINVAL },
	{ "id beyond 62 bits", INT64_MAX - 3, NEW | MSG_QUIC_STREAM_DONTWAIT, 1, -EINVAL },
	{ "open", 0, NEW, 1, 1 },
	{ "again", 0, NEW, 1, -EINVAL },
	{ "more", 0, 0, 3, 3 },
	{ "end with data", 0, FIN, 2, 2 },
	{ "after the end", 0, 0, 1, -EINVAL },
	{ "end again", 0, FIN, 0, -EINVAL },
	{ "open and end in one", 4, NEW | FIN, 1, 1 },
	{ "open and end without data", 8, NEW | FIN, 0, 0 },
	{ "skip to a later one", 20, NEW, 1, 1 },
	{ "the lower ones are open, too", 16, 0, 1, 1 },
	{ "a skipped one still takes NEW", 12, NEW, 1, 1 },
	{ "-1 is the active stream, which is open", -1, NEW | UNI, 1, -EINVAL },
	{ "uni by id", 6, NEW, 1, 1 },
	{ "the lower uni is open, too", 2, 0, 1, 1 },
};

QUIC_TEST_F(sending, streams_and_lengths_by_table)
{
	char buf[16] = "0123456789";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ssize_t ret = qk_send(self->p.client, rows[i].id, rows[i].stream_flags, buf,
				      rows[i].len, 0);

		EXPECT_EQ(rows[i].ret, ret) {
			TH_LOG("%s", rows[i].what);
		}
	}
}

QUIC_TEST_F(sending, the_server_opens_its_own_kinds)
{
	struct qk_item it;
	__s64 id = -1;
	char buf[4];

	EXPECT_EQ(-EINVAL, qk_send(self->p.server, 0, NEW, "x", 1, 0));
	EXPECT_EQ(-EINVAL, qk_send(self->p.server, 2, NEW, "x", 1, 0));
	EXPECT_EQ(1, qk_send(self->p.server, -1, NEW, "b", 1, 0));
	ASSERT_EQ(1, qk_next(self->p.client, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_SERVER_BIDI(0), it.stream_id);
	ASSERT_EQ(0, qk_open(self->p.server, &id, UNI));
	EXPECT_EQ(1, qk_send(self->p.server, id, 0, "u", 1, 0));
	ASSERT_EQ(1, qk_next(self->p.client, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_SERVER_UNI(0), it.stream_id);
}

QUIC_TEST_F(sending, without_control_message_the_flags_of_the_call_count)
{
	struct qk_item it;
	char buf[16];

	ASSERT_EQ(3, send(self->p.client, "abc", 3, NEW | UNI | FIN));
	ASSERT_EQ(3, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_CLIENT_UNI(0), it.stream_id);
	EXPECT_EQ(FIN, it.stream_flags);
}

QUIC_TEST_F(sending, the_active_stream_takes_plain_writes)
{
	struct qk_item it;
	char buf[16];
	__s64 id = -1;

	EXPECT_EQ(-1, send(self->p.client, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, qk_open(self->p.client, &id, 0));
	EXPECT_EQ(0, id);
	ASSERT_EQ(4, write(self->p.client, "ping", 4));
	ASSERT_EQ(4, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(0, it.stream_id);
	/* On the server the stream that the client opened is the active one. */
	ASSERT_EQ(4, write(self->p.server, "pong", 4));
	ASSERT_EQ(4, qk_next(self->p.client, &it, buf, sizeof(buf)));
	EXPECT_EQ(0, it.stream_id);
	EXPECT_EQ(0, memcmp(buf, "pong", 4));
}

/* Fill until the socket takes no more; returns the errno that ended it. */
static int fill(int fd, bool with_cmsg, size_t *total)
{
	static char buf[65536];
	ssize_t ret;

	*total = 0;
	do {
		if (with_cmsg) {
			ret = qk_send(fd, 0, 0, buf, sizeof(buf), MSG_DONTWAIT);
			/* The buffer may be full before the credit is used up. */
			if (ret == -EAGAIN && qk_wait(fd, POLLOUT) > 0)
				continue;
		} else {
			ret = send(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
			ret = ret < 0 ? -errno : ret;
		}
		if (ret > 0)
			*total += ret;
	} while (ret > 0 || (ret == -EAGAIN && with_cmsg));
	return ret;
}

QUIC_TEST_F(sending, credit_of_the_stream_ends_what_can_be_sent)
{
	struct quic_transport_param param = { .max_stream_data_bidi_remote = 20000 };
	struct timeval tv = { .tv_usec = 20000 };
	size_t total, more;

	qk_pair_close(&self->p);
	self->opts.server_param = &param;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW, "x", 1, 0));
	/* ENOSPC with a stream named, so that a program goes on with another. */
	EXPECT_EQ(-ENOSPC, fill(self->p.client, true, &total));
	EXPECT_EQ(19999, total);
	EXPECT_EQ(-EAGAIN, fill(self->p.client, false, &more));
	EXPECT_EQ(0, more);
	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	EXPECT_EQ(-1, send(self->p.client, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EAGAIN, errno);
	/* Another stream has credit of its own. */
	EXPECT_EQ(1, qk_send(self->p.client, 4, NEW, "x", 1, MSG_DONTWAIT));
}

/* The second write fills the window, or would overfill it: what was held back must leave. */
QUIC_TEST_F(sending, more_holds_bytes_back_until_the_window_is_full)
{
	struct quic_transport_param param = { .max_stream_data_bidi_remote = 20000 };
	static const size_t second[] = { 19900, 30000 };
	static char buf[30000];
	size_t i;

	qk_pair_close(&self->p);
	self->opts.server_param = &param;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	for (i = 0; i < ARRAY_SIZE(second); i++) {
		__s64 id = QK_CLIENT_BIDI(i);
		size_t got = 0;

		ASSERT_EQ(100, qk_send(self->p.client, id, NEW, buf, 100, MSG_MORE));
		EXPECT_EQ(100, qk_queued(self->p.client, SIOCOUTQNSD));
		EXPECT_EQ(true, qk_quiet(self->p.server));
		EXPECT_EQ(19900, qk_send(self->p.client, id, 0, buf, second[i],
					 MSG_MORE | MSG_DONTWAIT));
		while (got < 20000) {
			struct qk_item it;
			ssize_t n = qk_next(self->p.server, &it, buf, sizeof(buf));

			ASSERT_LT(0, n);
			got += n;
		}
	}
}

static bool sigpipe_pending(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGPIPE);
}

QUIC_TEST_F(sending, a_closed_socket_raises_sigpipe_unless_told_not_to)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, shutdown(self->p.client, SHUT_RDWR));
	EXPECT_EQ(-1, send(self->p.client, "x", 1, NEW | MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_FALSE(sigpipe_pending());
	EXPECT_EQ(-1, send(self->p.client, "x", 1, NEW));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_TRUE(sigpipe_pending());
}

QUIC_TEST_F(sending, a_bad_buffer_is_a_fault_and_sends_nothing)
{
	EXPECT_EQ(-EFAULT, qk_send(self->p.client, 0, NEW | FIN, (void *)8, 100, 0));
	EXPECT_TRUE(qk_quiet(self->p.server));
	EXPECT_EQ(1, qk_send(self->p.client, 4, NEW, "x", 1, 0));
}

QUIC_TEST_F(sending, credit_of_the_connection_ends_it_for_every_stream)
{
	struct quic_transport_param param = { .max_data = 20000 };
	size_t total, more;

	qk_pair_close(&self->p);
	self->opts.server_param = &param;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW, "x", 1, 0));
	ASSERT_EQ(1, qk_send(self->p.client, 4, NEW, "x", 1, 0));
	EXPECT_EQ(-ENOSPC, fill(self->p.client, true, &total));
	EXPECT_EQ(19998, total);
	EXPECT_EQ(-ENOSPC, qk_send(self->p.client, 4, 0, "x", 1, MSG_DONTWAIT));
	EXPECT_EQ(-EAGAIN, fill(self->p.client, false, &more));
	/* A stream can be opened and ended without credit. */
	EXPECT_EQ(0, qk_send(self->p.client, 8, NEW | FIN, NULL, 0, MSG_DONTWAIT));
}

QUIC_TEST_F(sending, handshake_messages_and_datagrams_raise_no_signal)
{
	struct { struct cmsghdr hdr; __u8 level; } control = {
		.hdr = { .cmsg_len = CMSG_LEN(1), .cmsg_level = SOL_QUIC,
			 .cmsg_type = QUIC_HANDSHAKE_INFO },
		.level = QUIC_CRYPTO_APP,
	};
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, shutdown(self->p.client, SHUT_RDWR));
	EXPECT_EQ(-1, sendmsg(self->p.client, &msg, 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(-1, send(self->p.client, "x", 1, MSG_QUIC_DATAGRAM));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_FALSE(sigpipe_pending());
}

TEST_HARNESS_MAIN
