// SPDX-License-Identifier: GPL-2.0
/* Transfers: every size class, both directions, each cipher and family. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

FIXTURE(bulk) {
	struct qk_pair p;
};

FIXTURE_VARIANT(bulk) {
	enum qk_family family;
	__u32 cipher;
	int type;
};

FIXTURE_VARIANT_ADD(bulk, v4_aes128) { QK_V4, QK_AES_GCM_128, SOCK_DGRAM };
FIXTURE_VARIANT_ADD(bulk, v4_aes256) { QK_V4, QK_AES_GCM_256, SOCK_DGRAM };
FIXTURE_VARIANT_ADD(bulk, v4_ccm) { QK_V4, QK_AES_CCM_128, SOCK_DGRAM };
FIXTURE_VARIANT_ADD(bulk, v4_chacha) { QK_V4, QK_CHACHA20_POLY1305, SOCK_DGRAM };
FIXTURE_VARIANT_ADD(bulk, v6_aes128) { QK_V6, QK_AES_GCM_128, SOCK_STREAM };
FIXTURE_VARIANT_ADD(bulk, v6_aes256) { QK_V6, QK_AES_GCM_256, SOCK_STREAM };
FIXTURE_VARIANT_ADD(bulk, v6_ccm) { QK_V6, QK_AES_CCM_128, SOCK_STREAM };
FIXTURE_VARIANT_ADD(bulk, v6_chacha) { QK_V6, QK_CHACHA20_POLY1305, SOCK_STREAM };
FIXTURE_VARIANT_ADD(bulk, mapped_aes128) { QK_MAPPED, QK_AES_GCM_128, SOCK_DGRAM };

FIXTURE_SETUP(bulk)
{
	struct qk_opts opts = {
		.family = variant->family,
		.type = variant->type,
		.cipher = variant->cipher,
	};
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
}

FIXTURE_TEARDOWN(bulk)
{
	qk_pair_close(&self->p);
}

/* Around the sizes of packets, chunks and windows. */
static const size_t sizes[] = {
	0, 1, 2, 63, 64, 1100, 1199, 1200, 1201, 2400, 16383, 16384, 65535, 65536, 65537, 300000,
};

QUIC_TEST_F(bulk, every_size_arrives_in_both_directions)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct qk_flow flows[2] = {
			{ .from = self->p.client, .to = self->p.server, .id = QK_CLIENT_BIDI(i),
			  .size = sizes[i], .seed = i },
			{ .from = self->p.server, .to = self->p.client, .id = QK_SERVER_BIDI(i),
			  .size = sizes[i], .seed = i + 1000 },
		};

		ASSERT_EQ(0, qk_flow_run(flows, 2)) {
			TH_LOG("%zu bytes; %zu/%zu and %zu/%zu sent/received", sizes[i],
			       flows[0].sent, flows[0].received, flows[1].sent,
			       flows[1].received);
		}
	}
}

QUIC_TEST_F(bulk, many_streams_at_once)
{
	struct qk_flow flows[16] = { };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flows); i++) {
		bool up = i % 2 == 0;

		flows[i].from = up ? self->p.client : self->p.server;
		flows[i].to = up ? self->p.server : self->p.client;
		flows[i].id = (__s64)(i / 4) * 4 + (up ? 0 : 1) + (i % 4 < 2 ? 0 : 2);
		flows[i].size = 10000 * (i + 1);
		flows[i].seed = i;
	}
	EXPECT_EQ(0, qk_flow_run(flows, ARRAY_SIZE(flows)));
}

FIXTURE(large) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_VARIANT(large) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(large, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(large, v6) { QK_V6 };

FIXTURE_SETUP(large)
{
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
}

FIXTURE_TEARDOWN(large)
{
	qk_pair_close(&self->p);
}

#define LARGE	(8u << 20)

TEST_F_TIMEOUT(large, eight_mebibytes_each_way_at_the_same_time, 4 * qk_test_seconds())
{
	struct qk_flow flows[2] = {
		{ .from = self->p.client, .to = self->p.server, .id = 0, .size = LARGE, .seed = 1 },
		{ .from = self->p.server, .to = self->p.client, .id = 1, .size = LARGE, .seed = 2 },
	};

	EXPECT_EQ(0, qk_flow_run(flows, 2)) {
		TH_LOG("%zu/%zu up, %zu/%zu down", flows[0].sent, flows[0].received,
		       flows[1].sent, flows[1].received);
	}
}

/* Blocking calls in two processes: the sender sleeps for credit and buffers. */
static int write_all(int fd, size_t size)
{
	static __u8 buf[100000];
	size_t done = 0;

	while (done < size) {
		size_t n = size - done < sizeof(buf) ? size - done : sizeof(buf);
		ssize_t ret;

		qk_pattern(buf, n, 5, done);
		ret = write(fd, buf, n);
		if (ret <= 0)
			return -errno;
		done += ret;
	}
	return 0;
}

static int read_all(int fd, size_t size)
{
	static __u8 buf[30000], want[30000];
	size_t done = 0;

	while (done < size) {
		ssize_t ret = read(fd, buf, sizeof(buf));

		if (ret <= 0)
			return ret ? -errno : -EPIPE;
		qk_pattern(want, ret, 5, done);
		if (memcmp(buf, want, ret))
			return -EILSEQ;
		done += ret;
	}
	return 0;
}

TEST_F_TIMEOUT(large, plain_blocking_read_and_write, 4 * qk_test_seconds())
{
	__s64 id = -1;
	pid_t child;
	int status;

	ASSERT_EQ(0, qk_open(self->p.client, &id, 0));
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0)
		_exit(write_all(self->p.client, LARGE) ? 1 : 0);
	EXPECT_EQ(0, read_all(self->p.server, LARGE));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F_TIMEOUT(large, small_windows_do_not_stall, 4 * qk_test_seconds())
{
	struct quic_transport_param small = {
		.max_data = 4000,
		.max_stream_data_bidi_local = 2500,
		.max_stream_data_bidi_remote = 2500,
	};
	struct qk_flow flows[2];

	qk_pair_close(&self->p);
	self->opts.client_param = &small;
	self->opts.server_param = &small;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	flows[0] = (struct qk_flow){ .from = self->p.client, .to = self->p.server, .id = 0,
				     .size = 200000, .seed = 1 };
	flows[1] = (struct qk_flow){ .from = self->p.server, .to = self->p.client, .id = 1,
				     .size = 200000, .seed = 2 };
	EXPECT_EQ(0, qk_flow_run(flows, 2)) {
		TH_LOG("%zu/%zu up, %zu/%zu down", flows[0].sent, flows[0].received,
		       flows[1].sent, flows[1].received);
	}
}

QUIC_TEST_F(large, the_send_buffer_grows_with_the_window_unless_it_was_set)
{
	int locked;

	for (locked = 0; locked < 2; locked++) {
		struct qk_flow f = {
			.from = locked ? self->p.server : self->p.client,
			.to = locked ? self->p.client : self->p.server,
			.id = locked ? 1 : 0, .size = 500000, .seed = 6,
		};
		int before, after;

		if (locked)
			ASSERT_EQ(0, qk_set_int(f.from, SOL_SOCKET, SO_SNDBUF, 10000));
		before = qk_get_int(f.from, SOL_SOCKET, SO_SNDBUF);
		EXPECT_EQ(locked ? 20000 : 16384, before);
		ASSERT_EQ(0, qk_flow_run(&f, 1));
		after = qk_get_int(f.from, SOL_SOCKET, SO_SNDBUF);
		EXPECT_LE(before, after);
		EXPECT_EQ(locked, before == after);
	}
}

QUIC_TEST_F(large, the_counters_of_the_connection_add_up)
{
	struct qk_flow f = {
		.from = self->p.client, .to = self->p.server, .id = 0, .size = 500000, .seed = 3,
	};
	struct quic_info tx, rx;
	socklen_t len = sizeof(tx), rx_len = sizeof(rx);
	int ret;

	ASSERT_EQ(0, qk_flow_run(&f, 1));
	memset(&tx, 0, sizeof(tx));
	memset(&rx, 0, sizeof(rx));
	ret = qk_get(self->p.client, QUIC_SOCKOPT_INFO, &tx, &len);
	if (ret == -ENOPROTOOPT)
		SKIP(return, "this kernel has no QUIC_SOCKOPT_INFO");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, qk_get(self->p.server, QUIC_SOCKOPT_INFO, &rx, &rx_len));
	EXPECT_EQ(sizeof(tx), len);
	EXPECT_EQ(QUIC_VERSION_V1, tx.version);
	EXPECT_EQ(QK_AES_GCM_128, tx.cipher_type);
	EXPECT_LE(1200, tx.mtu);
	EXPECT_LT(0, tx.smoothed_rtt);
	EXPECT_LT(0, tx.cwnd);
	EXPECT_LT(500000, tx.bytes_sent);
	EXPECT_LT(500000, rx.bytes_received);
	EXPECT_LE(rx.packets_received, tx.packets_sent);
	EXPECT_LE(tx.packets_lost, tx.packets_sent);
	EXPECT_LE(500000 / 65527, tx.packets_sent);
	EXPECT_GE(tx.packets_sent, tx.packets_acked);
	EXPECT_LT(0, tx.packets_acked);
	EXPECT_LE(tx.bytes_lost, tx.bytes_sent);
	EXPECT_EQ(tx.packets_lost > 0, tx.bytes_lost > 0);
	EXPECT_LE(rx.bytes_received, tx.bytes_sent);
	EXPECT_LT(tx.smoothed_rtt, tx.pto);
	EXPECT_LT(0, tx.pacing_rate);
	EXPECT_LT(0, tx.delivery_rate);
	EXPECT_EQ(0, tx.path);
	EXPECT_EQ(0, tx.bytes_unsent);
	EXPECT_LT(0, tx.send_credit);
	EXPECT_EQ(0, tx.flags & QUIC_INFO_SERVER);
	EXPECT_EQ(QUIC_INFO_SERVER, rx.flags & QUIC_INFO_SERVER);
	EXPECT_EQ(QUIC_INFO_VALIDATED | QUIC_INFO_CONFIRMED,
		  rx.flags & (QUIC_INFO_VALIDATED | QUIC_INFO_CONFIRMED));
	EXPECT_EQ(0, tx.key_updates);
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_KEY_UPDATE, NULL, 0));
	len = sizeof(tx);
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_INFO, &tx, &len));
	EXPECT_EQ(1, tx.key_updates);
	EXPECT_EQ(1, tx.key_phase);
}

TEST_HARNESS_MAIN
