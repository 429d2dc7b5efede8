// SPDX-License-Identifier: GPL-2.0
/* Which stream sends first: QUIC_SOCKOPT_STREAM_PRIORITY. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

#define LARGE	60000	/* some time at RATE, whatever leaves at once */
#define SMALL	100
#define RATE	40000	/* bytes per second */

FIXTURE(priority) {
	struct qk_pair p;
};

FIXTURE_SETUP(priority)
{
	struct qk_opts opts = { };
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
}

FIXTURE_TEARDOWN(priority)
{
	qk_pair_close(&self->p);
}

static int set_priority(int fd, __s64 id, __u8 urgency, __u8 incremental)
{
	struct quic_stream_priority info = {
		.stream_id = id, .urgency = urgency, .incremental = incremental,
	};

	return qk_set(fd, QUIC_SOCKOPT_STREAM_PRIORITY, &info, sizeof(info));
}

static int get_priority(int fd, struct quic_stream_priority *info)
{
	socklen_t len = sizeof(*info);

	return qk_get(fd, QUIC_SOCKOPT_STREAM_PRIORITY, info, &len);
}

QUIC_TEST_F(priority, values_by_table)
{
	static const struct row {
		struct quic_stream_priority info;
		int ret;
	} rows[] = {
		{ { 0, 0, 0, { } }, 0 },
		{ { 0, 7, 1, { } }, 0 },
		{ { 0, 8, 1, { } }, -EINVAL },
		{ { 0, 255, 1, { } }, -EINVAL },
		{ { 0, 3, 2, { } }, -EINVAL },
		{ { 0, 3, 1, { 1 } }, -EINVAL },
		{ { 0, 3, 1, { 0, 0, 0, 0, 0, 1 } }, -EINVAL },
		/* Of nobody yet, of the peer but not opened, no number of a stream. */
		{ { 4, 3, 1, { } }, -EINVAL },
		{ { 1, 3, 1, { } }, -EINVAL },
		{ { -1, 3, 1, { } }, -EINVAL },
		{ { INT64_MIN, 3, 1, { } }, -EINVAL },
		/* An own one that only sends. */
		{ { 2, 5, 0, { } }, 0 },
	};
	size_t i;

	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW, "a", 1, 0));
	ASSERT_EQ(1, qk_send(self->p.client, 2, NEW, "a", 1, 0));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct quic_stream_priority now = { .stream_id = rows[i].info.stream_id };
		int ret = qk_set(self->p.client, QUIC_SOCKOPT_STREAM_PRIORITY, &rows[i].info,
				 sizeof(rows[i].info));

		EXPECT_EQ(rows[i].ret, ret) {
			TH_LOG("row %zu", i);
		}
		if (rows[i].ret)
			continue;
		EXPECT_EQ(0, get_priority(self->p.client, &now));
		EXPECT_EQ(0, memcmp(&now, &rows[i].info, sizeof(now))) {
			TH_LOG("row %zu", i);
		}
	}
}

QUIC_TEST_F(priority, a_stream_has_one_from_the_beginning_and_none_at_the_receiver)
{
	struct quic_stream_priority info = { .stream_id = 2 };
	struct qk_item it;
	char buf[4];

	ASSERT_EQ(1, qk_send(self->p.client, 2, NEW, "a", 1, 0));
	ASSERT_EQ(1, qk_recv(self->p.server, &it, buf, sizeof(buf), 0));
	EXPECT_EQ(0, get_priority(self->p.client, &info));
	EXPECT_EQ(3, info.urgency);
	EXPECT_EQ(1, info.incremental);
	EXPECT_EQ(-EINVAL, get_priority(self->p.server, &info));
	EXPECT_EQ(-EINVAL, set_priority(self->p.server, 2, 0, 1));
	/* The server's half of a bidirectional one is its own matter. */
	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW, "a", 1, 0));
	ASSERT_EQ(1, qk_recv(self->p.server, &it, buf, sizeof(buf), 0));
	EXPECT_EQ(0, set_priority(self->p.server, 0, 6, 0));
	info.stream_id = 0;
	EXPECT_EQ(0, get_priority(self->p.client, &info));
	EXPECT_EQ(3, info.urgency);
}

/* The id of the stream whose end is read first, of two. */
static __s64 first_to_end(int fd)
{
	static char buf[LARGE];
	struct qk_item it;
	__s64 first = -1;
	int ended = 0;

	while (ended < 2) {
		ssize_t ret = qk_recv(fd, &it, buf, sizeof(buf), 0);

		if (ret < 0)
			return ret;
		if (!(it.stream_flags & FIN))
			continue;
		if (!ended++)
			first = it.stream_id;
	}
	return first;
}

/* A large stream, paced, with a small one behind it. */
QUIC_TEST_F(priority, the_order_of_two_streams_by_table)
{
	static const struct row {
		__u8 incremental;	/* of the large one, whose urgency is 3 */
		__u8 urgency;		/* of the small one */
		bool is_small_first;
	} rows[] = {
		{ 1, 3, true },
		{ 0, 3, false },
		{ 0, 2, true },
		{ 1, 2, true },
		{ 1, 4, false },
		{ 0, 4, false },
	};
	static const char bytes[LARGE];
	unsigned int rate = RATE;
	size_t i;

	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_MAX_PACING_RATE, &rate,
				sizeof(rate)));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		__s64 large = -1, small = -1;

		ASSERT_EQ(0, qk_open(self->p.client, &large, 0));
		ASSERT_EQ(0, qk_open(self->p.client, &small, 0));
		ASSERT_EQ(0, set_priority(self->p.client, large, 3, rows[i].incremental));
		ASSERT_EQ(0, set_priority(self->p.client, small, rows[i].urgency, 1));
		ASSERT_EQ(LARGE, qk_send(self->p.client, large, FIN, bytes, LARGE, 0));
		ASSERT_EQ(SMALL, qk_send(self->p.client, small, FIN, bytes, SMALL, 0));
		EXPECT_EQ(rows[i].is_small_first ? small : large, first_to_end(self->p.server)) {
			TH_LOG("row %zu", i);
		}
	}
}

/* What waits is moved, too. */
QUIC_TEST_F(priority, waiting_data_goes_by_the_new_priority)
{
	static const char bytes[LARGE];
	__s64 large = -1, small = -1;
	unsigned int rate = RATE;

	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_MAX_PACING_RATE, &rate,
				sizeof(rate)));
	ASSERT_EQ(0, qk_open(self->p.client, &large, 0));
	ASSERT_EQ(0, qk_open(self->p.client, &small, 0));
	ASSERT_EQ(0, set_priority(self->p.client, small, 7, 1));
	ASSERT_EQ(LARGE, qk_send(self->p.client, large, FIN, bytes, LARGE, 0));
	ASSERT_EQ(SMALL, qk_send(self->p.client, small, FIN, bytes, SMALL, 0));
	ASSERT_EQ(0, set_priority(self->p.client, small, 0, 1));
	EXPECT_EQ(small, first_to_end(self->p.server));
}

TEST_HARNESS_MAIN
