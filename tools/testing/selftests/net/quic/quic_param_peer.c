// SPDX-License-Identifier: GPL-2.0
/*
 * The peer's transport parameters: those remembered for early data, those that
 * a peer may announce beyond what a program may set here, and those that end
 * the connection.
 */
#include "kselftest_harness.h"
#include "quic_ksft.h"

#define E	(-EINVAL)

FIXTURE(peer) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_SETUP(peer)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(peer)
{
	qk_pair_close(&self->p);
}

static int get(int fd, struct quic_transport_param *param, __u8 remote)
{
	socklen_t len = sizeof(*param);

	memset(param, 0, sizeof(*param));
	param->remote = remote;
	return qk_get(fd, QUIC_SOCKOPT_TRANSPORT_PARAM, param, &len);
}

static int set(int fd, const struct quic_transport_param *param)
{
	return qk_set(fd, QUIC_SOCKOPT_TRANSPORT_PARAM, param, sizeof(*param));
}

struct row {
	struct quic_transport_param param;
	int ret;
};

#define REMOTE(...)	{ .remote = 1, __VA_ARGS__ }

/* What a client may remember: limits of counts and bytes have no upper end. */
static const struct row remembered[] = {
	{ REMOTE(.max_data = 1199), E },
	{ REMOTE(.max_data = 1200), 0 },
	{ REMOTE(.max_data = (1ull << 62) - 1), 0 },
	{ REMOTE(.max_stream_data_bidi_local = 1199), E },
	{ REMOTE(.max_stream_data_bidi_remote = 1199), E },
	{ REMOTE(.max_stream_data_uni = 1199), E },
	{ REMOTE(.max_stream_data_bidi_local = 1ull << 40, .max_stream_data_bidi_remote = 1200,
		 .max_stream_data_uni = 1ull << 32), 0 },
	{ REMOTE(.max_streams_bidi = 65535, .max_streams_uni = 65535), 0 },
	{ REMOTE(.active_connection_id_limit = 1), E },
	{ REMOTE(.active_connection_id_limit = 9), E },
	{ REMOTE(.max_udp_payload_size = 1199), E },
	{ REMOTE(.max_datagram_frame_size = 1199), E },
	{ REMOTE(.max_datagram_frame_size = 1200), 0 },
	{ REMOTE(.max_idle_timeout = 999999), E },
	{ REMOTE(.disable_1rtt_encryption = 2), E },
	{ { .remote = 2 }, E },
};

QUIC_TEST_F(peer, remembered_parameters_by_range)
{
	struct quic_transport_param got;
	size_t i;

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	for (i = 0; i < ARRAY_SIZE(remembered); i++) {
		EXPECT_EQ(remembered[i].ret, set(self->p.client, &remembered[i].param)) {
			TH_LOG("row %zu", i);
		}
	}
	/* Each call adds to those before. */
	ASSERT_EQ(0, get(self->p.client, &got, 1));
	EXPECT_EQ(1, got.remote);
	EXPECT_EQ((1ull << 62) - 1, got.max_data);
	EXPECT_EQ(1ull << 40, got.max_stream_data_bidi_local);
	EXPECT_EQ(1200, got.max_stream_data_bidi_remote);
	EXPECT_EQ(4096, got.max_streams_bidi);
	EXPECT_EQ(4096, got.max_streams_uni);
	EXPECT_EQ(E, get(self->p.client, &got, 2));
}

/* Without them nothing may be sent before the handshake is done. */
QUIC_TEST_F(peer, streams_of_early_data_need_remembered_limits)
{
	struct quic_transport_param limits = REMOTE(.max_data = 5000, .max_streams_bidi = 1,
						    .max_stream_data_bidi_remote = 3000);
	static char buf[8000];
	__s64 id = -1;

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	EXPECT_EQ(E, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "x", 1, 0));
	EXPECT_EQ(E, qk_open(self->p.client, &id, 0));
	EXPECT_EQ(-1, send(self->p.client, "x", 1, MSG_QUIC_DATAGRAM));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, set(self->p.client, &limits));
	EXPECT_EQ(3000, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, buf, sizeof(buf),
				MSG_DONTWAIT));
	EXPECT_EQ(-ENOSPC, qk_send(self->p.client, 0, 0, buf, 1, MSG_DONTWAIT));
	/* A stream beyond the limit is not waited for: nobody may raise it yet. */
	EXPECT_EQ(E, qk_send(self->p.client, 4, MSG_QUIC_STREAM_NEW, "x", 1, 0));
	EXPECT_EQ(E, qk_send(self->p.client, 2, MSG_QUIC_STREAM_NEW, "x", 1, 0));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	EXPECT_EQ(1, qk_send(self->p.client, 4, MSG_QUIC_STREAM_NEW, "x", 1, 0));
}

/* Whether both protect nothing is decided by both. */
QUIC_TEST_F(peer, packets_are_in_the_clear_only_if_both_want_it)
{
	static const struct quic_transport_param clear = { .disable_1rtt_encryption = 1 };
	int i;

	for (i = 0; i < 4; i++) {
		struct quic_transport_param got;
		struct qk_item it;
		char buf[16];

		self->opts.client_param = i & 1 ? &clear : NULL;
		self->opts.server_param = i & 2 ? &clear : NULL;
		ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
		ASSERT_EQ(0, get(self->p.client, &got, 1));
		EXPECT_EQ(i >> 1, got.disable_1rtt_encryption);
		ASSERT_EQ(4, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "ping", 4, 0));
		ASSERT_EQ(4, qk_next(self->p.server, &it, buf, sizeof(buf)));
		EXPECT_EQ(0, memcmp(buf, "ping", 4));
		ASSERT_EQ(4, qk_send(self->p.server, 0, 0, "pong", 4, 0));
		ASSERT_EQ(4, qk_next(self->p.client, &it, buf, sizeof(buf)));
		EXPECT_EQ(0, memcmp(buf, "pong", 4));
		qk_pair_close(&self->p);
	}
}

static size_t read_varint(const __u8 *buf, __u64 *value)
{
	size_t i, len = 1u << (buf[0] >> 6);

	*value = buf[0] & 0x3f;
	for (i = 1; i < len; i++)
		*value = *value << 8 | buf[i];
	return len;
}

/* The parameters of @fd as it announces them, with those of @more in place of its own. */
static size_t edited(int fd, const char *more, size_t more_len, __u8 *out)
{
	__u8 own[QK_MAX_PARAMS];
	socklen_t own_len = sizeof(own);
	size_t at = 0, len = 0;
	__u64 id, instead, n;

	if (qk_get(fd, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, own, &own_len))
		return 0;
	read_varint((const __u8 *)more, &instead);
	while (at < own_len) {
		size_t start = at;

		at += read_varint(own + at, &id);
		at += read_varint(own + at, &n);
		at += n;
		if (id == instead)
			continue;
		memcpy(out + len, own + start, at - start);
		len += at - start;
	}
	memcpy(out + len, more, more_len);
	return len + more_len;
}

struct announced {
	const char *what;
	const char *bytes;
	size_t len;
	__u32 code;		/* 0: it is taken */
};

#define PARAM	QUIC_TRANSPORT_ERROR_TRANSPORT_PARAM

/* What other implementations announce and no option here sets; and what nobody may. */
static const struct announced announced[] = {
	{ "64 connection ids", "\x0e\x02\x40\x40", 4, 0 },
	{ "an idle time-out of 20 ms", "\x01\x01\x14", 3, 0 },
	{ "datagrams of 1 byte", "\x20\x01\x01", 3, 0 },
	{ "datagrams of any size", "\x20\x04\x80\x01\x00\x00", 6, 0 },
	{ "UDP payload of 2^32", "\x03\x08\xc0\0\0\1\0\0\0\0", 10, 0 },
	{ "2^60 streams", "\x08\x08\xd0\0\0\0\0\0\0\0", 10, 0 },
	{ "an unknown parameter", "\x7f\x01\x03xyz", 6, 0 },
	{ "one connection id", "\x0e\x01\x01", 3, PARAM },
	{ "UDP payload of 1199", "\x03\x02\x44\xaf", 4, PARAM },
	{ "an exponent of 21", "\x0a\x01\x15", 3, PARAM },
	{ "an ACK delay of 2^14", "\x0b\x04\x80\x00\x40\x00", 6, PARAM },
	{ "2^60 + 1 streams", "\x08\x08\xd0\0\0\0\0\0\0\1", 10, PARAM },
	{ "a number with bytes behind it", "\x04\x02\x05\x05", 4, PARAM },
	{ "a flag with a value", "\x0c\x01\x01", 3, PARAM },
	{ "another first connection id", "\x0f\x08zzzzzzzz", 10, PARAM },
	{ "a version not in use", "\x11\x08\x6b\x33\x43\xcf\x6b\x33\x43\xcf", 10,
	  QUIC_TRANSPORT_ERROR_VERSION_NEGOTIATION },
};

QUIC_TEST_F(peer, announced_parameters_by_table)
{
	size_t i;

	self->opts.client_events = 1u << QUIC_EVENT_CONNECTION_CLOSE;
	self->opts.server_events = 1u << QUIC_EVENT_CONNECTION_CLOSE;
	for (i = 0; i < ARRAY_SIZE(announced); i++) {
		const struct announced *a = &announced[i];
		struct quic_connection_close got = { };
		socklen_t got_len = sizeof(got);
		__u8 bytes[QK_MAX_PARAMS];
		union quic_event ev;
		size_t len;

		ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
		len = edited(self->p.client, a->bytes, a->len, bytes);
		ASSERT_LT(0, len);
		EXPECT_EQ(a->code ? E : 0, qk_set(self->p.server, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT,
						  bytes, len)) {
			TH_LOG("%s", a->what);
		}
		if (a->code) {
			/* Both ends are told, the own one by the option too. */
			EXPECT_EQ(sizeof(ev.close),
				  qk_next_event(self->p.client, QUIC_EVENT_CONNECTION_CLOSE, &ev));
			EXPECT_EQ(a->code, ev.close.errcode) {
				TH_LOG("%s", a->what);
			}
			EXPECT_EQ(sizeof(ev.close),
				  qk_next_event(self->p.server, QUIC_EVENT_CONNECTION_CLOSE, &ev));
			EXPECT_EQ(a->code, ev.close.errcode) {
				TH_LOG("%s", a->what);
			}
			EXPECT_EQ(0, qk_get(self->p.server, QUIC_SOCKOPT_CONNECTION_CLOSE, &got,
					    &got_len));
			EXPECT_EQ(a->code, got.errcode);
		}
		qk_pair_close(&self->p);
	}
}

/* A connection works with what the peer may announce beyond the ranges of the options. */
QUIC_TEST_F(peer, a_peer_with_other_limits_is_served)
{
	struct quic_transport_param got;
	__u8 bytes[QK_MAX_PARAMS];
	size_t len;

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	len = edited(self->p.client, "\x0e\x02\x40\x40\x20\x04\x80\x01\x00\x00", 10, bytes);
	ASSERT_LT(0, len);
	ASSERT_EQ(0, qk_set(self->p.server, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, bytes, len));
	ASSERT_EQ(0, get(self->p.server, &got, 1));
	EXPECT_LE(8, got.active_connection_id_limit);
	EXPECT_EQ(65535, got.max_datagram_frame_size);
	/* The parameters come once. */
	EXPECT_EQ(E, qk_set(self->p.server, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, bytes, len));
}

TEST_HARNESS_MAIN
