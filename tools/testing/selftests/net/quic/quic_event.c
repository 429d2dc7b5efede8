// SPDX-License-Identifier: GPL-2.0
/* Events: switching them, their layout, credit, keys, ids, and the close. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

FIXTURE(event) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_SETUP(event)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(event)
{
	qk_pair_close(&self->p);
}

QUIC_TEST_F(event, switches_by_table)
{
	int fd = qk_socket(QK_V4, 0);
	int type;

	ASSERT_LE(0, fd);
	for (type = 0; type < 256; type++) {
		struct quic_event_option opt = { .type = type };
		int want = type > 0 && type < QUIC_EVENT_MAX ? 0 : -EINVAL;
		socklen_t len = sizeof(opt);

		EXPECT_EQ(want, qk_get(fd, QUIC_SOCKOPT_EVENT, &opt, &len)) {
			TH_LOG("get type %d", type);
		}
		EXPECT_EQ(0, opt.on);
		EXPECT_EQ(want, qk_event(fd, type, 1)) {
			TH_LOG("set type %d", type);
		}
		if (want)
			continue;
		EXPECT_EQ(0, qk_get(fd, QUIC_SOCKOPT_EVENT, &opt, &len));
		EXPECT_EQ(1, opt.on);
		EXPECT_EQ(-EINVAL, qk_event(fd, type, 2)) {
			TH_LOG("type %d", type);
		}
		EXPECT_EQ(0, qk_event(fd, type, 0));
		EXPECT_EQ(0, qk_get(fd, QUIC_SOCKOPT_EVENT, &opt, &len));
		EXPECT_EQ(0, opt.on);
	}
	qk_close(&fd);
}

QUIC_TEST_F(event, an_event_has_the_notification_flag_and_its_exact_length)
{
	struct quic_stream_update up;
	__u8 buf[128];
	struct qk_item it;

	self->opts.server_events = 1u << QUIC_EVENT_STREAM_UPDATE;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(2, qk_send(self->p.client, 0, NEW, "xy", 2, 0));
	ASSERT_EQ(1 + sizeof(up), qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(MSG_QUIC_NOTIFICATION | MSG_EOR,
		  it.msg_flags & (MSG_QUIC_NOTIFICATION | MSG_EOR));
	EXPECT_EQ(0, it.cmsgs);
	EXPECT_EQ(QUIC_EVENT_STREAM_UPDATE, buf[0]);
	memcpy(&up, buf + 1, sizeof(up));
	EXPECT_EQ(0, up.id);
	EXPECT_EQ(QUIC_STREAM_RECV_STATE_RECV, up.state);
}

QUIC_TEST_F(event, a_short_buffer_leaves_the_rest_of_an_event)
{
	struct quic_stream_update up;
	__u8 buf[128];
	struct qk_item it;
	size_t done = 0;

	self->opts.server_events = 1u << QUIC_EVENT_STREAM_UPDATE;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(2, qk_send(self->p.client, 0, NEW, "xy", 2, 0));
	while (done < 1 + sizeof(up)) {
		size_t n = done + 7 < 1 + sizeof(up) ? 7 : 1 + sizeof(up) - done;

		ASSERT_EQ(n, qk_next(self->p.server, &it, buf + done, 7));
		EXPECT_EQ(QK_EVENT, it.kind);
		done += n;
		EXPECT_EQ(done == 1 + sizeof(up) ? MSG_EOR : 0, it.msg_flags & MSG_EOR);
	}
	EXPECT_EQ(QUIC_EVENT_STREAM_UPDATE, buf[0]);
	ASSERT_EQ(2, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_STREAM, it.kind);
}

QUIC_TEST_F(event, credit_for_a_stream_is_told)
{
	struct quic_transport_param param = { .max_stream_data_bidi_remote = 10000 };
	static char buf[10000];
	union quic_event ev;
	struct qk_item it;
	size_t got = 0;

	self->opts.server_param = &param;
	self->opts.client_events = 1u << QUIC_EVENT_STREAM_MAX_DATA;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(10000, qk_send(self->p.client, 0, NEW, buf, sizeof(buf), 0));
	while (got < 10000) {
		ssize_t ret = qk_next(self->p.server, &it, buf, sizeof(buf));

		ASSERT_LT(0, ret);
		got += ret;
	}
	ASSERT_EQ(sizeof(ev.max_data),
		  qk_next_event(self->p.client, QUIC_EVENT_STREAM_MAX_DATA, &ev));
	EXPECT_EQ(0, ev.max_data.id);
	EXPECT_LT(10000, ev.max_data.max_data);
}

QUIC_TEST_F(event, more_streams_are_told_by_the_highest_id)
{
	struct quic_transport_param param = { .max_streams_uni = 2 };
	union quic_event ev;
	struct qk_item it;
	char buf[8];
	int i;

	self->opts.server_param = &param;
	self->opts.client_events = 1u << QUIC_EVENT_STREAM_MAX_STREAM;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, qk_send(self->p.client, QK_CLIENT_UNI(i), NEW | FIN, "x", 1, 0));
		ASSERT_EQ(1, qk_next(self->p.server, &it, buf, sizeof(buf)));
	}
	ASSERT_EQ(sizeof(ev.max_stream),
		  qk_next_event(self->p.client, QUIC_EVENT_STREAM_MAX_STREAM, &ev));
	EXPECT_EQ(2, ev.max_stream & QUIC_STREAM_TYPE_MASK);
	EXPECT_LE(QK_CLIENT_UNI(2), (__s64)ev.max_stream);
}

QUIC_TEST_F(event, a_key_update_is_told_to_both)
{
	union quic_event ev;

	self->opts.client_events = 1u << QUIC_EVENT_KEY_UPDATE;
	self->opts.server_events = 1u << QUIC_EVENT_KEY_UPDATE;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	/* The handshake is confirmed once the client has an answer in 1-RTT. */
	ASSERT_EQ(4, qk_send(self->p.server, 1, NEW, "ping", 4, 0));
	ASSERT_LE(0, qk_wait(self->p.client, POLLIN));
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_KEY_UPDATE, NULL, 0));
	EXPECT_EQ(-EINVAL, qk_set(self->p.client, QUIC_SOCKOPT_KEY_UPDATE, NULL, 0));
	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW, "x", 1, 0));
	ASSERT_EQ(1, qk_next_event(self->p.server, QUIC_EVENT_KEY_UPDATE, &ev));
	EXPECT_EQ(1, ev.key_update_phase);
	ASSERT_EQ(1, qk_send(self->p.server, 1, 0, "y", 1, 0));
	ASSERT_EQ(1, qk_next_event(self->p.client, QUIC_EVENT_KEY_UPDATE, &ev));
	EXPECT_EQ(1, ev.key_update_phase);
}

QUIC_TEST_F(event, the_close_of_the_peer_is_told_with_code_and_phrase)
{
	struct quic_connection_close set = { .errcode = 0x1234, .phrase = "enough" }, got;
	socklen_t len = sizeof(got);
	union quic_event ev;

	self->opts.server_events = 1u << QUIC_EVENT_CONNECTION_CLOSE;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_CLOSE, &set, sizeof(set)));
	qk_close(&self->p.client);
	ASSERT_EQ(sizeof(ev.close),
		  qk_next_event(self->p.server, QUIC_EVENT_CONNECTION_CLOSE, &ev));
	EXPECT_EQ(0x1234, ev.close.errcode);
	EXPECT_EQ(0, ev.close.frame);
	EXPECT_STREQ("enough", (char *)ev.close.phrase);
	ASSERT_EQ(0, qk_get(self->p.server, QUIC_SOCKOPT_CONNECTION_CLOSE, &got, &len));
	EXPECT_EQ(0x1234, got.errcode);
	EXPECT_STREQ("enough", (char *)got.phrase);
}

QUIC_TEST_F(event, retired_connection_ids_are_told)
{
	struct quic_connection_id_info info = { };
	socklen_t len = sizeof(info);
	union quic_event ev;

	self->opts.client_events = 1u << QUIC_EVENT_CONNECTION_ID;
	self->opts.server_events = 1u << QUIC_EVENT_CONNECTION_ID;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	/* The ids come behind the handshake; a message of the server proves it. */
	ASSERT_EQ(4, qk_send(self->p.server, 1, NEW, "ping", 4, 0));
	ASSERT_LE(0, qk_wait(self->p.client, POLLIN));
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_CONNECTION_ID, &info, &len));
	EXPECT_EQ(0, info.active);
	EXPECT_EQ(0, info.prior_to);
	info = (struct quic_connection_id_info){ .dest = 1, .prior_to = 100 };
	EXPECT_EQ(-EINVAL, qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_ID, &info,
				  sizeof(info)));
	info = (struct quic_connection_id_info){ .dest = 1, .active = 1, .prior_to = 1 };
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_ID, &info, sizeof(info)));
	ASSERT_EQ(sizeof(ev.info),
		  qk_next_event(self->p.server, QUIC_EVENT_CONNECTION_ID, &ev));
	EXPECT_EQ(0, ev.info.dest);
	EXPECT_EQ(1, ev.info.prior_to);
	ASSERT_EQ(sizeof(ev.info),
		  qk_next_event(self->p.client, QUIC_EVENT_CONNECTION_ID, &ev));
	EXPECT_EQ(1, ev.info.dest);
	EXPECT_EQ(1, ev.info.active);
	EXPECT_EQ(1, ev.info.prior_to);
	/* The peer wants back some that are not in use. */
	info = (struct quic_connection_id_info){ .dest = 1, .active = 5 };
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_ID, &info, sizeof(info)));
	ASSERT_EQ(1, qk_send(self->p.client, 0, NEW, "x", 1, 0));
	info = (struct quic_connection_id_info){ .prior_to = 3 };
	ASSERT_EQ(0, qk_set(self->p.server, QUIC_SOCKOPT_CONNECTION_ID, &info, sizeof(info)));
	ASSERT_EQ(sizeof(ev.info),
		  qk_next_event(self->p.client, QUIC_EVENT_CONNECTION_ID, &ev));
	EXPECT_EQ(1, ev.info.dest);
	EXPECT_EQ(5, ev.info.active);
	EXPECT_EQ(3, ev.info.prior_to);
	ASSERT_EQ(1, qk_send(self->p.client, 0, 0, "x", 1, 0));
}

/* Own ids: a call, its result, and what is in use and issued once the peer has followed. */
static const struct {
	__u32 active;
	__u32 prior_to;
	int ret;
	__u32 active_then;
	__u32 prior_to_then;
} own_ids[] = {
	{ 0, 2, 0, 2, 2 },
	{ 0, 3, 0, 3, 3 },
	{ 5, 3, -EINVAL, 3, 3 },	/* given up already */
	{ 2, 5, -EINVAL, 3, 3 },
	{ 5, 10, -EINVAL, 3, 3 },	/* not issued */
	{ 10, 5, -EINVAL, 3, 3 },
	{ 8, 5, 0, 8, 5 },
	{ 0, 6, 0, 8, 6 },
	{ 0, 11, 0, 11, 11 },
	{ 0, 0, 0, 11, 11 },
};

QUIC_TEST_F(event, own_connection_ids_are_in_use_until_they_are_given_up)
{
	struct quic_connection_id_info info = { };
	socklen_t len = sizeof(info);
	union quic_event ev;
	size_t i;

	self->opts.client_events = 1u << QUIC_EVENT_CONNECTION_ID;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	for (i = 0; i < ARRAY_SIZE(own_ids); i++) {
		__u32 first = info.prior_to;

		info = (struct quic_connection_id_info){
			.active = own_ids[i].active, .prior_to = own_ids[i].prior_to,
		};
		ASSERT_EQ(own_ids[i].ret,
			  qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_ID, &info, sizeof(info))) {
			TH_LOG("row %zu", i);
		}
		/* One event for each id that the peer gives back. */
		for (; first < own_ids[i].prior_to_then; first++)
			ASSERT_EQ(sizeof(ev.info),
				  qk_next_event(self->p.client, QUIC_EVENT_CONNECTION_ID, &ev));
		info.dest = 0;
		ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_CONNECTION_ID, &info, &len));
		EXPECT_EQ(own_ids[i].active_then, info.active) {
			TH_LOG("row %zu", i);
		}
		EXPECT_EQ(own_ids[i].prior_to_then, info.prior_to) {
			TH_LOG("row %zu", i);
		}
	}
}

TEST_HARNESS_MAIN
