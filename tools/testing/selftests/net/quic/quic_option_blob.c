// SPDX-License-Identifier: GPL-2.0
/* Options that hold bytes: TOKEN, ALPN, SESSION_TICKET. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

FIXTURE(blob) {
	int fd;
	struct qk_pair p;
};

FIXTURE_SETUP(blob)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->fd = qk_socket(QK_V4, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(blob)
{
	qk_close(&self->fd);
	qk_pair_close(&self->p);
}

struct length {
	int opt;
	socklen_t len;
	int ret;
};

static const struct length lengths[] = {
	{ QUIC_SOCKOPT_TOKEN, 0, -EINVAL },
	{ QUIC_SOCKOPT_TOKEN, 1, 0 },
	{ QUIC_SOCKOPT_TOKEN, 120, 0 },
	{ QUIC_SOCKOPT_TOKEN, 121, -EINVAL },
	{ QUIC_SOCKOPT_SESSION_TICKET, 0, -EINVAL },
	{ QUIC_SOCKOPT_SESSION_TICKET, 63, -EINVAL },
	{ QUIC_SOCKOPT_SESSION_TICKET, 64, 0 },
	{ QUIC_SOCKOPT_SESSION_TICKET, 4096, 0 },
	{ QUIC_SOCKOPT_SESSION_TICKET, 4097, -EINVAL },
	{ QUIC_SOCKOPT_ALPN, 0, -EINVAL },
	{ QUIC_SOCKOPT_ALPN, 1, 0 },
	{ QUIC_SOCKOPT_ALPN, 128, 0 },
	{ QUIC_SOCKOPT_ALPN, 129, -EINVAL },
};

QUIC_TEST_F(blob, lengths_by_table)
{
	char buf[8192], got[8192];
	size_t i;

	memset(buf, 'x', sizeof(buf));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		const struct length *l = &lengths[i];
		socklen_t len = sizeof(got);

		EXPECT_EQ(l->ret, qk_set(self->fd, l->opt, buf, l->len)) {
			TH_LOG("option %d, %u bytes", l->opt, l->len);
		}
		if (l->ret)
			continue;
		ASSERT_EQ(0, qk_get(self->fd, l->opt, got, &len));
		EXPECT_EQ(l->len, len) {
			TH_LOG("option %d, %u bytes", l->opt, l->len);
		}
		EXPECT_EQ(0, memcmp(buf, got, len));
	}
}

QUIC_TEST_F(blob, a_buffer_too_small_is_refused_and_not_cut)
{
	static const int opts[] = {
		QUIC_SOCKOPT_TOKEN, QUIC_SOCKOPT_SESSION_TICKET, QUIC_SOCKOPT_ALPN,
	};
	char buf[100], got[100];
	size_t i;

	memset(buf, 'x', sizeof(buf));
	for (i = 0; i < ARRAY_SIZE(opts); i++) {
		socklen_t len = sizeof(buf) - 1;

		ASSERT_EQ(0, qk_set(self->fd, opts[i], buf, sizeof(buf)));
		memset(got, 0, sizeof(got));
		EXPECT_EQ(-EINVAL, qk_get(self->fd, opts[i], got, &len)) {
			TH_LOG("option %d", opts[i]);
		}
		EXPECT_EQ(0, got[0]);
	}
	/* ALPN wants room for one byte more than it writes. */
	{
		socklen_t len = sizeof(buf);

		EXPECT_EQ(-EINVAL, qk_get(self->fd, QUIC_SOCKOPT_ALPN, got, &len));
	}
}

QUIC_TEST_F(blob, nothing_set_reads_as_nothing)
{
	static const int opts[] = {
		QUIC_SOCKOPT_TOKEN, QUIC_SOCKOPT_SESSION_TICKET, QUIC_SOCKOPT_ALPN,
	};
	char got[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(opts); i++) {
		socklen_t len = sizeof(got);

		EXPECT_EQ(0, qk_get(self->fd, opts[i], got, &len)) {
			TH_LOG("option %d", opts[i]);
		}
		EXPECT_EQ(0, len);
	}
}

struct alpn {
	const char *set;
	socklen_t len;
	const char *get;
	socklen_t got;
};

static const struct alpn alpns[] = {
	{ "h3", 2, "h3", 2 },
	{ "h3,h3-29", 8, "h3,h3-29", 8 },
	{ "h3, h3-29", 9, "h3,h3-29", 8 },
	{ "  a,   b", 8, "a,b", 3 },
	{ "h3, h3-29\0", 10, "h3,h3-29\0", 9 },
};

QUIC_TEST_F(blob, alpn_lists_are_normalised_by_table)
{
	char got[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(alpns); i++) {
		socklen_t len = sizeof(got);

		ASSERT_EQ(0, qk_set(self->fd, QUIC_SOCKOPT_ALPN, alpns[i].set, alpns[i].len));
		ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_ALPN, got, &len));
		EXPECT_EQ(alpns[i].got, len) {
			TH_LOG("%s", alpns[i].set);
		}
		EXPECT_EQ(0, memcmp(alpns[i].get, got, alpns[i].got)) {
			TH_LOG("%s", alpns[i].set);
		}
	}
}

QUIC_TEST_F(blob, a_server_has_a_ticket_key_and_no_token)
{
	struct qk_opts opts = { };
	char key[128], again[128];
	socklen_t len = sizeof(key), len2 = sizeof(again);

	ASSERT_EQ(0, qk_hs_start(&self->p, &opts));
	/* libquic tells client from server by this. */
	EXPECT_EQ(-EINVAL, qk_get(self->p.server, QUIC_SOCKOPT_TOKEN, key, &len));
	len = sizeof(key);
	ASSERT_EQ(0, qk_get(self->p.server, QUIC_SOCKOPT_SESSION_TICKET, key, &len));
	EXPECT_EQ(64, len);
	ASSERT_EQ(0, qk_get(self->p.server, QUIC_SOCKOPT_SESSION_TICKET, again, &len2));
	EXPECT_EQ(64, len2);
	EXPECT_EQ(0, memcmp(key, again, 64));
}

QUIC_TEST_F(blob, a_session_ticket_sent_by_the_server_reaches_the_option)
{
	struct qk_opts opts = { .client_events = 1u << QUIC_EVENT_NEW_SESSION_TICKET };
	char ticket[104], got[256];
	socklen_t len = sizeof(got);
	union quic_event ev;

	/* A NewSessionTicket message: type 4, length 100. */
	memset(ticket, 0x33, sizeof(ticket));
	memcpy(ticket, "\4\0\0\144", 4);
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
	EXPECT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_SESSION_TICKET, got, &len));
	EXPECT_EQ(0, len);
	ASSERT_EQ((ssize_t)sizeof(ticket), qk_hs_send(self->p.server, QUIC_CRYPTO_APP, ticket,
						      sizeof(ticket), 0));
	ASSERT_EQ((int)sizeof(ticket), qk_next_event(self->p.client,
						     QUIC_EVENT_NEW_SESSION_TICKET, &ev));
	EXPECT_EQ(0, memcmp(&ev, ticket, sizeof(ev)));
	len = sizeof(got);
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_SESSION_TICKET, got, &len));
	EXPECT_EQ(sizeof(ticket), len);
	EXPECT_EQ(0, memcmp(ticket, got, sizeof(ticket)));
	EXPECT_TRUE(qk_quiet(self->p.client));
}

TEST_HARNESS_MAIN
