// SPDX-License-Identifier: GPL-2.0
/* TRANSPORT_PARAM and CONFIG: defaults, ranges, and values read back. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

struct row {
	const char *what;
	size_t offset;
	__u64 value;
	int ret;
};

#define PARAM(field, value, ret) \
	{ #field " = " #value, offsetof(struct quic_transport_param, field), value, ret }
#define CONF(field, value, ret) \
	{ #field " = " #value, offsetof(struct quic_config, field), value, ret }

#define E	(-EINVAL)
#define DATA_MAX	(0x7fffffffu / 4)
#define STREAM_MAX	(0x7fffffffu / 8)

static const struct row params[] = {
	PARAM(max_udp_payload_size, 1199, E),
	PARAM(max_udp_payload_size, 1200, 0),
	PARAM(max_udp_payload_size, 65527, 0),
	PARAM(max_udp_payload_size, 65528, E),
	PARAM(ack_delay_exponent, 1, 0),
	PARAM(ack_delay_exponent, 20, 0),
	PARAM(ack_delay_exponent, 21, E),
	PARAM(max_ack_delay, 16383999, 0),
	PARAM(max_ack_delay, 16384000, E),
	PARAM(active_connection_id_limit, 1, E),
	PARAM(active_connection_id_limit, 2, 0),
	PARAM(active_connection_id_limit, 8, 0),
	PARAM(active_connection_id_limit, 9, E),
	PARAM(max_idle_timeout, 999999, E),
	PARAM(max_idle_timeout, 1000000, 0),
	PARAM(max_idle_timeout, 0xffffffff, 0),
	PARAM(max_datagram_frame_size, 1199, E),
	PARAM(max_datagram_frame_size, 1200, 0),
	PARAM(max_datagram_frame_size, 65535, 0),
	PARAM(max_data, 1199, E),
	PARAM(max_data, 1200, 0),
	PARAM(max_data, DATA_MAX, 0),
	PARAM(max_data, DATA_MAX + 1, E),
	PARAM(max_data, ~0ull, E),
	PARAM(max_stream_data_bidi_local, 1199, E),
	PARAM(max_stream_data_bidi_local, STREAM_MAX, 0),
	PARAM(max_stream_data_bidi_local, STREAM_MAX + 1, E),
	PARAM(max_stream_data_bidi_remote, 1199, E),
	PARAM(max_stream_data_bidi_remote, STREAM_MAX, 0),
	PARAM(max_stream_data_bidi_remote, STREAM_MAX + 1, E),
	PARAM(max_stream_data_uni, 1199, E),
	PARAM(max_stream_data_uni, STREAM_MAX, 0),
	PARAM(max_stream_data_uni, STREAM_MAX + 1, E),
	PARAM(max_streams_bidi, 4096, 0),
	PARAM(max_streams_bidi, 4097, E),
	PARAM(max_streams_uni, 4096, 0),
	PARAM(max_streams_uni, 4097, E),
	PARAM(max_streams_uni, 1, 0),
	PARAM(disable_active_migration, 1, 0),
	PARAM(grease_quic_bit, 1, 0),
	PARAM(stateless_reset, 1, 0),
	PARAM(disable_1rtt_encryption, 1, 0),
	PARAM(disable_compatible_version, 1, 0),
};

static const struct row configs[] = {
	CONF(version, QUIC_VERSION_V1, 0),
	CONF(version, QUIC_VERSION_V2, 0),
	CONF(version, 123, 0),
	CONF(plpmtud_probe_interval, 4999999, E),
	CONF(plpmtud_probe_interval, 5000000, 0),
	CONF(plpmtud_probe_interval, 0xffffffffu / 30, 0),
	CONF(plpmtud_probe_interval, 0xffffffffu / 30 + 1, E),
	CONF(initial_smoothed_rtt, 999, E),
	CONF(initial_smoothed_rtt, 1000, 0),
	CONF(initial_smoothed_rtt, 6000000, 0),
	CONF(initial_smoothed_rtt, 6000001, E),
	CONF(payload_cipher_type, 50, E),
	CONF(payload_cipher_type, QK_AES_GCM_128, 0),
	CONF(payload_cipher_type, QK_CHACHA20_POLY1305, 0),
	CONF(payload_cipher_type, 55, E),
	CONF(congestion_control_algo, QUIC_CONG_ALG_CUBIC, 0),
	CONF(congestion_control_algo, QUIC_CONG_ALG_MAX, E),
	CONF(congestion_control_algo, 255, E),
	CONF(validate_peer_address, 1, 0),
	CONF(stream_data_nodelay, 1, 0),
	CONF(receive_session_ticket, 255, 0),
	CONF(certificate_request, 3, 0),
	CONF(certificate_request, 255, 0),
	CONF(keepalive_probe_interval, 1499999, E),
	CONF(keepalive_probe_interval, 1500000, 0),
	CONF(reserved, 0xffffff, 0),
	CONF(reserved, QUIC_NEGOTIATION_RESTART, 0),
	CONF(reserved, 3, 0),
	CONF(reserved, QUIC_NEGOTIATION_RESTARTED, 0),
};

static size_t param_width(size_t offset)
{
	static const size_t ends[][2] = { { 8, 1 }, { 12, 2 }, { 20, 4 }, { 24, 2 }, { 56, 8 } };
	size_t i = 0;

	while (offset >= ends[i][0])
		i++;
	return ends[i][1];
}

static size_t config_width(size_t offset)
{
	return offset == offsetof(struct quic_config, reserved) ? 3 :
	       offset >= 16 && offset < 21 ? 1 : 4;
}

/* Machines that kernel Rust runs on here are little endian. */
static void put(void *base, const struct row *r, size_t width)
{
	memcpy((char *)base + r->offset, &r->value, width);
}

static bool holds(const void *base, const struct row *r, size_t width)
{
	return !memcmp((const char *)base + r->offset, &r->value, width);
}

FIXTURE(param) {
	int fd;
};

FIXTURE_SETUP(param)
{
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->fd = qk_socket(QK_V4, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(param)
{
	qk_close(&self->fd);
}

QUIC_TEST_F(param, transport_parameters_have_the_documented_defaults)
{
	struct quic_transport_param got, want = {
		.active_connection_id_limit = 7,
		.ack_delay_exponent = 3,
		.max_udp_payload_size = 65527,
		.max_idle_timeout = 30000000,
		.max_ack_delay = 25000,
		.max_streams_bidi = 100,
		.max_streams_uni = 100,
		.max_data = 65535 * 32,
		.max_stream_data_bidi_local = 65535 * 16,
		.max_stream_data_bidi_remote = 65535 * 16,
		.max_stream_data_uni = 65535 * 16,
	};
	socklen_t len = sizeof(got);

	memset(&got, 0, sizeof(got));
	ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &got, &len));
	EXPECT_EQ(0, memcmp(&want, &got, sizeof(got))) {
		TH_LOG("idle %u ack %u/%u ids %u streams %u/%u data %llu stream %llu/%llu/%llu",
		       got.max_idle_timeout, got.max_ack_delay, got.ack_delay_exponent,
		       got.active_connection_id_limit, got.max_streams_bidi,
		       got.max_streams_uni, got.max_data, got.max_stream_data_bidi_local,
		       got.max_stream_data_bidi_remote, got.max_stream_data_uni);
	}
}

QUIC_TEST_F(param, config_has_the_documented_defaults)
{
	struct quic_config got, want = { .initial_smoothed_rtt = 333000 };
	socklen_t len = sizeof(got);

	memset(&got, 0xee, sizeof(got));
	ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_CONFIG, &got, &len));
	EXPECT_EQ(0, memcmp(&want, &got, sizeof(got))) {
		TH_LOG("version %#x rtt %u cong %u keepalive %u", got.version,
		       got.initial_smoothed_rtt, got.congestion_control_algo,
		       got.keepalive_probe_interval);
	}
}

QUIC_TEST_F(param, transport_parameters_by_range)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(params); i++) {
		struct quic_transport_param set = { }, before = { }, after = { };
		size_t width = param_width(params[i].offset);
		socklen_t len = sizeof(set);

		ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &before, &len));
		put(&set, &params[i], width);
		EXPECT_EQ(params[i].ret,
			  qk_set(self->fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &set, sizeof(set))) {
			TH_LOG("%s", params[i].what);
		}
		ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &after, &len));
		if (params[i].ret) {
			EXPECT_EQ(0, memcmp(&before, &after, sizeof(after))) {
				TH_LOG("%s was refused, yet changed something", params[i].what);
			}
			continue;
		}
		EXPECT_TRUE(holds(&after, &params[i], width)) {
			TH_LOG("%s is not read back", params[i].what);
		}
		put(&before, &params[i], width);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(after))) {
			TH_LOG("%s changed another field", params[i].what);
		}
	}
}

QUIC_TEST_F(param, config_by_range)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(configs); i++) {
		struct quic_config set = { }, before = { }, after = { };
		size_t width = config_width(configs[i].offset);
		socklen_t len = sizeof(set);
		/* What a program may have left there without a meaning is ignored. */
		bool reserved = configs[i].offset == offsetof(struct quic_config, reserved) &&
				configs[i].value > QUIC_NEGOTIATION_RESTARTED;

		ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_CONFIG, &before, &len));
		put(&set, &configs[i], width);
		EXPECT_EQ(configs[i].ret,
			  qk_set(self->fd, QUIC_SOCKOPT_CONFIG, &set, sizeof(set))) {
			TH_LOG("%s", configs[i].what);
		}
		ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_CONFIG, &after, &len));
		if (!configs[i].ret && !reserved)
			put(&before, &configs[i], width);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(after))) {
			TH_LOG("%s", configs[i].what);
		}
	}
}

QUIC_TEST_F(param, one_bad_field_keeps_the_good_ones_from_taking_effect)
{
	struct quic_transport_param set = { .max_streams_bidi = 5, .max_data = 1 };
	struct quic_config conf = { .version = 7, .keepalive_probe_interval = 1 };
	socklen_t len = sizeof(set), conf_len = sizeof(conf);

	EXPECT_EQ(-EINVAL, qk_set(self->fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &set, sizeof(set)));
	ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &set, &len));
	EXPECT_EQ(100, set.max_streams_bidi);
	EXPECT_EQ(-EINVAL, qk_set(self->fd, QUIC_SOCKOPT_CONFIG, &conf, sizeof(conf)));
	ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_CONFIG, &conf, &conf_len));
	EXPECT_EQ(0, conf.version);
}

QUIC_TEST_F(param, max_data_sets_the_receive_buffer)
{
	struct quic_transport_param set = { .max_data = 1000000 };
	int buf = 0;
	socklen_t len = sizeof(buf);

	ASSERT_EQ(0, qk_set(self->fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &set, sizeof(set)));
	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &buf, &len));
	EXPECT_EQ(4000000, buf);
}

QUIC_TEST_F(param, the_peer_learns_what_was_set)
{
	struct quic_transport_param own = {
		.ack_delay_exponent = 5, .max_ack_delay = 40000, .max_idle_timeout = 20000000,
		.max_streams_bidi = 11, .max_streams_uni = 12, .max_data = 130000,
		.max_stream_data_bidi_local = 14000, .max_stream_data_bidi_remote = 15000,
		.max_stream_data_uni = 16000,
	};
	struct quic_transport_param got = { .remote = 1 };
	struct qk_opts opts = { .client_param = &own };
	socklen_t len = sizeof(got);
	struct qk_pair p;

	ASSERT_EQ(0, qk_pair_open(&p, &opts));
	ASSERT_EQ(0, qk_get(p.server, QUIC_SOCKOPT_TRANSPORT_PARAM, &got, &len));
	EXPECT_EQ(own.ack_delay_exponent, got.ack_delay_exponent);
	EXPECT_EQ(own.max_ack_delay, got.max_ack_delay);
	EXPECT_EQ(own.max_idle_timeout, got.max_idle_timeout);
	EXPECT_EQ(own.max_streams_bidi, got.max_streams_bidi);
	EXPECT_EQ(own.max_streams_uni, got.max_streams_uni);
	EXPECT_EQ(own.max_data, got.max_data);
	EXPECT_EQ(own.max_stream_data_bidi_local, got.max_stream_data_bidi_local);
	EXPECT_EQ(own.max_stream_data_bidi_remote, got.max_stream_data_bidi_remote);
	EXPECT_EQ(own.max_stream_data_uni, got.max_stream_data_uni);
	qk_pair_close(&p);
}

/* Programs written for the C module have room for its parameters and no more. */
QUIC_TEST_F(param, the_parameters_fit_a_small_buffer)
{
	struct qk_opts opts = { .family = QK_V4 };
	struct sockaddr_in addr;
	socklen_t addr_len = sizeof(addr);
	struct qk_pair p;
	__u8 buf[512];
	socklen_t len;

	ASSERT_EQ(0, qk_hs_start(&p, &opts));
	ASSERT_EQ(0, getsockname(p.server, (struct sockaddr *)&addr, &addr_len));
	addr.sin_port = htons(ntohs(addr.sin_port) + 1);
	ASSERT_EQ(0, qk_set(p.server, QUIC_SOCKOPT_CONNECTION_MIGRATION, &addr, sizeof(addr)));
	len = 100;
	EXPECT_EQ(-EINVAL, qk_get(p.server, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, buf, &len));
	len = sizeof(buf);
	ASSERT_EQ(0, qk_get(p.server, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, buf, &len));
	EXPECT_GT(256, len);
	EXPECT_LT(128, len);
	len = 128;
	ASSERT_EQ(0, qk_get(p.server, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, buf, &len));
	EXPECT_GE(128, len);
	EXPECT_EQ(0, qk_set(p.client, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, buf, len));
	qk_pair_close(&p);
}

TEST_HARNESS_MAIN
