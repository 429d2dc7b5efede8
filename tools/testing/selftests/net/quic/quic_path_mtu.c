// SPDX-License-Identifier: GPL-2.0
/* The size of datagrams on a path, found and followed by probing (RFC 8899). */
#include "kselftest_harness.h"
#include "quic_net.h"

/* The search ends when it knows the size to within this many bytes. */
#define RESOLUTION	16

FIXTURE(mtu) {
	struct qk_pair p;
	struct qk_opts opts;
	struct quic_config config;
	struct quic_transport_param param;
};

FIXTURE_VARIANT(mtu) {
	enum qk_family family;
	int overhead;		/* of IP and UDP */
};

FIXTURE_VARIANT_ADD(mtu, v4) { QK_V4, 28 };
FIXTURE_VARIANT_ADD(mtu, v6) { QK_V6, 48 };

FIXTURE_SETUP(mtu)
{
	self->p = (struct qk_pair){ -1, -1, -1 };
	ASSERT_EQ(0, qn_setup());
	self->opts.family = variant->family;
	self->config.plpmtud_probe_interval = 5000000;
	self->opts.client_config = &self->config;
	self->opts.server_config = &self->config;
	self->opts.client_param = &self->param;
	self->opts.server_param = &self->param;
}

FIXTURE_TEARDOWN(mtu)
{
	qk_pair_close(&self->p);
}

static bool found(const struct quic_info *info, __u64 size)
{
	return info->mtu <= size && info->mtu + RESOLUTION > size;
}

static bool fell(const struct quic_info *info, __u64 size)
{
	return info->mtu <= size;
}

QUIC_TEST_F(mtu, both_ends_find_what_the_path_carries)
{
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
	EXPECT_EQ(0, qn_await(self->p.server, found, 1500 - variant->overhead));
}

QUIC_TEST_F(mtu, a_narrow_link_on_the_way_that_speaks_up_bounds_the_search)
{
	ASSERT_EQ(0, qn("mtu 1400"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1400 - variant->overhead));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 100000));
}

QUIC_TEST_F(mtu, a_narrow_link_on_the_way_that_is_silent_bounds_the_search)
{
	ASSERT_EQ(0, qn("ceil 1400"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1400 - variant->overhead));
	EXPECT_EQ(0, qn_await(self->p.server, found, 1400 - variant->overhead));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 100000));
}

QUIC_TEST_F(mtu, a_black_hole_is_found_and_got_around)
{
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
	ASSERT_EQ(0, qn_await(self->p.server, found, 1500 - variant->overhead));
	ASSERT_EQ(0, qn("ceil 1300"));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 100000));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(5), false, 100000));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1300 - variant->overhead));
	EXPECT_EQ(0, qn_await(self->p.server, found, 1300 - variant->overhead));
}

QUIC_TEST_F(mtu, a_link_that_becomes_narrow_and_says_so_is_got_around)
{
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
	ASSERT_EQ(0, qn("mtu 1300"));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 100000));
	EXPECT_EQ(0, qn_await(self->p.client, fell, 1300 - variant->overhead));
}

QUIC_TEST_F(mtu, a_path_that_widens_is_used_after_the_next_search)
{
	ASSERT_EQ(0, qn("ceil 1300"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1300 - variant->overhead));
	ASSERT_EQ(0, qn("ceil off"));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
}

/* What ICMP said once, the kernel remembers for minutes; probes have to get past that. */
QUIC_TEST_F(mtu, a_link_that_widens_is_used_after_the_next_search)
{
	ASSERT_EQ(0, qn("mtu 1300"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1300 - variant->overhead));
	ASSERT_EQ(0, qn("mtu 1500"));
	EXPECT_EQ(0, qn_await(self->p.client, found, 1500 - variant->overhead));
}

QUIC_TEST_F(mtu, the_largest_datagram_follows_the_size)
{
	static __u8 data[1500], got[1500];
	size_t small = 1, large = sizeof(data);
	struct qk_item it;

	self->param.max_datagram_frame_size = 65535;
	ASSERT_EQ(0, qn("ceil 1400"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_await(self->p.client, found, 1400 - variant->overhead));
	/* The largest size that the socket takes. */
	while (small + 1 < large) {
		size_t middle = (small + large) / 2;
		ssize_t ret = send(self->p.client, data, middle, MSG_QUIC_DATAGRAM);

		if (ret == (ssize_t)middle) {
			ASSERT_EQ(ret, qk_next(self->p.server, &it, got, sizeof(got)));
			ASSERT_EQ(QK_DATAGRAM, it.kind);
			small = middle;
			continue;
		}
		ASSERT_EQ(EMSGSIZE, errno);
		large = middle;
	}
	EXPECT_LT(1400 - variant->overhead - RESOLUTION - 40, small);
	EXPECT_GT(1400 - variant->overhead, small);
}

TEST_HARNESS_MAIN
