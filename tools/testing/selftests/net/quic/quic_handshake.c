// SPDX-License-Identifier: GPL-2.0
/* The handshake interface: levels, ciphers, ALPN, sizes, order, bad secrets. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

FIXTURE(handshake) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_VARIANT(handshake) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(handshake, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(handshake, v6) { QK_V6 };
FIXTURE_VARIANT_ADD(handshake, mapped) { QK_MAPPED };

FIXTURE_SETUP(handshake)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
}

FIXTURE_TEARDOWN(handshake)
{
	qk_pair_close(&self->p);
}

QUIC_TEST_F(handshake, each_cipher_establishes)
{
	static const __u32 ciphers[] = {
		QK_AES_GCM_128, QK_AES_GCM_256, QK_AES_CCM_128, QK_CHACHA20_POLY1305,
	};
	struct qk_item it;
	char buf[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ciphers); i++) {
		self->opts.cipher = ciphers[i];
		ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts)) {
			TH_LOG("cipher %u", ciphers[i]);
		}
		ASSERT_EQ(2, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "hi", 2, 0));
		EXPECT_EQ(2, qk_next(self->p.server, &it, buf, sizeof(buf)));
		qk_pair_close(&self->p);
	}
}

QUIC_TEST_F(handshake, alpn_finds_its_listener)
{
	self->opts.alpn = "selftest";
	EXPECT_EQ(0, qk_pair_open(&self->p, &self->opts));
}

QUIC_TEST_F(handshake, of_two_listeners_on_a_port_the_one_with_the_alpn_accepts)
{
	struct pollfd both[2] = { { .events = POLLIN }, { .events = POLLIN } };
	__u8 hello[1024];
	size_t n;
	int other;

	self->opts.alpn = "one";
	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	self->opts.alpn = "two";
	other = qk_listen_at(&self->opts, qk_port(self->p.listener));
	ASSERT_LE(0, other);
	self->opts.alpn = "one";
	self->p.client = qk_connect(&self->opts, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	both[0].fd = other;
	both[1].fd = self->p.listener;
	n = qk_client_hello(self->p.client, "two", hello, sizeof(hello));
	ASSERT_EQ((ssize_t)n, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, n, 0));
	ASSERT_LE(0, poll(both, 2, qk_wait_ms()));
	if (both[1].revents) {
		qk_close(&other);
		SKIP(return, "this kernel does not choose listeners by ALPN");
	}
	ASSERT_EQ(POLLIN, both[0].revents);
	self->p.server = qk_accept(other);
	ASSERT_LE(0, self->p.server);
	EXPECT_EQ(0, qk_hs_recv(self->p.server, QUIC_CRYPTO_INITIAL, hello, n));
	qk_close(&other);
}

QUIC_TEST_F(handshake, messages_need_not_be_tls)
{
	char got[16];

	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	self->p.client = qk_connect(&self->opts, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	ASSERT_EQ(11, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, "CLIENTHELLO", 11, 0));
	self->p.server = qk_accept(self->p.listener);
	ASSERT_LE(0, self->p.server);
	ASSERT_EQ(0, qk_hs_recv(self->p.server, QUIC_CRYPTO_INITIAL, got, 11));
	EXPECT_EQ(0, memcmp(got, "CLIENTHELLO", 11));
	EXPECT_EQ(0, qk_hs_finish(&self->p, 0));
}

QUIC_TEST_F(handshake, a_flight_of_many_packets_arrives_in_order)
{
	static __u8 sent[12000], got[12000];
	int room = 1 << 18;

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	qk_pattern(sent, sizeof(sent), 77, 0);
	ASSERT_EQ(0, qk_give_params(self->p.client, self->p.server));
	ASSERT_EQ(0, qk_secret(self->p.server, QUIC_CRYPTO_HANDSHAKE, true, true, 0));
	ASSERT_EQ(0, qk_secret(self->p.server, QUIC_CRYPTO_HANDSHAKE, false, false, 0));
	/* All of it fits, though most waits for the client to show its address. */
	ASSERT_EQ(0, setsockopt(self->p.server, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	ASSERT_EQ(2, qk_hs_send(self->p.server, QUIC_CRYPTO_INITIAL, "SH", 2, MSG_MORE));
	ASSERT_EQ(12000, qk_hs_send(self->p.server, QUIC_CRYPTO_HANDSHAKE, sent, sizeof(sent),
				    0));
	ASSERT_EQ(0, qk_hs_recv(self->p.client, QUIC_CRYPTO_INITIAL, got, 2));
	ASSERT_EQ(0, qk_secret(self->p.client, QUIC_CRYPTO_HANDSHAKE, true, false, 0));
	ASSERT_EQ(0, qk_secret(self->p.client, QUIC_CRYPTO_HANDSHAKE, false, true, 0));
	ASSERT_EQ(0, qk_hs_recv(self->p.client, QUIC_CRYPTO_HANDSHAKE, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(sent, got, sizeof(sent)));
}

QUIC_TEST_F(handshake, levels_without_keys_cannot_send)
{
	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	EXPECT_EQ(-EINVAL, qk_hs_send(self->p.client, QUIC_CRYPTO_HANDSHAKE, "x", 1, 0));
	EXPECT_EQ(-EINVAL, qk_hs_send(self->p.client, QUIC_CRYPTO_APP, "x", 1, 0));
	EXPECT_EQ(-EINVAL, qk_hs_send(self->p.client, QUIC_CRYPTO_EARLY, "x", 1, 0));
	EXPECT_EQ(-EMSGSIZE, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, "", 0, 0));
}

QUIC_TEST_F(handshake, secrets_by_table)
{
	static const struct {
		__u8 level;
		__u32 type;
		int ret;
	} rows[] = {
		{ QUIC_CRYPTO_HANDSHAKE, 0, -EINVAL },
		{ QUIC_CRYPTO_HANDSHAKE, 50, -EINVAL },
		{ QUIC_CRYPTO_HANDSHAKE, 55, -EINVAL },
		{ QUIC_CRYPTO_HANDSHAKE, 0xffffffff, -EINVAL },
		{ QUIC_CRYPTO_INITIAL, QK_AES_GCM_128, -EINVAL },
		{ QUIC_CRYPTO_MAX, QK_AES_GCM_128, -EINVAL },
		{ 255, QK_AES_GCM_128, -EINVAL },
		{ QUIC_CRYPTO_HANDSHAKE, QK_AES_GCM_128, 0 },
	};
	size_t i;

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct quic_crypto_secret s = {
			.send = 1, .level = rows[i].level, .type = rows[i].type,
		};

		EXPECT_EQ(rows[i].ret, qk_set(self->p.client, QUIC_SOCKOPT_CRYPTO_SECRET, &s,
					      sizeof(s))) {
			TH_LOG("level %u type %u", rows[i].level, rows[i].type);
		}
	}
}

QUIC_TEST_F(handshake, nothing_of_it_works_again_once_established)
{
	__u8 params[QK_MAX_PARAMS];
	socklen_t len = sizeof(params);

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	EXPECT_EQ(-EINVAL, qk_secret(self->p.client, QUIC_CRYPTO_APP, true, false, 0));
	EXPECT_EQ(-EINVAL, qk_get(self->p.client, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, params,
				  &len));
	EXPECT_EQ(-EINVAL, qk_set(self->p.client, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, params, 10));
}

QUIC_TEST_F(handshake, the_encoded_parameters_fit_into_256_bytes)
{
	__u8 params[QK_MAX_PARAMS];
	socklen_t len = 256, tiny = 1;

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	EXPECT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, params, &len));
	EXPECT_LT(10, len);
	EXPECT_EQ(-EINVAL, qk_get(self->p.client, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, params,
				  &tiny));
	len = 256;
	EXPECT_EQ(0, qk_get(self->p.server, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, params, &len));
	EXPECT_LT(10, len);
}

struct bad {
	const char *what;
	const char *bytes;
	size_t len;
};

/* RFC 9000 7.4 and 18: each of them ends the connection. */
static const struct bad bads[] = {
	{ "nothing at all", "", 0 },
	{ "half a parameter id", "\x40", 1 },
	{ "length beyond the end", "\x04\x08\x01", 3 },
	{ "the same parameter twice", "\x0f\x00\x04\x01\x05\x04\x01\x06", 8 },
	{ "connection id of another peer", "\x0f\x08zzzzzzzz", 10 },
	{ "ack_delay_exponent of 21", "\x0a\x01\x15", 3 },
	{ "max_udp_payload_size of 1199", "\x03\x02\x44\xaf", 4 },
	{ "a server's parameter from a client", "\x02\x10TOKENTOKENTOKEN!", 18 },
};

QUIC_TEST_F(handshake, bad_transport_parameters_end_the_connection)
{
	size_t i;

	self->opts.client_events = 1u << QUIC_EVENT_CONNECTION_CLOSE;
	for (i = 0; i < ARRAY_SIZE(bads); i++) {
		union quic_event ev;

		ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
		EXPECT_GT(0, qk_set(self->p.server, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT,
				    bads[i].bytes, bads[i].len)) {
			TH_LOG("%s", bads[i].what);
		}
		EXPECT_EQ(sizeof(ev.close),
			  qk_next_event(self->p.client, QUIC_EVENT_CONNECTION_CLOSE, &ev)) {
			TH_LOG("%s", bads[i].what);
		}
		EXPECT_EQ(QUIC_TRANSPORT_ERROR_TRANSPORT_PARAM, ev.close.errcode) {
			TH_LOG("%s", bads[i].what);
		}
		qk_pair_close(&self->p);
	}
}

TEST_HARNESS_MAIN
