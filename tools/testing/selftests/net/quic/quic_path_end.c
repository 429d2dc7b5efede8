// SPDX-License-Identifier: GPL-2.0
/*
 * How connections live and end across a network: keys, datagrams, keep-alive,
 * idle time-out, closing and draining, reasons, stateless reset.
 */
#include "kselftest_harness.h"
#include "quic_net.h"

/* Masks of events. */
enum {
	CLOSE = 1u << QUIC_EVENT_CONNECTION_CLOSE,
	KEYS = 1u << QUIC_EVENT_KEY_UPDATE,
};

/* How a connection has ended. */
#define ENDED	(QUIC_INFO_TIMED_OUT | QUIC_INFO_APP_CLOSED | QUIC_INFO_PEER_CLOSED | \
		 QUIC_INFO_RESET)

FIXTURE(end) {
	struct qk_pair p;
	struct qk_opts opts;
	struct quic_config config;
	struct quic_transport_param param;
};

FIXTURE_VARIANT(end) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(end, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(end, v6) { QK_V6 };

FIXTURE_SETUP(end)
{
	self->p = (struct qk_pair){ -1, -1, -1 };
	ASSERT_EQ(0, qn_setup());
	self->opts.family = variant->family;
	self->opts.client_config = &self->config;
	self->opts.client_param = &self->param;
	self->opts.server_param = &self->param;
	self->opts.client_events = CLOSE;
	self->opts.server_events = CLOSE;
}

FIXTURE_TEARDOWN(end)
{
	qk_pair_close(&self->p);
}

/* Update the keys of one side, once the last update is confirmed. */
static int update(int fd)
{
	__s64 start = qk_now_ms();
	int ret;

	do {
		ret = qk_set(fd, QUIC_SOCKOPT_KEY_UPDATE, NULL, 0);
		if (ret != -EINVAL)
			return ret;
		poll(NULL, 0, 5);
	} while (qk_now_ms() - start < qk_wait_ms());
	return ret;
}

static int phase(int fd)
{
	union quic_event ev;
	int ret = qk_next_event(fd, QUIC_EVENT_KEY_UPDATE, &ev);

	return ret < 0 ? ret : ev.key_update_phase;
}

QUIC_TEST_F(end, keys_are_updated_again_and_again_by_both_sides)
{
	int i;

	self->opts.client_events = KEYS;
	self->opts.server_events = KEYS;
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	for (i = 0; i < 10; i++) {
		int one = i % 2 ? self->p.server : self->p.client;
		int other = i % 2 ? self->p.client : self->p.server;
		__s64 id = i % 2 ? QK_SERVER_UNI(5 + i) : QK_CLIENT_UNI(5 + i);
		__s64 back = i % 2 ? QK_CLIENT_UNI(5 + i) : QK_SERVER_UNI(5 + i);

		ASSERT_EQ(0, update(one)) {
			TH_LOG("update %d", i);
		}
		ASSERT_EQ(1, qk_send(one, id, MSG_QUIC_STREAM_NEW, "x", 1, 0));
		ASSERT_EQ(!(i % 2), phase(other)) {
			TH_LOG("update %d", i);
		}
		ASSERT_EQ(1, qk_send(other, back, MSG_QUIC_STREAM_NEW, "y", 1, 0));
		ASSERT_EQ(!(i % 2), phase(one)) {
			TH_LOG("update %d", i);
		}
	}
}

QUIC_TEST_F(end, keys_are_updated_in_the_middle_of_a_transfer_with_loss_of_order)
{
	struct qk_flow flow = { .id = QK_CLIENT_UNI(5), .size = 300000, .seed = 1 };
	struct quic_info info;
	int i;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn("shape delay 10ms 5ms rate 20mbit"));
	flow.from = self->p.client;
	flow.to = self->p.server;
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, update(i % 2 ? self->p.server : self->p.client));
		ASSERT_EQ(0, qk_flow_run(&flow, 1)) {
			TH_LOG("update %d", i);
		}
		ASSERT_EQ(0, qn_info(self->p.server, &info));
		EXPECT_EQ(!(i % 2), info.key_phase);
		flow = (struct qk_flow){ .from = flow.from, .to = flow.to, .seed = i,
					 .id = QK_CLIENT_UNI(6 + i), .size = 300000 };
	}
}

QUIC_TEST_F(end, datagrams_pass_both_ways_beside_a_stream)
{
	__u8 out[1000], in[1000];
	int i;

	self->param.max_datagram_frame_size = 1500;
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(4, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "byte", 4, 0));
	for (i = 0; i < 40; i++) {
		int from = i % 2 ? self->p.client : self->p.server;
		int to = i % 2 ? self->p.server : self->p.client;
		struct qk_item it;

		qk_pattern(out, sizeof(out), i, 0);
		ASSERT_EQ(1 + i * 25, send(from, out, 1 + i * 25, MSG_QUIC_DATAGRAM));
		do {
			ASSERT_LT(0, qk_next(to, &it, in, sizeof(in)));
		} while (it.kind == QK_STREAM);
		ASSERT_EQ(QK_DATAGRAM, it.kind);
		ASSERT_EQ(1 + i * 25, it.len);
		ASSERT_EQ(0, memcmp(in, out, it.len));
	}
}

/* All that a close can say arrives at the peer, whoever closes. */
QUIC_TEST_F(end, reasons_by_table)
{
	static const struct {
		__u32 code;
		const char *phrase;
	} rows[] = {
		{ 0, "" },
		{ 1, "one" },
		{ 0x1234, "a phrase" },
		{ 0xffffffff, "as long as a phrase can be, which is sixty-three bytes together." },
	};
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		struct quic_connection_close set = { .errcode = rows[i / 2].code };
		struct quic_connection_close got;
		int *by = i % 2 ? &self->p.server : &self->p.client;
		int *at = i % 2 ? &self->p.client : &self->p.server;
		socklen_t len = sizeof(got);
		union quic_event ev;

		strncpy((char *)set.phrase, rows[i / 2].phrase, sizeof(set.phrase) - 1);
		ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
		ASSERT_EQ(0, qk_set(*by, QUIC_SOCKOPT_CONNECTION_CLOSE, &set, sizeof(set)));
		qk_close(by);
		ASSERT_EQ(sizeof(ev.close), qk_next_event(*at, QUIC_EVENT_CONNECTION_CLOSE, &ev));
		EXPECT_EQ(set.errcode, ev.close.errcode);
		EXPECT_EQ(0, ev.close.frame);
		EXPECT_STREQ((char *)set.phrase, (char *)ev.close.phrase);
		ASSERT_EQ(0, qk_get(*at, QUIC_SOCKOPT_CONNECTION_CLOSE, &got, &len));
		EXPECT_EQ(0, memcmp(&ev.close, &got, sizeof(got)));
		qk_pair_close(&self->p);
	}
}

static bool packets_received(const struct quic_info *info, __u64 arg)
{
	return info->packets_received >= arg;
}

/* The client's close is lost on a path of @delay ms each way; how long that took, in ms. */
static __s64 lose_the_close(QUIC_SELF(end), int delay)
{
	struct quic_connection_close set = { .errcode = 77, .phrase = "lost and found" };
	char shape[32];
	__s64 start;

	snprintf(shape, sizeof(shape), "shape delay %dms", delay);
	if (qn(shape) || qn_pair_open(&self->p, &self->opts) ||
	    qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_CLOSE, &set, sizeof(set)) ||
	    qn("drop to-server"))
		return -EIO;
	start = qk_now_ms();
	qk_close(&self->p.client);
	return qn("drop off") ? -EIO : qk_now_ms() - start;
}

QUIC_TEST_F(end, a_close_that_was_lost_is_repeated_for_a_peer_that_goes_on)
{
	int delay = 300;
	union quic_event ev;
	__s64 spent;

	/* The closing period is three PTOs and so six delays: a slow machine needs long ones. */
	while ((spent = lose_the_close(self, delay)) > 3 * delay && delay < 4000) {
		qk_pair_close(&self->p);
		delay *= 2;
	}
	ASSERT_LE(0, spent);
	ASSERT_EQ(1, qk_send(self->p.server, 1, MSG_QUIC_STREAM_NEW, "x", 1, 0));
	ASSERT_EQ(sizeof(ev.close),
		  qk_next_event(self->p.server, QUIC_EVENT_CONNECTION_CLOSE, &ev));
	EXPECT_EQ(77, ev.close.errcode);
	EXPECT_STREQ("lost and found", (char *)ev.close.phrase);
}

QUIC_TEST_F(end, nothing_is_sent_any_more_by_the_side_that_was_closed)
{
	struct qn_count count;
	union quic_event ev;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	qk_close(&self->p.client);
	ASSERT_EQ(sizeof(ev.close),
		  qk_next_event(self->p.server, QUIC_EVENT_CONNECTION_CLOSE, &ev));
	ASSERT_EQ(0, qn("count reset"));
	EXPECT_EQ(-EPIPE, qk_send(self->p.server, 1, MSG_QUIC_STREAM_NEW, "x", 1, 0));
	qk_close(&self->p.server);
	ASSERT_EQ(0, qn_count(QN_SERVER, &count));
	EXPECT_EQ(0, count.ect0 + count.other);
}

QUIC_TEST_F(end, an_idle_connection_ends_in_silence)
{
	__s64 start, closes;
	struct quic_info info;
	struct qn_count count;
	union quic_event ev;

	self->param.max_idle_timeout = 2000000;
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_info(self->p.client, &info));
	EXPECT_EQ(0, info.flags & ENDED);
	closes = qn_snmp(QN_CLIENT, "QuicIdleTimeout");
	ASSERT_EQ(0, qn("drop both"));
	ASSERT_EQ(0, qn("count reset"));
	start = qk_now_ms();
	ASSERT_EQ(sizeof(ev.close),
		  qk_next_event(self->p.client, QUIC_EVENT_CONNECTION_CLOSE, &ev));
	EXPECT_EQ(0, ev.close.errcode);
	EXPECT_EQ(0, ev.close.frame);
	ASSERT_EQ(sizeof(ev.close),
		  qk_next_event(self->p.server, QUIC_EVENT_CONNECTION_CLOSE, &ev));
	EXPECT_GE(2 * qk_wait_ms(), qk_now_ms() - start);
	EXPECT_LT(closes, qn_snmp(QN_CLIENT, "QuicIdleTimeout"));
	ASSERT_EQ(0, qn_info(self->p.client, &info));
	EXPECT_EQ(QUIC_INFO_TIMED_OUT, info.flags & ENDED);
	ASSERT_EQ(0, qn_info(self->p.server, &info));
	EXPECT_EQ(QUIC_INFO_TIMED_OUT, info.flags & ENDED);
	EXPECT_EQ(-EPIPE, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "x", 1, 0));
	ASSERT_EQ(0, qn_count(QN_CLIENT, &count));
	EXPECT_EQ(0, count.ect0 + count.other);
}

QUIC_TEST_F(end, keep_alive_outlasts_the_idle_time_out)
{
	struct quic_info info;
	__s64 start;

	self->param.max_idle_timeout = 5000000;
	self->config.keepalive_probe_interval = 1500000;
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	start = qk_now_ms();
	while (qk_now_ms() - start < 2 * 5000) {
		ASSERT_EQ(0, qn_info(self->p.client, &info));
		ASSERT_EQ(0, qn_await(self->p.client, packets_received,
				      info.packets_received + 1));
	}
	EXPECT_EQ(0, qn_echo(&self->p, "alive"));
}

/* The server forgets the connection and its close is lost on the way. */
QUIC_TEST_F(end, a_peer_that_lost_its_state_resets_the_connection)
{
	__s64 in = qn_snmp(QN_CLIENT, "QuicStatelessResetIn");
	__s64 out = qn_snmp(QN_SERVER, "QuicStatelessResetOut");
	struct quic_info info;
	struct qk_item it;
	union quic_event ev;
	__s64 start;
	char c;

	self->param.stateless_reset = 1;
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn("drop to-client"));
	qk_close(&self->p.server);
	ASSERT_EQ(0, qn_enter(QN_SERVER));
	start = qk_now_ms();
	while (qk_listed("conns", ":4000") && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 10);
	ASSERT_FALSE(qk_listed("conns", ":4000"));
	ASSERT_EQ(0, qn("drop off"));
	ASSERT_EQ(-EAGAIN, qk_recv(self->p.client, &it, &c, 1, MSG_DONTWAIT));
	ASSERT_EQ(30, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW,
			      "long enough to be answered: 30", 30, 0));
	ASSERT_EQ(sizeof(ev.close),
		  qk_next_event(self->p.client, QUIC_EVENT_CONNECTION_CLOSE, &ev));
	EXPECT_EQ(QUIC_TRANSPORT_ERROR_CRYPTO, ev.close.errcode);
	EXPECT_EQ(0, ev.close.frame);
	ASSERT_EQ(0, qn_info(self->p.client, &info));
	EXPECT_EQ(QUIC_INFO_RESET, info.flags & ENDED);
	EXPECT_EQ(in + 1, qn_snmp(QN_CLIENT, "QuicStatelessResetIn"));
	EXPECT_LT(out, qn_snmp(QN_SERVER, "QuicStatelessResetOut"));
	EXPECT_EQ(-EPIPE, qk_send(self->p.client, 4, MSG_QUIC_STREAM_NEW, "x", 1, 0));
}

TEST_HARNESS_MAIN
