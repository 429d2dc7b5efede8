// SPDX-License-Identifier: GPL-2.0
/*
 * Options set between connect() and the first packet, as some programs do: each
 * of them takes effect as if it had been set before.
 */
#include "kselftest_harness.h"
#include "quic_ksft.h"

#define PORT	4433
#define HELLO	"\1\0\0\1x"

FIXTURE(late) {
	struct qk_pair p;
	struct qk_opts opts;
	int udp;
};

FIXTURE_VARIANT(late) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(late, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(late, v6) { QK_V6 };

FIXTURE_SETUP(late)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->udp = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
}

FIXTURE_TEARDOWN(late)
{
	qk_pair_close(&self->p);
	qk_close(&self->udp);
}

static int configure(int fd, const struct quic_config *config)
{
	return qk_set(fd, QUIC_SOCKOPT_CONFIG, config, sizeof(*config));
}

static int info_of(int fd, struct quic_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return qk_get(fd, QUIC_SOCKOPT_INFO, info, &len);
}

/* A UDP socket in the server's place, to see what the client sends. */
static int connect_to_udp(QUIC_SELF(late))
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, self->opts.family, PORT);

	self->udp = qk_udp(self->opts.family);
	if (self->udp < 0 || bind(self->udp, (struct sockaddr *)&ss, len))
		return -errno;
	self->p.client = qk_connect(&self->opts, PORT);
	return self->p.client < 0 ? self->p.client : 0;
}

static const __u32 versions[] = { QUIC_VERSION_V1, QUIC_VERSION_V2, 123, 0x1a2a3a4a };

QUIC_TEST_F(late, the_version_is_that_of_the_first_packet)
{
	__u8 buf[2048];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		struct quic_config config = { .version = versions[i] };
		__u32 seen;

		ASSERT_EQ(0, connect_to_udp(self));
		ASSERT_EQ(0, configure(self->p.client, &config));
		ASSERT_EQ(5, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, HELLO, 5, 0));
		ASSERT_LE(0, qk_wait(self->udp, POLLIN));
		ASSERT_LE(1200, recv(self->udp, buf, sizeof(buf), MSG_DONTWAIT));
		memcpy(&seen, buf + 1, sizeof(seen));
		EXPECT_EQ(versions[i], ntohl(seen));
		qk_close(&self->p.client);
		qk_close(&self->udp);
	}
}

QUIC_TEST_F(late, the_version_stays_once_a_packet_was_sent)
{
	struct quic_config config = { .version = QUIC_VERSION_V2 };
	struct quic_info info;

	ASSERT_EQ(0, connect_to_udp(self));
	ASSERT_EQ(5, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, HELLO, 5, 0));
	ASSERT_EQ(0, configure(self->p.client, &config));
	ASSERT_EQ(0, info_of(self->p.client, &info));
	EXPECT_EQ(QUIC_VERSION_V1, info.version);
}

QUIC_TEST_F(late, the_initial_round_trip_time_is_assumed)
{
	struct quic_config config = { .initial_smoothed_rtt = 77000 };
	struct quic_info info;

	ASSERT_EQ(0, connect_to_udp(self));
	ASSERT_EQ(0, info_of(self->p.client, &info));
	EXPECT_EQ(333000, info.smoothed_rtt);
	ASSERT_EQ(0, configure(self->p.client, &config));
	ASSERT_EQ(0, info_of(self->p.client, &info));
	EXPECT_EQ(77000, info.smoothed_rtt);
}

QUIC_TEST_F(late, the_congestion_control_is_the_chosen_one)
{
	struct quic_config config = { .congestion_control_algo = QUIC_CONG_ALG_CUBIC };
	struct quic_info info;

	ASSERT_EQ(0, connect_to_udp(self));
	ASSERT_EQ(0, info_of(self->p.client, &info));
	EXPECT_EQ(QUIC_CONG_ALG_RENO, info.congestion_control_algo);
	ASSERT_EQ(0, configure(self->p.client, &config));
	ASSERT_EQ(0, info_of(self->p.client, &info));
	EXPECT_EQ(QUIC_CONG_ALG_CUBIC, info.congestion_control_algo);
}

/* What curl does: ALPN, TRANSPORT_PARAM and CONFIG after connect(). */
QUIC_TEST_F(late, a_client_that_chooses_everything_after_connect_is_served)
{
	struct quic_transport_param param = { .max_data = 200000, .max_streams_uni = 3,
					      .disable_compatible_version = 1,
					      .max_datagram_frame_size = 1400 };
	struct quic_config config = { .version = QUIC_VERSION_V2, .stream_data_nodelay = 1,
				      .plpmtud_probe_interval = 5000000,
				      .congestion_control_algo = QUIC_CONG_ALG_CUBIC };
	struct quic_transport_param seen = { .remote = 1 };
	socklen_t len = sizeof(seen);
	__u8 hello[1024], got[1024];
	struct quic_info info;
	struct qk_item it;
	size_t n;

	self->opts.alpn = "h3";
	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	self->opts.alpn = NULL;
	self->p.client = qk_connect(&self->opts, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_ALPN, "h3", 2));
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_TRANSPORT_PARAM, &param, sizeof(param)));
	ASSERT_EQ(0, configure(self->p.client, &config));
	n = qk_client_hello(self->p.client, "h3", hello, sizeof(hello));
	ASSERT_LT(0, n);
	ASSERT_EQ((ssize_t)n, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, n, 0));
	self->p.server = qk_accept(self->p.listener);
	ASSERT_LE(0, self->p.server);
	ASSERT_EQ(0, qk_hs_recv(self->p.server, QUIC_CRYPTO_INITIAL, got, n));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	ASSERT_EQ(0, info_of(self->p.server, &info));
	EXPECT_EQ(QUIC_VERSION_V2, info.version);
	ASSERT_EQ(0, qk_get(self->p.server, QUIC_SOCKOPT_TRANSPORT_PARAM, &seen, &len));
	EXPECT_EQ(200000, seen.max_data);
	EXPECT_EQ(3, seen.max_streams_uni);
	EXPECT_EQ(1400, seen.max_datagram_frame_size);
	EXPECT_EQ(1, seen.disable_compatible_version);
	ASSERT_EQ(5, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "hello", 5, 0));
	ASSERT_EQ(5, qk_next(self->p.server, &it, got, sizeof(got)));
}

/* A server's answer to the client's ClientHello chooses what it announces. */
QUIC_TEST_F(late, an_accepted_socket_still_announces_what_is_set)
{
	struct quic_transport_param param = { .stateless_reset = 1, .max_streams_bidi = 9 };
	struct quic_transport_param seen = { .remote = 1 };
	socklen_t len = sizeof(seen);

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	ASSERT_EQ(0, qk_set(self->p.server, QUIC_SOCKOPT_TRANSPORT_PARAM, &param, sizeof(param)));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_TRANSPORT_PARAM, &seen, &len));
	EXPECT_EQ(1, seen.stateless_reset);
	EXPECT_EQ(9, seen.max_streams_bidi);
}

TEST_HARNESS_MAIN
