// SPDX-License-Identifier: GPL-2.0
/* How streams end: FIN, RESET_STREAM, STOP_SENDING, and the events of each. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN
#define UNI	MSG_QUIC_STREAM_UNI

FIXTURE(ending) {
	struct qk_pair p;
};

FIXTURE_SETUP(ending)
{
	struct qk_opts opts = {
		.client_events = 1u << QUIC_EVENT_STREAM_UPDATE,
		.server_events = 1u << QUIC_EVENT_STREAM_UPDATE,
	};
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
}

FIXTURE_TEARDOWN(ending)
{
	qk_pair_close(&self->p);
}

static int reset(int fd, __s64 id, __u32 code)
{
	struct quic_errinfo info = { .stream_id = id, .errcode = code };

	return qk_set(fd, QUIC_SOCKOPT_STREAM_RESET, &info, sizeof(info));
}

static int reset_at(int fd, __s64 id, __u64 size, __u32 code)
{
	struct quic_stream_reset_at info = {
		.stream_id = id, .reliable_size = size, .errcode = code,
	};

	return qk_set(fd, QUIC_SOCKOPT_STREAM_RESET_AT, &info, sizeof(info));
}

static int stop(int fd, __s64 id, __u32 code)
{
	struct quic_errinfo info = { .stream_id = id, .errcode = code };

	return qk_set(fd, QUIC_SOCKOPT_STREAM_STOP_SENDING, &info, sizeof(info));
}

QUIC_TEST_F(ending, the_receiver_hears_of_the_start_and_of_the_end)
{
	struct quic_stream_update up;

	ASSERT_EQ(3, qk_send(self->p.client, 0, NEW, "abc", 3, 0));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RECV, &up));
	ASSERT_EQ(2, qk_send(self->p.client, 0, FIN, "de", 2, 0));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RECVD, &up));
	EXPECT_EQ(5, up.finalsz);
}

QUIC_TEST_F(ending, the_sender_hears_of_the_acknowledgment)
{
	ASSERT_EQ(3, qk_send(self->p.client, 0, NEW | FIN, "abc", 3, 0));
	EXPECT_EQ(0, qk_stream_state(self->p.client, 0, QUIC_STREAM_SEND_STATE_RECVD, NULL));
}

QUIC_TEST_F(ending, a_reset_reaches_the_peer_and_is_acknowledged)
{
	struct quic_stream_update up;
	struct qk_item it;
	char buf[8];

	ASSERT_EQ(3, qk_send(self->p.client, 0, NEW, "abc", 3, 0));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RECV, NULL));
	ASSERT_EQ(0, reset(self->p.client, 0, 0x77));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RESET_RECVD, &up));
	EXPECT_EQ(0x77, up.errcode);
	EXPECT_EQ(3, up.finalsz);
	/* What was not read is gone. */
	EXPECT_EQ(-EAGAIN, qk_recv(self->p.server, &it, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(0, qk_stream_state(self->p.client, 0, QUIC_STREAM_SEND_STATE_RESET_RECVD,
				     NULL));
	EXPECT_LT(qk_send(self->p.client, 0, 0, "x", 1, 0), 0);
}

QUIC_TEST_F(ending, a_reset_with_a_reliable_size_delivers_the_first_bytes)
{
	struct quic_stream_update up;
	struct qk_item it;
	char buf[8] = { };

	ASSERT_EQ(6, qk_send(self->p.client, 0, NEW, "abcdef", 6, 0));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RECV, NULL));
	EXPECT_EQ(-EINVAL, reset_at(self->p.client, 0, 7, 0x77));
	EXPECT_EQ(-EINVAL, reset_at(self->p.client, 4, 1, 0x77));
	ASSERT_EQ(0, reset_at(self->p.client, 0, 6, 0x77));
	EXPECT_EQ(-EINVAL, reset_at(self->p.client, 0, 3, 0x78));
	EXPECT_LT(qk_send(self->p.client, 0, 0, "x", 1, 0), 0);
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RESET_RECVD, &up));
	EXPECT_EQ(0x77, up.errcode);
	EXPECT_EQ(6, up.finalsz);
	/* What was promised can be read, and the end is no clean one. */
	EXPECT_EQ(6, qk_recv(self->p.server, &it, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(0, memcmp(buf, "abcdef", 6));
	EXPECT_EQ(0, it.stream_flags & MSG_QUIC_STREAM_FIN);
	EXPECT_EQ(-EAGAIN, qk_recv(self->p.server, &it, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(0, qk_stream_state(self->p.client, 0, QUIC_STREAM_SEND_STATE_RECVD, &up));
	EXPECT_EQ(0x77, up.errcode);
}

QUIC_TEST_F(ending, a_reset_sends_what_was_promised_and_nothing_more)
{
	struct quic_stream_update up;
	struct qk_item it;
	char buf[8] = { };

	/* Held back: nothing of it was sent yet. */
	ASSERT_EQ(6, qk_send(self->p.client, 0, NEW, "abcdef", 6, MSG_MORE));
	ASSERT_EQ(0, reset_at(self->p.client, 0, 4, 0x77));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RESET_RECVD, &up));
	EXPECT_EQ(4, up.finalsz);
	EXPECT_EQ(4, qk_recv(self->p.server, &it, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(0, memcmp(buf, "abcd", 4));
	EXPECT_EQ(0, qk_stream_state(self->p.client, 0, QUIC_STREAM_SEND_STATE_RECVD, NULL));
}

QUIC_TEST_F(ending, stop_sending_makes_the_peer_reset_with_the_same_code)
{
	struct quic_stream_update up;

	ASSERT_EQ(3, qk_send(self->p.client, 0, NEW, "abc", 3, 0));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RECV, NULL));
	ASSERT_EQ(0, stop(self->p.server, 0, 0x99));
	ASSERT_EQ(0, qk_stream_state(self->p.client, 0, QUIC_STREAM_SEND_STATE_RESET_SENT, &up));
	EXPECT_EQ(0x99, up.errcode);
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RESET_RECVD, &up));
	EXPECT_EQ(0x99, up.errcode);
	/* The other direction goes on. */
	EXPECT_EQ(2, qk_send(self->p.server, 0, FIN, "ok", 2, 0));
	EXPECT_EQ(0, qk_stream_state(self->p.client, 0, QUIC_STREAM_RECV_STATE_RECVD, NULL));
}

QUIC_TEST_F(ending, a_reset_uni_stream_is_gone_once_acknowledged)
{
	ASSERT_EQ(1, qk_send(self->p.client, 2, NEW, "x", 1, 0));
	ASSERT_EQ(0, reset(self->p.client, 2, 1));
	ASSERT_EQ(0, qk_stream_state(self->p.client, 2, QUIC_STREAM_SEND_STATE_RESET_RECVD,
				     NULL));
	EXPECT_EQ(-ENOSTR, qk_send(self->p.client, 2, 0, "x", 1, 0));
	EXPECT_EQ(-ENOSTR, reset(self->p.client, 2, 1));
}

QUIC_TEST_F(ending, reset_and_stop_by_table)
{
	struct {
		const char *what;
		__s64 id;
		int reset;
		int stop;
	} rows[] = {
		{ "own bidi, never opened", 40, -EINVAL, -EINVAL },
		{ "own uni, never opened", 42, -EINVAL, -EINVAL },
		{ "peer's bidi, never opened", 41, -EINVAL, -EINVAL },
		{ "peer's uni, never opened", 43, -EINVAL, -EINVAL },
		{ "own uni, open", 2, 0, -EINVAL },
		{ "negative", -1, -EINVAL, -EINVAL },
		{ "beyond 62 bits", INT64_MAX, -EINVAL, -EINVAL },
	};
	size_t i;

	ASSERT_EQ(1, qk_send(self->p.client, 2, NEW, "x", 1, 0));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].stop, stop(self->p.client, rows[i].id, 1)) {
			TH_LOG("stop %s", rows[i].what);
		}
		EXPECT_EQ(rows[i].reset, reset(self->p.client, rows[i].id, 1)) {
			TH_LOG("reset %s", rows[i].what);
		}
	}
}

QUIC_TEST_F(ending, the_receiving_end_of_a_uni_stream_cannot_be_reset)
{
	ASSERT_EQ(1, qk_send(self->p.client, 2, NEW, "x", 1, 0));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 2, QUIC_STREAM_RECV_STATE_RECV, NULL));
	EXPECT_EQ(-EINVAL, reset(self->p.server, 2, 1));
	EXPECT_EQ(0, stop(self->p.server, 2, 1));
}

QUIC_TEST_F(ending, a_finished_receiver_cannot_stop_the_sender)
{
	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW | FIN, "x", 1, 0));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RECVD, NULL));
	EXPECT_EQ(-EINVAL, stop(self->p.server, 0, 1));
}

QUIC_TEST_F(ending, nothing_is_told_while_events_are_off)
{
	struct qk_item it;
	char buf[8];

	ASSERT_EQ(0, qk_event(self->p.server, QUIC_EVENT_STREAM_UPDATE, 0));
	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW | FIN, "x", 1, 0));
	ASSERT_EQ(1, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_STREAM, it.kind);
	EXPECT_TRUE(qk_quiet(self->p.server));
}

QUIC_TEST_F(ending, a_reset_stream_does_not_hold_the_connection_up)
{
	struct qk_flow f = {
		.from = self->p.client, .to = self->p.server, .id = 4, .size = 300000, .seed = 9,
	};
	static char buf[200000];

	/* The reset stream's bytes were counted against the connection's credit. */
	ASSERT_LT(0, qk_send(self->p.client, 0, NEW, buf, sizeof(buf), MSG_DONTWAIT));
	ASSERT_EQ(0, reset(self->p.client, 0, 1));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RESET_RECVD,
				     NULL));
	EXPECT_EQ(0, qk_flow_run(&f, 1));
}

/* Each half in its last states, while the other one keeps the stream. */
QUIC_TEST_F(ending, reset_and_stop_in_the_last_states)
{
	struct qk_item it;
	char buf[64];

	/* The client's half: everything is acknowledged. */
	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW | FIN, "x", 1, 0));
	ASSERT_EQ(0, qk_stream_state(self->p.client, 0, QUIC_STREAM_SEND_STATE_RECVD, NULL));
	EXPECT_EQ(-EINVAL, reset(self->p.client, 0, 1));
	EXPECT_EQ(-EINVAL, qk_send(self->p.client, 0, 0, "x", 1, 0));
	/* The server's half is reset once. */
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RECVD, NULL));
	ASSERT_EQ(0, reset(self->p.server, 0, 1));
	EXPECT_LT(reset(self->p.server, 0, 1), 0);
	ASSERT_EQ(0, qk_stream_state(self->p.client, 0, QUIC_STREAM_RECV_STATE_RESET_RECVD,
				     NULL));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_SEND_STATE_RESET_RECVD,
				     NULL));
	/* Both halves are over for the client, which cannot say more of it. */
	EXPECT_EQ(-ENOSTR, reset(self->p.client, 0, 1));
	EXPECT_EQ(-ENOSTR, stop(self->p.client, 0, 1));
	/* And for the server once it has read the end. */
	while (!qk_quiet(self->p.server))
		ASSERT_LE(0, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(-ENOSTR, reset(self->p.server, 0, 1));
	EXPECT_EQ(-ENOSTR, stop(self->p.server, 0, 1));
}

QUIC_TEST_F(ending, a_request_to_stop_is_made_once)
{
	ASSERT_EQ(3, qk_send(self->p.client, 0, NEW, "abc", 3, 0));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RECV, NULL));
	if (qk_link("lo", false))
		SKIP(return, "needs a network namespace");
	/* It is on its way for as long as nothing comes back. */
	ASSERT_EQ(0, stop(self->p.server, 0, 0x99));
	EXPECT_EQ(-EAGAIN, stop(self->p.server, 0, 0x99));
	EXPECT_EQ(-EAGAIN, stop(self->p.server, 0, 0x98));
	ASSERT_EQ(0, qk_link("lo", true));
	ASSERT_EQ(0, qk_stream_state(self->p.server, 0, QUIC_STREAM_RECV_STATE_RESET_RECVD,
				     NULL));
	EXPECT_EQ(-EINVAL, stop(self->p.server, 0, 0x99));
}

TEST_HARNESS_MAIN
