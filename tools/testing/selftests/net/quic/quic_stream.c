// SPDX-License-Identifier: GPL-2.0
/* Opening streams: STREAM_OPEN, limits on their number, both directions. */
#include <sys/time.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN
#define UNI	MSG_QUIC_STREAM_UNI
#define DONTWAIT	MSG_QUIC_STREAM_DONTWAIT

FIXTURE(stream) {
	struct qk_pair p;
};

FIXTURE_VARIANT(stream) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(stream, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(stream, v6) { QK_V6 };
FIXTURE_VARIANT_ADD(stream, mapped) { QK_MAPPED };

/* Limits small enough to run into. */
static const struct quic_transport_param few = {
	.max_streams_bidi = 3,
	.max_streams_uni = 2,
};

FIXTURE_SETUP(stream)
{
	struct qk_opts opts = {
		.family = variant->family,
		.client_param = &few,
		.server_param = &few,
		.client_events = 1u << QUIC_EVENT_STREAM_MAX_STREAM,
	};
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
}

FIXTURE_TEARDOWN(stream)
{
	qk_pair_close(&self->p);
}

struct row {
	const char *what;
	__s64 id;
	__u32 flags;
	int ret;
	__s64 opened;
};

/* Run from top to bottom on the client; three bidi and two uni are allowed. */
static const struct row rows[] = {
	{ "unknown flag", -1, 0x8, -EINVAL, 0 },
	{ "peer's bidi", 1, 0, -EINVAL, 0 },
	{ "peer's uni", 3, 0, -EINVAL, 0 },
	{ "negative", -5, 0, -EINVAL, 0 },
	{ "next bidi", -1, 0, 0, 0 },
	{ "an open one without data", 0, 0, 0, 0 },
	{ "by id", 4, 0, 0, 4 },
	{ "by id with NEW", 4, NEW, 0, 4 },
	{ "first uni", -1, UNI, 0, 2 },
	{ "last uni by id", 6, 0, 0, 6 },
	{ "above the limit", 12, DONTWAIT, -EAGAIN, 0 },
	{ "far above the limit", 4000, DONTWAIT, -EAGAIN, 0 },
	{ "uni above the limit", 10, DONTWAIT, -EAGAIN, 0 },
	{ "the last one allowed", 8, DONTWAIT, 0, 8 },
};

QUIC_TEST_F(stream, open_by_table)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		__s64 id = rows[i].id;
		int ret = qk_open(self->p.client, &id, rows[i].flags);

		EXPECT_EQ(rows[i].ret, ret) {
			TH_LOG("%s", rows[i].what);
		}
		if (!ret) {
			EXPECT_EQ(rows[i].opened, id) {
				TH_LOG("%s", rows[i].what);
			}
		}
	}
}

QUIC_TEST_F(stream, open_tells_the_flags_and_the_size)
{
	struct quic_stream_info info = { .stream_id = -1, .stream_flags = UNI };
	socklen_t len = sizeof(info);

	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_STREAM_OPEN, &info, &len));
	EXPECT_EQ(16, len);
	EXPECT_EQ(2, info.stream_id);
	EXPECT_EQ(NEW | UNI, info.stream_flags);
}

QUIC_TEST_F(stream, opening_sends_nothing)
{
	__s64 id = -1;

	ASSERT_EQ(0, qk_open(self->p.client, &id, 0));
	EXPECT_TRUE(qk_quiet(self->p.server));
	/* The other side does not know the stream yet. */
	EXPECT_EQ(-EINVAL, qk_send(self->p.server, 0, 0, "x", 1, 0));
}

QUIC_TEST_F(stream, a_stream_that_carried_data_is_not_opened_again)
{
	__s64 id = 0;

	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW, "x", 1, 0));
	EXPECT_EQ(-EINVAL, qk_open(self->p.client, &id, 0));
}

QUIC_TEST_F(stream, data_flows_both_ways_on_a_bidi_stream)
{
	struct qk_item it;
	char buf[16];

	ASSERT_EQ(4, qk_send(self->p.client, 0, NEW | FIN, "ping", 4, 0));
	ASSERT_EQ(4, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(FIN, it.stream_flags);
	ASSERT_EQ(4, qk_send(self->p.server, it.stream_id, FIN, "pong", 4, 0));
	do {
		ASSERT_LE(0, qk_next(self->p.client, &it, buf, sizeof(buf)));
	} while (it.kind == QK_EVENT);
	EXPECT_EQ(QK_STREAM, it.kind);
	EXPECT_EQ(0, it.stream_id);
	EXPECT_EQ(FIN, it.stream_flags);
	EXPECT_EQ(0, memcmp(buf, "pong", 4));
}

QUIC_TEST_F(stream, a_uni_stream_goes_one_way)
{
	struct qk_item it;
	char buf[16];

	ASSERT_EQ(2, qk_send(self->p.client, -1, NEW | UNI, "up", 2, 0));
	ASSERT_EQ(2, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_CLIENT_UNI(0), it.stream_id);
	EXPECT_EQ(-EINVAL, qk_send(self->p.server, it.stream_id, 0, "no", 2, 0));
	EXPECT_EQ(-EINVAL, qk_send(self->p.server, it.stream_id, FIN, NULL, 0, 0));
}

QUIC_TEST_F(stream, send_above_the_limit_waits_as_long_as_told)
{
	struct timeval tv = { .tv_usec = 20000 };

	EXPECT_EQ(-EAGAIN, qk_send(self->p.client, 12, NEW | DONTWAIT, "x", 1, 0));
	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	EXPECT_EQ(-EAGAIN, qk_send(self->p.client, 12, NEW, "x", 1, 0));
	/* Neither of them opened anything. */
	EXPECT_EQ(-EINVAL, qk_send(self->p.client, 8, 0, "x", 1, 0));
}

/* The client reads the end that the server has written. */
static int read_end(struct qk_pair *p)
{
	struct qk_item it;
	char buf[16];
	ssize_t ret;

	do
		ret = qk_next(p->client, &it, buf, sizeof(buf));
	while (ret >= 0 && it.kind != QK_STREAM);
	if (ret < 0)
		return ret;
	return it.stream_flags & FIN ? 0 : -EBADMSG;
}

/* Use one stream up: both ways, both ends, read and acknowledged. */
static int use_up(struct qk_pair *p, __s64 id)
{
	struct qk_item it;
	char buf[16];
	ssize_t ret = qk_send(p->client, id, NEW | FIN, "done", 4, 0);

	if (ret == 4)
		ret = qk_next(p->server, &it, buf, sizeof(buf));
	if (ret == 4)
		ret = qk_send(p->server, id, FIN, "done", 4, 0);
	return ret < 0 ? ret : read_end(p);
}

/* The server reads a stream to its end and ends it, which the client reads. */
static int echo_end(struct qk_pair *p, __s64 id)
{
	struct qk_item it;
	char buf[16];
	ssize_t ret;

	do
		ret = qk_next(p->server, &it, buf, sizeof(buf));
	while (ret >= 0 && (it.stream_id != id || !(it.stream_flags & FIN)));
	if (ret >= 0)
		ret = qk_send(p->server, id, FIN, "done", 4, 0);
	return ret < 0 ? ret : read_end(p);
}

QUIC_TEST_F(stream, the_limit_moves_as_streams_end)
{
	int i;

	/* Ten times as many as the limit allows at once. */
	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0, use_up(&self->p, QK_CLIENT_BIDI(i))) {
			TH_LOG("stream number %d", i);
		}
	}
}

QUIC_TEST_F(stream, a_stream_that_ended_is_gone)
{
	ASSERT_EQ(0, use_up(&self->p, 0));
	ASSERT_EQ(0, use_up(&self->p, 4));
	EXPECT_EQ(-ENOSTR, qk_send(self->p.client, 0, 0, "x", 1, 0));
	EXPECT_EQ(-ENOSTR, qk_send(self->p.client, 0, FIN, "x", 1, 0));
}

QUIC_TEST_F(stream, a_sender_waiting_for_the_limit_is_woken)
{
	pid_t child = fork();
	int status, i, seen = 0;

	ASSERT_LE(0, child);
	if (child == 0) {
		alarm(qk_wait_ms() / 1000);
		_exit(qk_send(self->p.client, QK_CLIENT_UNI(2), NEW, "x", 1, 0) == 1 ? 0 : 1);
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, qk_send(self->p.client, QK_CLIENT_UNI(i), NEW | FIN, "x", 1, 0));
	/* The child sends the third, once one of the first two is read. */
	for (i = 0; i < 3; i++) {
		struct qk_item it;
		char buf[4];

		ASSERT_EQ(1, qk_next(self->p.server, &it, buf, sizeof(buf)));
		seen |= 1 << it.stream_id / 4;
	}
	EXPECT_EQ(7, seen);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

FIXTURE(many) {
	struct qk_pair p;
};

FIXTURE_SETUP(many)
{
	struct timeval limit = { .tv_sec = qk_wait_ms() / 1000 };
	struct qk_opts opts = {};
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
}

FIXTURE_TEARDOWN(many)
{
	qk_pair_close(&self->p);
}

QUIC_TEST_F(many, one_stream_that_ended_makes_room_for_one)
{
	ASSERT_EQ(0, use_up(&self->p, QK_CLIENT_BIDI(0)));
	/* All that the limit of the beginning allows, and none of them ends. */
	ASSERT_EQ(1, qk_send(self->p.client, QK_CLIENT_BIDI(99), NEW, "x", 1, 0));
	EXPECT_EQ(1, qk_send(self->p.client, QK_CLIENT_BIDI(100), NEW, "x", 1, 0));
	EXPECT_EQ(-EAGAIN,
		  qk_send(self->p.client, QK_CLIENT_BIDI(101), NEW | DONTWAIT, "x", 1, 0));
}

QUIC_TEST_F(many, plain_sends_open_one_stream_after_the_other)
{
	struct qk_item it;
	char buf[8];
	int i;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(1, send(self->p.client, "x", 1, NEW | FIN)) {
			TH_LOG("stream number %d: %s", i, strerror(errno));
		}
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(1, qk_next(self->p.server, &it, buf, sizeof(buf)));
		EXPECT_EQ(QK_CLIENT_BIDI(i), it.stream_id);
		EXPECT_EQ(FIN, it.stream_flags);
	}
}

QUIC_TEST_F(many, at_the_limit_each_end_brings_the_next_stream_with_it)
{
	int i;

	ASSERT_EQ(1, qk_send(self->p.client, QK_CLIENT_BIDI(98), NEW, "x", 1, 0));
	for (i = 99; i < 150; i++) {
		ASSERT_EQ(1, qk_send(self->p.client, QK_CLIENT_BIDI(i), NEW | DONTWAIT, "x", 1,
				     0)) {
			TH_LOG("stream number %d", i);
		}
		ASSERT_EQ(0, qk_send(self->p.client, QK_CLIENT_BIDI(i), FIN, "", 0, 0));
		ASSERT_EQ(0, echo_end(&self->p, QK_CLIENT_BIDI(i)));
	}
}

TEST_HARNESS_MAIN
