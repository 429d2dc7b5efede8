// SPDX-License-Identifier: GPL-2.0
/* Sizes of option values: older and newer programs, zero, huge and negative. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

struct row {
	const char *what;
	int opt;
	socklen_t size;
};

/* Structures that can be set and read at any time before the handshake. */
static const struct row rows[] = {
	{ "TRANSPORT_PARAM", QUIC_SOCKOPT_TRANSPORT_PARAM, sizeof(struct quic_transport_param) },
	{ "CONFIG", QUIC_SOCKOPT_CONFIG, sizeof(struct quic_config) },
	{ "CONNECTION_CLOSE", QUIC_SOCKOPT_CONNECTION_CLOSE,
	  sizeof(struct quic_connection_close) },
};

FIXTURE(size) {
	int fd;
};

FIXTURE_SETUP(size)
{
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->fd = qk_socket(QK_V4, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(size)
{
	qk_close(&self->fd);
}

QUIC_TEST_F(size, get_copies_what_fits_and_says_how_much)
{
	unsigned char full[256], part[256];
	socklen_t ask, len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(full, 0, sizeof(full));
		len = sizeof(full);
		ASSERT_EQ(0, qk_get(self->fd, rows[i].opt, full, &len));
		EXPECT_EQ(rows[i].size, len) {
			TH_LOG("%s", rows[i].what);
		}
		for (ask = 1; ask <= rows[i].size + 8; ask++) {
			memset(part, 0xee, sizeof(part));
			part[0] = 0;	/* "remote", which is read as well */
			len = ask;
			ASSERT_EQ(0, qk_get(self->fd, rows[i].opt, part, &len)) {
				TH_LOG("%s, %u bytes", rows[i].what, ask);
			}
			EXPECT_EQ(ask < rows[i].size ? ask : rows[i].size, len) {
				TH_LOG("%s, %u bytes", rows[i].what, ask);
			}
			EXPECT_EQ(0, memcmp(full, part, len)) {
				TH_LOG("%s, %u bytes", rows[i].what, ask);
			}
			EXPECT_EQ(0xee, part[len]) {
				TH_LOG("%s, %u bytes: written beyond", rows[i].what, ask);
			}
		}
	}
}

QUIC_TEST_F(size, set_takes_any_length_up_to_4096)
{
	char buf[8192] = { };
	socklen_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (len = 0; len <= rows[i].size + 8; len++) {
			EXPECT_EQ(0, qk_set(self->fd, rows[i].opt, buf, len)) {
				TH_LOG("%s, %u bytes", rows[i].what, len);
			}
		}
		EXPECT_EQ(0, qk_set(self->fd, rows[i].opt, buf, 4096));
		EXPECT_EQ(-EINVAL, qk_set(self->fd, rows[i].opt, buf, 4097));
		EXPECT_EQ(-EINVAL, qk_set(self->fd, rows[i].opt, buf, sizeof(buf)));
		/* A length of none does not look at the pointer. */
		EXPECT_EQ(0, qk_set(self->fd, rows[i].opt, NULL, 0)) {
			TH_LOG("%s", rows[i].what);
		}
	}
}

QUIC_TEST_F(size, a_length_beyond_4096_is_refused_before_anything_else)
{
	static const int opts[] = {
		QUIC_SOCKOPT_EVENT, QUIC_SOCKOPT_STREAM_RESET, QUIC_SOCKOPT_CONNECTION_ID,
		QUIC_SOCKOPT_CONNECTION_MIGRATION, QUIC_SOCKOPT_KEY_UPDATE, QUIC_SOCKOPT_TOKEN,
		QUIC_SOCKOPT_ALPN, QUIC_SOCKOPT_SESSION_TICKET, QUIC_SOCKOPT_CRYPTO_SECRET,
		QUIC_SOCKOPT_TRANSPORT_PARAM_EXT,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(opts); i++) {
		EXPECT_EQ(-EINVAL, qk_set(self->fd, opts[i], (void *)8, 4097)) {
			TH_LOG("option %d", opts[i]);
		}
		EXPECT_EQ(-EINVAL, qk_set(self->fd, opts[i], (void *)8, -1)) {
			TH_LOG("option %d", opts[i]);
		}
	}
}

QUIC_TEST_F(size, a_negative_length_is_refused_by_get)
{
	static const int opts[] = {
		QUIC_SOCKOPT_EVENT, QUIC_SOCKOPT_CONNECTION_CLOSE, QUIC_SOCKOPT_TRANSPORT_PARAM,
		QUIC_SOCKOPT_CONFIG, QUIC_SOCKOPT_TOKEN, QUIC_SOCKOPT_ALPN,
		QUIC_SOCKOPT_SESSION_TICKET, QUIC_SOCKOPT_INFO,
	};
	char buf[4096] = { QUIC_EVENT_KEY_UPDATE };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(opts); i++) {
		socklen_t len = -1;

		EXPECT_EQ(-EINVAL, qk_get(self->fd, opts[i], buf, &len)) {
			TH_LOG("option %d", opts[i]);
		}
	}
}

QUIC_TEST_F(size, the_missing_tail_of_a_set_changes_nothing)
{
	struct quic_config old = { .initial_smoothed_rtt = 50000 };
	struct quic_config conf = { .keepalive_probe_interval = 2000000 };
	socklen_t len = sizeof(conf);

	ASSERT_EQ(0, qk_set(self->fd, QUIC_SOCKOPT_CONFIG, &conf, sizeof(conf)));
	/* The 24 bytes of a program that does not know keepalive. */
	ASSERT_EQ(0, qk_set(self->fd, QUIC_SOCKOPT_CONFIG, &old, 24));
	ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_CONFIG, &conf, &len));
	EXPECT_EQ(50000, conf.initial_smoothed_rtt);
	EXPECT_EQ(2000000, conf.keepalive_probe_interval);
}

QUIC_TEST_F(size, an_excess_is_ignored_whatever_it_holds)
{
	struct {
		struct quic_transport_param param;
		__u64 reserved;
	} longer = { .param.max_streams_bidi = 9, .reserved = ~0ull };
	socklen_t len = sizeof(longer);

	ASSERT_EQ(0, qk_set(self->fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &longer, sizeof(longer)));
	longer.param.max_streams_bidi = 0;
	ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &longer, &len));
	EXPECT_EQ(sizeof(longer.param), len);
	EXPECT_EQ(9, longer.param.max_streams_bidi);
	EXPECT_EQ(~0ull, longer.reserved);
}

QUIC_TEST_F(size, event_of_no_length_is_event_zero)
{
	EXPECT_EQ(-EINVAL, qk_set(self->fd, QUIC_SOCKOPT_EVENT, NULL, 0));
}

QUIC_TEST_F(size, a_phrase_is_cut_at_63_characters)
{
	struct quic_connection_close set = { .errcode = 5, .frame = 9 }, got;
	socklen_t len = sizeof(got);

	memset(set.phrase, 'x', sizeof(set.phrase));
	memset(&got, 0xee, sizeof(got));
	ASSERT_EQ(0, qk_set(self->fd, QUIC_SOCKOPT_CONNECTION_CLOSE, &set, sizeof(set)));
	ASSERT_EQ(0, qk_get(self->fd, QUIC_SOCKOPT_CONNECTION_CLOSE, &got, &len));
	EXPECT_EQ(5, got.errcode);
	EXPECT_EQ(0, got.frame);
	EXPECT_EQ(63, strnlen((char *)got.phrase, sizeof(got.phrase)));
}

TEST_HARNESS_MAIN
