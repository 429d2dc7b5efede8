// SPDX-License-Identifier: GPL-2.0
/* Explicit congestion notification across a router (RFC 9000 13.4). */
#include "kselftest_harness.h"
#include "quic_net.h"

/* A path is tested with this many marked packets before a verdict. */
#define TEST_PACKETS	10

FIXTURE(ecn) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_VARIANT(ecn) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(ecn, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(ecn, v6) { QK_V6 };

FIXTURE_SETUP(ecn)
{
	self->p = (struct qk_pair){ -1, -1, -1 };
	ASSERT_EQ(0, qn_setup());
	self->opts.family = variant->family;
}

FIXTURE_TEARDOWN(ecn)
{
	qk_pair_close(&self->p);
}

QUIC_TEST_F(ecn, both_ends_mark_what_they_send)
{
	struct qn_count count;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 50000));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(5), false, 50000));
	/* The path has been found good: nearly everything is marked from now on. */
	ASSERT_EQ(0, qn("count reset"));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(6), true, 100000));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(6), false, 100000));
	ASSERT_EQ(0, qn_count(QN_CLIENT, &count));
	EXPECT_LT(50, count.ect0);
	EXPECT_EQ(0, count.other);
	ASSERT_EQ(0, qn_count(QN_SERVER, &count));
	EXPECT_LT(50, count.ect0);
	EXPECT_EQ(0, count.other);
}

QUIC_TEST_F(ecn, a_congestion_mark_slows_the_sender_down_without_a_loss)
{
	struct quic_info before, after;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 300000));
	ASSERT_EQ(0, qn_info(self->p.client, &before));
	EXPECT_EQ(~0ull, before.ssthresh);
	ASSERT_EQ(0, qn("ecn ce 50"));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(6), true, 300000));
	ASSERT_EQ(0, qn_info(self->p.client, &after));
	EXPECT_GT(before.cwnd, after.ssthresh);
	EXPECT_EQ(before.packets_lost, after.packets_lost);
	/* The other direction has not been marked. */
	ASSERT_EQ(0, qn_info(self->p.server, &after));
	EXPECT_EQ(~0ull, after.ssthresh);
}

QUIC_TEST_F(ecn, a_path_that_bleaches_is_not_marked_any_more)
{
	struct qn_count count;

	ASSERT_EQ(0, qn("ecn bleach"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 50000));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(5), false, 50000));
	ASSERT_EQ(0, qn_count(QN_CLIENT, &count));
	EXPECT_LT(0, count.ect0);
	EXPECT_GE(2 * TEST_PACKETS, count.ect0);
	ASSERT_EQ(0, qn("count reset"));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(6), true, 50000));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(6), false, 50000));
	ASSERT_EQ(0, qn_count(QN_CLIENT, &count));
	EXPECT_EQ(0, count.ect0);
	EXPECT_LT(0, count.other);
	ASSERT_EQ(0, qn_count(QN_SERVER, &count));
	EXPECT_EQ(0, count.ect0);
}

QUIC_TEST_F(ecn, a_path_that_begins_to_bleach_is_noticed)
{
	struct qn_count count;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 50000));
	ASSERT_EQ(0, qn("ecn bleach"));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(6), true, 100000));
	ASSERT_EQ(0, qn("count reset"));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(7), true, 50000));
	ASSERT_EQ(0, qn_count(QN_CLIENT, &count));
	EXPECT_EQ(0, count.ect0);
}

QUIC_TEST_F(ecn, a_new_path_is_tested_anew)
{
	struct qn_count count;

	ASSERT_EQ(0, qn("ecn bleach"));
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(5), true, 50000));
	ASSERT_EQ(0, qn("ecn off"));
	ASSERT_EQ(0, qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5000));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(6), true, 50000));
	ASSERT_EQ(0, qn("count reset"));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(7), true, 50000));
	ASSERT_EQ(0, qn_count(QN_CLIENT, &count));
	EXPECT_LT(20, count.ect0);
}

TEST_HARNESS_MAIN
