// SPDX-License-Identifier: GPL-2.0
/*
 * The kinds of items that recvmsg() returns: their order, and what a short
 * buffer, MSG_PEEK and too little control space do to each.
 */
#include <sys/ioctl.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

FIXTURE(kind) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_SETUP(kind)
{
	static const struct quic_transport_param param = { .max_datagram_frame_size = 1400 };
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->opts.client_param = &param;
	self->opts.server_param = &param;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(kind)
{
	qk_pair_close(&self->p);
}

static ssize_t datagram(int fd, const char *text)
{
	ssize_t ret = send(fd, text, strlen(text), MSG_QUIC_DATAGRAM);

	return ret < 0 ? -errno : ret;
}

/* Wait until all that was sent has left, and what can be acknowledged is. */
static bool settled(int fd)
{
	__s64 start = qk_now_ms();
	int left = -1;

	while (!ioctl(fd, SIOCOUTQ, &left) && left && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 1);
	return !left;
}

QUIC_TEST_F(kind, events_come_before_data_and_data_in_the_order_of_its_arrival)
{
	static const struct {
		enum qk_kind kind;
		__s64 id;
		const char *text;
	} want[] = {
		{ QK_STREAM, 0, "one" },
		{ QK_DATAGRAM, -1, "two" },
		{ QK_STREAM, 4, "three" },
		{ QK_STREAM, 0, "four" },
		{ QK_DATAGRAM, -1, "five" },
	};
	struct qk_item it;
	char buf[64];
	size_t i;

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		ssize_t len = strlen(want[i].text);

		ASSERT_EQ(len, want[i].kind == QK_DATAGRAM ?
			       datagram(self->p.client, want[i].text) :
			       qk_send(self->p.client, want[i].id, i == 3 ? 0 : NEW, want[i].text,
				       len, 0));
		ASSERT_TRUE(settled(self->p.client));
	}
	/* An event that comes last is read first. */
	ASSERT_EQ(0, qk_event(self->p.server, QUIC_EVENT_STREAM_UPDATE, 1));
	ASSERT_EQ(0, qk_send(self->p.client, 4, FIN, NULL, 0, 0));
	do {
		ASSERT_LE(0, qk_recv(self->p.server, &it, buf, sizeof(buf),
				     MSG_DONTWAIT | MSG_PEEK));
	} while (it.kind != QK_EVENT);
	ASSERT_EQ(1 + (ssize_t)sizeof(struct quic_stream_update),
		  qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_EVENT, it.kind);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		memset(buf, 0, sizeof(buf));
		ASSERT_LT(0, qk_next(self->p.server, &it, buf, sizeof(buf)));
		EXPECT_EQ(want[i].kind, it.kind) {
			TH_LOG("item %zu", i);
		}
		EXPECT_EQ(want[i].id, it.stream_id);
		EXPECT_STREQ(want[i].text, buf);
	}
	ASSERT_EQ(0, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(FIN, it.stream_flags);
}

/* Whoever runs the handshake must see its messages, whatever else there is. */
QUIC_TEST_F(kind, handshake_messages_come_before_events)
{
	struct qk_item it;
	char buf[128];

	self->opts.server_events = 1u << QUIC_EVENT_CONNECTION_CLOSE;
	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	ASSERT_EQ(5, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, "again", 5, 0));
	qk_close(&self->p.client);
	ASSERT_LE(0, qk_wait(self->p.server, POLLHUP));
	ASSERT_EQ(5, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_HANDSHAKE, it.kind);
	EXPECT_EQ(QUIC_CRYPTO_INITIAL, it.level);
	ASSERT_EQ(1 + (ssize_t)sizeof(struct quic_connection_close),
		  qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_EVENT, it.kind);
	EXPECT_EQ(-ENOTCONN, qk_recv(self->p.server, &it, buf, sizeof(buf), MSG_DONTWAIT));
}

QUIC_TEST_F(kind, a_handshake_message_is_read_in_parts_each_with_its_level)
{
	struct qk_item it;
	char buf[16] = { };
	size_t done;

	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	self->p.client = qk_connect(&self->opts, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	ASSERT_EQ(10, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, "0123456789", 10, 0));
	self->p.server = qk_accept(self->p.listener);
	ASSERT_LE(0, self->p.server);
	/* Looking changes nothing. */
	ASSERT_EQ(10, qk_recv(self->p.server, &it, buf, sizeof(buf), MSG_PEEK));
	EXPECT_EQ(MSG_EOR, it.msg_flags & (MSG_EOR | MSG_TRUNC));
	for (done = 0; done < 10; done += 5) {
		ASSERT_EQ(5, qk_recv(self->p.server, &it, buf + done, 5, MSG_DONTWAIT));
		EXPECT_EQ(QK_HANDSHAKE, it.kind);
		EXPECT_EQ(QUIC_CRYPTO_INITIAL, it.level);
		EXPECT_EQ(1, it.cmsgs);
		EXPECT_EQ(done ? MSG_EOR : 0, it.msg_flags & (MSG_EOR | MSG_TRUNC));
	}
	EXPECT_EQ(0, memcmp(buf, "0123456789", 10));
	EXPECT_TRUE(qk_quiet(self->p.server));
}

QUIC_TEST_F(kind, a_datagram_is_looked_at_and_read_in_parts)
{
	struct qk_item it;
	char buf[16];
	int i;

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(7, datagram(self->p.client, "abcdefg"));
	ASSERT_EQ(2, datagram(self->p.client, "xy"));
	ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(7, qk_recv(self->p.server, &it, buf, sizeof(buf),
				     MSG_PEEK | MSG_DONTWAIT));
		EXPECT_EQ(QK_DATAGRAM, it.kind);
		EXPECT_EQ(0, it.cmsgs);
		EXPECT_EQ(MSG_EOR, it.msg_flags & (MSG_EOR | MSG_TRUNC));
	}
	/* Nothing of it is thrown away for want of room, and none of the next one comes with it. */
	ASSERT_EQ(4, qk_recv(self->p.server, &it, buf, 4, MSG_DONTWAIT));
	EXPECT_EQ(QK_DATAGRAM, it.kind);
	EXPECT_EQ(0, it.msg_flags & (MSG_EOR | MSG_TRUNC));
	ASSERT_EQ(3, qk_recv(self->p.server, &it, buf + 4, sizeof(buf) - 4, MSG_DONTWAIT));
	EXPECT_EQ(MSG_EOR, it.msg_flags & (MSG_EOR | MSG_TRUNC));
	EXPECT_EQ(0, memcmp(buf, "abcdefg", 7));
	ASSERT_EQ(2, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_DATAGRAM, it.kind);
}

QUIC_TEST_F(kind, an_event_that_is_looked_at_stays)
{
	struct qk_item it;
	char buf[64], again[64];
	ssize_t size = 1 + sizeof(struct quic_stream_update);

	self->opts.server_events = 1u << QUIC_EVENT_STREAM_UPDATE;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW, "x", 1, 0));
	ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
	ASSERT_EQ(3, qk_recv(self->p.server, &it, buf, 3, MSG_PEEK | MSG_DONTWAIT));
	EXPECT_EQ(0, it.msg_flags & MSG_EOR);
	ASSERT_EQ(size, qk_recv(self->p.server, &it, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT));
	EXPECT_EQ(MSG_EOR, it.msg_flags & MSG_EOR);
	ASSERT_EQ(size, qk_recv(self->p.server, &it, again, sizeof(again), MSG_DONTWAIT));
	EXPECT_EQ(0, memcmp(buf, again, size));
	ASSERT_EQ(1, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_STREAM, it.kind);
}

/* Several pieces of one stream fill a buffer; its end, or another stream, ends the call. */
QUIC_TEST_F(kind, a_call_takes_what_follows_of_the_same_stream)
{
	static const struct {
		__s64 id;
		__u32 flags;
		const char *text;
	} sent[] = {
		{ 0, NEW, "ab" }, { 0, 0, "cd" }, { 0, 0, "ef" }, { 4, NEW, "X" }, { 0, FIN, "gh" },
	};
	struct qk_item it;
	char buf[16];
	size_t i;

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	for (i = 0; i < ARRAY_SIZE(sent); i++) {
		ASSERT_EQ((ssize_t)strlen(sent[i].text),
			  qk_send(self->p.client, sent[i].id, sent[i].flags, sent[i].text,
				  strlen(sent[i].text), 0));
		ASSERT_TRUE(settled(self->p.client));
	}
	ASSERT_EQ(5, qk_next(self->p.server, &it, buf, 5));
	EXPECT_EQ(0, memcmp(buf, "abcde", 5));
	ASSERT_EQ(1, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ('f', buf[0]);
	EXPECT_EQ(0, it.stream_flags);
	ASSERT_EQ(1, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(4, it.stream_id);
	ASSERT_EQ(2, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(0, it.stream_id);
	EXPECT_EQ(FIN, it.stream_flags);
}

/* A buffer of no length takes nothing, and nothing is lost. */
QUIC_TEST_F(kind, an_empty_buffer_takes_nothing)
{
	struct qk_item it;
	char buf[16];

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(2, qk_send(self->p.client, 0, NEW | FIN, "hi", 2, 0));
	ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
	ASSERT_EQ(0, qk_recv(self->p.server, &it, buf, 0, MSG_DONTWAIT));
	EXPECT_EQ(0, it.stream_flags);
	ASSERT_EQ(2, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(FIN, it.stream_flags);
}

TEST_HARNESS_MAIN
