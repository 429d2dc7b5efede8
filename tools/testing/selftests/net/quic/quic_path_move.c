// SPDX-License-Identifier: GPL-2.0
/*
 * Paths that change under a connection: NAT rebinding of port and address,
 * active migration of the client, the server's preferred address.
 */
#include "kselftest_harness.h"
#include "quic_net.h"

/* Masks of events. */
enum {
	MIGRATION = 1u << QUIC_EVENT_CONNECTION_MIGRATION,
};

FIXTURE(move) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_VARIANT(move) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(move, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(move, v6) { QK_V6 };

FIXTURE_SETUP(move)
{
	self->p = (struct qk_pair){ -1, -1, -1 };
	ASSERT_EQ(0, qn_setup());
	self->opts.family = variant->family;
	self->opts.client_events = MIGRATION;
	self->opts.server_events = MIGRATION;
}

FIXTURE_TEARDOWN(move)
{
	qk_pair_close(&self->p);
}

static const char *expected(enum qk_family family, enum qn_side side, int host, int port)
{
	static char text[2][64];
	static int turn;
	int net = side == QN_CLIENT ? 1 : 2;

	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]),
		 family == QK_V4 ? "10.11.%d.%d %d" : "fd00:11:%d::%d %d", net, host, port);
	return text[turn];
}

static int validated(void)
{
	__s64 start = qk_now_ms();

	while (qk_now_ms() - start < qk_wait_ms()) {
		if (qn_snmp(QN_SERVER, "QuicPathValidated") > 0)
			return 0;
		poll(NULL, 0, 5);
	}
	return -ETIMEDOUT;
}

QUIC_TEST_F(move, a_nat_that_changes_the_port_is_followed)
{
	__s64 before = qn_snmp(QN_SERVER, "QuicPathValidated");
	char name[64];

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn("nat port 7777"));
	ASSERT_EQ(1, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "x", 1, 0));
	EXPECT_EQ(0, qn_migrated(self->p.server));
	ASSERT_EQ(0, qn_name(self->p.server, true, name, sizeof(name)));
	EXPECT_STREQ(expected(variant->family, QN_CLIENT, 2, 7777), name);
	EXPECT_EQ(0, qn_echo(&self->p, "still here"));
	EXPECT_EQ(0, validated());
	EXPECT_LT(before, qn_snmp(QN_SERVER, "QuicPathValidated"));
	/* Nothing happened that the client could see. */
	ASSERT_EQ(0, qn_name(self->p.client, false, name, sizeof(name)));
	EXPECT_STREQ(expected(variant->family, QN_CLIENT, 2, QN_CLIENT_PORT), name);
}

QUIC_TEST_F(move, a_nat_that_changes_the_address_is_followed)
{
	bool v4 = variant->family == QK_V4;
	char name[64];

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn(v4 ? "nat addr 10.11.1.77" : "nat addr fd00:11:1::77"));
	ASSERT_EQ(1, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "x", 1, 0));
	EXPECT_EQ(0, qn_migrated(self->p.server));
	ASSERT_EQ(0, qn_name(self->p.server, true, name, sizeof(name)));
	EXPECT_STREQ(v4 ? "10.11.1.77 4000" : "fd00:11:1::77 4000", name);
	EXPECT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(7), false, 200000));
}

/* The server learns of a new port by the client's acknowledgements alone. */
QUIC_TEST_F(move, a_download_survives_rebindings_in_its_middle)
{
	struct qk_flow flow = { .id = QK_SERVER_UNI(3), .size = 1500000, .seed = 9 };
	char name[64];
	pid_t child;
	int status;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn("shape delay 20ms rate 4mbit limit 100"));
	flow.from = self->p.server;
	flow.to = self->p.client;
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0)
		_exit(qn("nat port 7000") || qn("nat port 7001") || qn("nat port 7002"));
	EXPECT_EQ(0, qk_flow_run(&flow, 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(0, qn_echo(&self->p, "found"));
	ASSERT_EQ(0, qn_name(self->p.server, true, name, sizeof(name)));
	EXPECT_STREQ(expected(variant->family, QN_CLIENT, 2, 7002), name);
}

QUIC_TEST_F(move, the_client_moves_to_another_address)
{
	char name[64];

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5000));
	EXPECT_EQ(1, qn_migrated(self->p.client));
	EXPECT_EQ(0, qn_migrated(self->p.server));
	ASSERT_EQ(0, qn_name(self->p.client, false, name, sizeof(name)));
	EXPECT_STREQ(expected(variant->family, QN_CLIENT, 3, 5000), name);
	ASSERT_EQ(0, qn_name(self->p.server, true, name, sizeof(name)));
	EXPECT_STREQ(expected(variant->family, QN_CLIENT, 3, 5000), name);
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(9), true, 200000));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(9), false, 200000));
	/* The same again is refused. */
	EXPECT_EQ(-EINVAL, qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5000));
}

QUIC_TEST_F(move, the_client_moves_there_and_back_many_times)
{
	int i;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	for (i = 0; i < 12; i++) {
		__s64 start = qk_now_ms();
		int ret;

		/* No unused connection id, or a path in trial, is told as EAGAIN. */
		do {
			ret = qn_migrate(self->p.client, QN_CLIENT, variant->family, 2 + i % 2,
					 5000 + i);
			if (ret == -EAGAIN)
				poll(NULL, 0, 5);
		} while (ret == -EAGAIN && qk_now_ms() - start < qk_wait_ms());
		ASSERT_EQ(0, ret) {
			TH_LOG("migration %d", i);
		}
		ASSERT_EQ(1, qn_migrated(self->p.client)) {
			TH_LOG("migration %d", i);
		}
		ASSERT_EQ(0, qn_echo(&self->p, "moved")) {
			TH_LOG("migration %d", i);
		}
	}
}

QUIC_TEST_F(move, a_move_can_be_tried_again)
{
	char name[64];
	__s64 start;
	int ret;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn("drop to-server"));
	ASSERT_EQ(0, qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5000));
	EXPECT_EQ(-EAGAIN, qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5001));
	ASSERT_EQ(0, qn("drop off"));
	/* Once the first trial is over, and seen from afar it may have worked, another begins. */
	start = qk_now_ms();
	do {
		poll(NULL, 0, 20);
		ret = qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5001);
	} while (ret == -EAGAIN && qk_now_ms() - start < qk_wait_ms());
	ASSERT_EQ(0, ret);
	do {
		ASSERT_EQ(1, qn_migrated(self->p.client));
		ASSERT_EQ(0, qn_name(self->p.client, false, name, sizeof(name)));
	} while (strcmp(name, expected(variant->family, QN_CLIENT, 3, 5001)));
	EXPECT_EQ(0, qn_echo(&self->p, "moved"));
}

/* A path in trial has one of the peer's ids: they cannot be changed meanwhile. */
QUIC_TEST_F(move, the_ids_of_the_peer_stay_during_a_trial)
{
	struct quic_connection_id_info info = { .dest = 1 };
	socklen_t len = sizeof(info);

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_echo(&self->p, "ids are here"));
	ASSERT_EQ(0, qn("drop to-server"));
	ASSERT_EQ(0, qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5000));
	info.prior_to = 1;
	EXPECT_EQ(-EAGAIN, qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_ID, &info,
				  sizeof(info)));
	/* Its own are another matter, and so is asking. */
	EXPECT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_CONNECTION_ID, &info, &len));
	info = (struct quic_connection_id_info){ .prior_to = 1 };
	EXPECT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_ID, &info, sizeof(info)));
	ASSERT_EQ(0, qn("drop off"));
}

QUIC_TEST_F(move, a_connection_works_on_its_old_address_after_a_failed_move)
{
	__s64 start;
	int ret;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	/* Twice: what is kept for the first trial must not push out what is in use. */
	ASSERT_EQ(0, qn("only_host 2"));
	ASSERT_EQ(0, qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5000));
	ASSERT_EQ(0, qn_echo(&self->p, "as before"));
	start = qk_now_ms();
	do {
		poll(NULL, 0, 20);
		ret = qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5001);
	} while (ret == -EAGAIN && qk_now_ms() - start < qk_wait_ms());
	ASSERT_EQ(0, ret);
	EXPECT_EQ(0, qn_echo(&self->p, "as before"));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(9), false, 100000));
}

QUIC_TEST_F(move, a_peer_that_forbids_it_is_not_moved_away_from)
{
	struct quic_transport_param param = { .disable_active_migration = 1 };

	self->opts.server_param = &param;
	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	EXPECT_EQ(-EINVAL, qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5000));
	/* A NAT cannot be forbidden. */
	ASSERT_EQ(0, qn("nat port 7777"));
	EXPECT_EQ(0, qn_echo(&self->p, "rebound"));
}

QUIC_TEST_F(move, bytes_are_counted_over_all_paths)
{
	struct quic_info before, after;

	ASSERT_EQ(0, qn_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(9), true, 100000));
	ASSERT_EQ(0, qn_info(self->p.client, &before));
	EXPECT_LT(100000, before.bytes_sent);
	ASSERT_EQ(0, qn_migrate(self->p.client, QN_CLIENT, variant->family, 3, 5000));
	EXPECT_EQ(1, qn_migrated(self->p.client));
	ASSERT_EQ(0, qn_info(self->p.client, &after));
	EXPECT_LE(before.bytes_sent, after.bytes_sent);
	EXPECT_LE(before.bytes_received, after.bytes_received);
}

QUIC_TEST_F(move, the_preferred_address_of_the_server_is_taken)
{
	char name[64];

	ASSERT_EQ(0, qn_hs_start(&self->p, &self->opts));
	ASSERT_EQ(0, qn_migrate(self->p.server, QN_SERVER, variant->family, 3, 4434));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	EXPECT_EQ(1, qn_migrated(self->p.server));
	ASSERT_EQ(0, qn_name(self->p.server, false, name, sizeof(name)));
	EXPECT_STREQ(expected(variant->family, QN_SERVER, 3, 4434), name);
	EXPECT_EQ(0, qn_migrated(self->p.client));
	ASSERT_EQ(0, qn_name(self->p.client, true, name, sizeof(name)));
	EXPECT_STREQ(expected(variant->family, QN_SERVER, 3, 4434), name);
	EXPECT_EQ(0, qn_transfer(&self->p, QK_CLIENT_UNI(9), true, 200000));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(9), false, 200000));
}

QUIC_TEST_F(move, a_preferred_address_that_does_not_answer_is_not_taken)
{
	char name[64];

	ASSERT_EQ(0, qn("only_host 2"));
	ASSERT_EQ(0, qn_hs_start(&self->p, &self->opts));
	ASSERT_EQ(0, qn_migrate(self->p.server, QN_SERVER, variant->family, 3, 4434));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	EXPECT_EQ(0, qn_echo(&self->p, "here"));
	EXPECT_EQ(0, qn_transfer(&self->p, QK_SERVER_UNI(9), false, 100000));
	ASSERT_EQ(0, qn_name(self->p.client, true, name, sizeof(name)));
	EXPECT_STREQ(expected(variant->family, QN_SERVER, 2, QN_SERVER_PORT), name);
}

TEST_HARNESS_MAIN
