// SPDX-License-Identifier: GPL-2.0
/*
 * Versions (RFC 9368, 9369), address validation by Retry and NEW_TOKEN
 * (RFC 9000 8.1), and early data (RFC 9001 4.6).
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "quic_net.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

FIXTURE(version) {
	struct qk_pair p;
	struct qk_opts opts;
	struct quic_config client;
	struct quic_config server;
	struct quic_transport_param client_param;
	struct quic_transport_param server_param;
};

FIXTURE_VARIANT(version) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(version, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(version, v6) { QK_V6 };

FIXTURE_SETUP(version)
{
	self->p = (struct qk_pair){ -1, -1, -1 };
	ASSERT_EQ(0, qn_setup());
	self->opts.family = variant->family;
	self->opts.client_config = &self->client;
	self->opts.server_config = &self->server;
	self->opts.client_param = &self->client_param;
	self->opts.server_param = &self->server_param;
}

FIXTURE_TEARDOWN(version)
{
	qk_pair_close(&self->p);
}

/* Version in use at both ends, or 0 if they differ. */
static __u32 agreed(const struct qk_pair *p)
{
	struct quic_info client, server;

	if (qn_info(p->client, &client) || qn_info(p->server, &server))
		return 0;
	return client.version == server.version ? client.version : 0;
}

QUIC_TEST_F(version, each_pair_of_wishes_by_table)
{
	static const struct {
		__u32 client, server;
		bool incompatible;	/* the server does not change versions */
		__u32 agreed;
		int negotiations;
	} rows[] = {
		{ 0, 0, 0, QUIC_VERSION_V1, 0 },
		{ QUIC_VERSION_V1, QUIC_VERSION_V1, 0, QUIC_VERSION_V1, 0 },
		{ QUIC_VERSION_V2, 0, 0, QUIC_VERSION_V2, 0 },
		{ QUIC_VERSION_V2, QUIC_VERSION_V2, 0, QUIC_VERSION_V2, 0 },
		/* Compatible negotiation, both ways (RFC 9368 2.3). */
		{ QUIC_VERSION_V1, QUIC_VERSION_V2, 0, QUIC_VERSION_V2, 0 },
		{ QUIC_VERSION_V2, QUIC_VERSION_V1, 0, QUIC_VERSION_V1, 0 },
		{ QUIC_VERSION_V1, QUIC_VERSION_V2, 1, QUIC_VERSION_V1, 0 },
		/* Nobody speaks 123: the server says what it speaks. */
		{ 123, 0, 0, QUIC_VERSION_V1, 1 },
		{ 123, QUIC_VERSION_V2, 0, QUIC_VERSION_V2, 1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		__s64 sent = qn_snmp(QN_SERVER, "QuicVersionNegotiationOut");
		__s64 acted = qn_snmp(QN_CLIENT, "QuicVersionNegotiationIn");

		self->client.version = rows[i].client;
		self->server.version = rows[i].server;
		self->server_param.disable_compatible_version = rows[i].incompatible;
		ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts)) {
			TH_LOG("row %zu", i);
		}
		EXPECT_EQ(rows[i].agreed, agreed(&self->p)) {
			TH_LOG("row %zu", i);
		}
		EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 20000)) {
			TH_LOG("row %zu", i);
		}
		EXPECT_EQ(rows[i].negotiations,
			  qn_snmp(QN_SERVER, "QuicVersionNegotiationOut") - sent) {
			TH_LOG("row %zu", i);
		}
		EXPECT_EQ(rows[i].negotiations,
			  qn_snmp(QN_CLIENT, "QuicVersionNegotiationIn") - acted) {
			TH_LOG("row %zu", i);
		}
		qk_pair_close(&self->p);
	}
}

QUIC_TEST_F(version, retry_in_each_version)
{
	static const __u32 versions[] = { QUIC_VERSION_V1, QUIC_VERSION_V2 };
	size_t i;

	self->server.validate_peer_address = 1;
	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		__s64 sent = qn_snmp(QN_SERVER, "QuicRetryOut");
		__s64 acted = qn_snmp(QN_CLIENT, "QuicRetryIn");

		self->client.version = versions[i];
		ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
		EXPECT_EQ(versions[i], agreed(&self->p));
		EXPECT_EQ(1, qn_snmp(QN_SERVER, "QuicRetryOut") - sent);
		EXPECT_EQ(1, qn_snmp(QN_CLIENT, "QuicRetryIn") - acted);
		EXPECT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(5), false, 20000));
		qk_pair_close(&self->p);
	}
}

/* The token of NEW_TOKEN, given for the next connection to the same listener. */
QUIC_TEST_F(version, a_token_spares_the_next_connection_the_retry)
{
	__u8 token[256], event[256];
	socklen_t len = sizeof(token);
	struct qk_item it;
	ssize_t ret;
	__s64 sent;

	self->server.validate_peer_address = 1;
	self->opts.client_events = 1u << QUIC_EVENT_NEW_TOKEN;
	ASSERT_EQ(0, qn_hs_start(&self->p, &self->opts));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	ret = qk_next(self->p.client, &it, event, sizeof(event));
	ASSERT_LT(1, ret);
	EXPECT_EQ(QK_EVENT, it.kind);
	EXPECT_EQ(QUIC_EVENT_NEW_TOKEN, event[0]);
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_TOKEN, token, &len));
	ASSERT_EQ(ret - 1, (ssize_t)len);
	EXPECT_EQ(0, memcmp(event + 1, token, len));
	qk_close(&self->p.client);
	qk_close(&self->p.server);

	sent = qn_snmp(QN_SERVER, "QuicRetryOut");
	self->p.client = qn_connect(&self->opts);
	ASSERT_LE(0, self->p.client);
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_TOKEN, token, len));
	ASSERT_EQ(0, qk_hs_hello(&self->p, &self->opts));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	EXPECT_EQ(0, qn_echo(&self->p, "known"));
	EXPECT_EQ(sent, qn_snmp(QN_SERVER, "QuicRetryOut"));
	qk_close(&self->p.client);
	qk_close(&self->p.server);

	/* It is good for one connection: somebody may have taken it down (RFC 9000 8.1.4). */
	self->p.client = qn_connect(&self->opts);
	ASSERT_LE(0, self->p.client);
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_TOKEN, token, len));
	ASSERT_EQ(0, qk_hs_hello(&self->p, &self->opts));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	EXPECT_EQ(0, qn_echo(&self->p, "seen"));
	EXPECT_EQ(sent + 1, qn_snmp(QN_SERVER, "QuicRetryOut"));
	qk_close(&self->p.client);
	qk_close(&self->p.server);

	/* A token that is not whole is as good as none. */
	token[len / 2] ^= 1;
	self->p.client = qn_connect(&self->opts);
	ASSERT_LE(0, self->p.client);
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_TOKEN, token, len));
	ASSERT_EQ(0, qk_hs_hello(&self->p, &self->opts));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	EXPECT_EQ(sent + 2, qn_snmp(QN_SERVER, "QuicRetryOut"));
}

QUIC_TEST_F(version, a_lost_first_packet_is_sent_again)
{
	__u8 hello[1024];
	size_t len;

	ASSERT_EQ(0, qn("drop to-server"));
	self->p.listener = qn_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	self->p.client = qn_connect(&self->opts);
	ASSERT_LE(0, self->p.client);
	len = qk_client_hello(self->p.client, NULL, hello, sizeof(hello));
	ASSERT_EQ((ssize_t)len, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, len, 0));
	ASSERT_EQ(0, qn("drop off"));
	self->p.server = qk_accept(self->p.listener);
	ASSERT_LE(0, self->p.server);
	ASSERT_EQ(0, qk_hs_recv(self->p.server, QUIC_CRYPTO_INITIAL, hello, len));
	EXPECT_EQ(0, qk_hs_finish(&self->p, 0));
	EXPECT_EQ(0, qn_echo(&self->p, "late"));
}

/* What a client remembers of the server, for early data (RFC 9000 7.4.1). */
static int remember(int client)
{
	struct quic_transport_param limits = {
		.remote = 1,
		.max_data = 100000,
		.max_stream_data_bidi_local = 50000,
		.max_stream_data_bidi_remote = 50000,
		.max_stream_data_uni = 50000,
		.max_streams_bidi = 10,
		.max_streams_uni = 10,
	};

	return qk_set(client, QUIC_SOCKOPT_TRANSPORT_PARAM, &limits, sizeof(limits));
}

/* A ClientHello with 4,000 bytes of early data behind it. */
static int start_early(struct qk_pair *p, const struct qk_opts *opts, bool accepts)
{
	__u8 data[4000];
	int ret;

	p->listener = qn_listen(opts);
	if (p->listener < 0)
		return p->listener;
	p->client = qn_connect(opts);
	if (p->client < 0)
		return p->client;
	ret = remember(p->client);
	if (!ret)
		ret = qk_secret(p->client, QUIC_CRYPTO_EARLY, true, false, 0);
	/* That of the direction without early data changes nothing. */
	if (!ret)
		ret = qk_secret(p->client, QUIC_CRYPTO_EARLY, false, true, 0);
	qk_pattern(data, sizeof(data), 42, 0);
	if (!ret)
		ret = qk_send(p->client, 0, NEW | FIN, data, sizeof(data), 0);
	if (ret != sizeof(data))
		return ret < 0 ? ret : -EMSGSIZE;
	ret = qk_hs_hello(p, opts);
	if (!ret && accepts)
		ret = qk_secret(p->server, QUIC_CRYPTO_EARLY, false, false, 0);
	if (!ret && accepts)
		ret = qk_secret(p->server, QUIC_CRYPTO_EARLY, true, true, 0);
	return ret;
}

/* Whether early data has arrived and is kept back: TLS reads its own messages only. */
static bool waits_for_handshake(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	__s64 start = qk_now_ms();
	int bytes = 0;
	__u8 byte;

	while (bytes < 4000) {
		if (ioctl(fd, SIOCINQ, &bytes) || qk_now_ms() - start > qk_wait_ms())
			return false;
		poll(NULL, 0, 1);
	}
	return poll(&pfd, 1, 0) == 0 && recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

static int read_early(int fd)
{
	__u8 got[4000], want[4000];
	size_t done = 0;
	struct qk_item it;

	qk_pattern(want, sizeof(want), 42, 0);
	do {
		ssize_t ret = qk_next(fd, &it, got + done, sizeof(got) - done);

		if (ret < 0)
			return ret;
		if (it.kind != QK_STREAM || it.stream_id != 0)
			return -EBADMSG;
		done += ret;
	} while (!(it.stream_flags & FIN));
	return done == sizeof(want) && !memcmp(got, want, done) ? 0 : -EILSEQ;
}

QUIC_TEST_F(version, early_data_that_is_accepted_is_sent_once)
{
	static const __u32 versions[] = { QUIC_VERSION_V1, QUIC_VERSION_V2 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		struct quic_info info;

		self->client.version = versions[i];
		self->server.version = versions[i];
		ASSERT_EQ(0, start_early(&self->p, &self->opts, true));
		EXPECT_TRUE(waits_for_handshake(self->p.server));
		ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
		EXPECT_EQ(0, read_early(self->p.server));
		EXPECT_EQ(0, qn_echo(&self->p, "more"));
		ASSERT_EQ(0, qn_info(self->p.client, &info));
		EXPECT_EQ(0, info.packets_lost);
		/* A slow machine may probe: two datagrams each (RFC 9002 6.2.4). */
		EXPECT_GT(4000 + 2 * 1200 + 1500 + info.probe_timeouts * 2 * 1500,
			  info.bytes_sent) {
			TH_LOG("early data was sent twice");
		}
		qk_pair_close(&self->p);
	}
}

QUIC_TEST_F(version, early_data_that_is_rejected_is_sent_again)
{
	ASSERT_EQ(0, start_early(&self->p, &self->opts, false));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	EXPECT_EQ(0, read_early(self->p.server));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_BIDI(1), true, 20000));
}

QUIC_TEST_F(version, early_data_survives_a_retry)
{
	self->server.validate_peer_address = 1;
	ASSERT_EQ(0, start_early(&self->p, &self->opts, true));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	EXPECT_EQ(0, read_early(self->p.server));
	EXPECT_EQ(0, qn_echo(&self->p, "more"));
}

TEST_HARNESS_MAIN
