// SPDX-License-Identifier: GPL-2.0
/* Socket options by state: which ones work when, and the errno when not. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

/* The states in which every option is tried, on one socket each. */
enum state {
	FRESH,
	LISTENING,
	CONNECTING,	/* client, ClientHello sent */
	ACCEPTED,	/* server, ClientHello received */
	CLIENT,		/* established */
	SERVER,		/* established */
	CLOSED,		/* client after shutdown */
	STATES,
};

static const char * const state_names[STATES] = {
	"fresh", "listening", "connecting", "accepted", "client", "server", "closed",
};

#define ANY	999	/* not looked at: the row would change the state */

struct row {
	const char *what;
	int opt;
	const void *val;
	socklen_t len;
	int ret[STATES];
};

#define SET(opt, val, ...) { #opt, QUIC_SOCKOPT_##opt, &(val), sizeof(val), { __VA_ARGS__ } }

static const struct quic_event_option event_on = { QUIC_EVENT_KEY_UPDATE, 1 };
static const struct quic_errinfo stream0 = { 0, 7 };
static const struct quic_stream_reset_at stream0_at = { .reliable_size = 1, .errcode = 7 };
static const struct quic_stream_priority stream0_first = { .urgency = 0 };
static const struct quic_connection_id_info no_change = { };
static const struct quic_connection_close phrase = { 7, 0, { }, "bye" };
static const struct quic_transport_param own = { };
static const struct quic_transport_param peers = { .remote = 1 };
static const struct quic_config config = { };
static const char token[] = "a token";
static const char alpn[2] = { 'h', '3' };
static const char ticket[64];
static const struct quic_crypto_secret bad_cipher = { .level = QUIC_CRYPTO_HANDSHAKE, .type = 1 };
static const struct quic_crypto_secret initial = { .level = QUIC_CRYPTO_INITIAL, .type = 51 };
static const char bad_params[600];

#define E	(-EINVAL)
#define P	(-EPIPE)

/* Columns in the order of enum state. */
static const struct row set_rows[] = {
	SET(EVENT, event_on, 0, 0, 0, 0, 0, 0, 0),
	SET(STREAM_RESET, stream0, E, E, E, E, E, E, E),
	SET(STREAM_RESET_AT, stream0_at, E, E, E, E, E, E, E),
	SET(STREAM_PRIORITY, stream0_first, E, E, E, E, E, E, E),
	SET(STREAM_STOP_SENDING, stream0, E, E, E, E, E, E, E),
	SET(CONNECTION_ID, no_change, E, E, E, E, 0, 0, E),
	SET(CONNECTION_CLOSE, phrase, 0, 0, 0, 0, 0, 0, 0),
	/* Nothing depends on what a dead socket announces. */
	SET(TRANSPORT_PARAM, own, 0, 0, 0, 0, E, E, ANY),
	/* For 0-RTT, which only a client sends. */
	SET(TRANSPORT_PARAM, peers, E, E, 0, E, E, E, E),
	SET(CONFIG, config, 0, 0, 0, 0, E, E, 0),
	SET(TOKEN, token, 0, E, 0, E, 0, ANY, 0),
	SET(ALPN, alpn, 0, E, 0, 0, 0, 0, 0),
	SET(SESSION_TICKET, ticket, 0, 0, 0, 0, 0, 0, 0),
	SET(CRYPTO_SECRET, bad_cipher, E, E, E, E, E, E, E),
	SET(CRYPTO_SECRET, initial, E, E, E, E, E, E, E),
	SET(TRANSPORT_PARAM_EXT, bad_params, E, E, E, E, E, E, E),
	{ "KEY_UPDATE", QUIC_SOCKOPT_KEY_UPDATE, NULL, 0, { P, P, P, P, ANY, ANY, P } },
};

static const struct row get_rows[] = {
	SET(EVENT, event_on, 0, 0, 0, 0, 0, 0, 0),
	SET(CONNECTION_ID, no_change, E, E, E, E, 0, 0, E),
	SET(CONNECTION_CLOSE, phrase, 0, 0, 0, 0, 0, 0, 0),
	SET(TRANSPORT_PARAM, own, 0, 0, 0, 0, 0, 0, 0),
	SET(TRANSPORT_PARAM, peers, 0, 0, 0, 0, 0, 0, 0),
	SET(CONFIG, config, 0, 0, 0, 0, 0, 0, 0),
	SET(TOKEN, bad_params, 0, E, 0, E, 0, E, 0),
	SET(ALPN, bad_params, 0, 0, 0, 0, 0, 0, 0),
	SET(SESSION_TICKET, bad_params, 0, P, 0, 0, 0, 0, 0),
	SET(TRANSPORT_PARAM_EXT, bad_params, E, E, 0, 0, E, E, E),
	{ "STREAM_OPEN", QUIC_SOCKOPT_STREAM_OPEN, &(struct quic_stream_info){ -1, 0 },
	  sizeof(struct quic_stream_info), { P, P, ANY, ANY, 0, 0, P } },
	{ "INFO", QUIC_SOCKOPT_INFO, bad_params, sizeof(struct quic_info),
	  { ANY, ANY, 0, 0, 0, 0, ANY } },
};

FIXTURE(option) {
	int fds[STATES];
	struct qk_pair starting;
	struct qk_pair open;
	struct qk_pair ended;
};

FIXTURE_SETUP(option)
{
	struct qk_opts opts = { };
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_hs_start(&self->starting, &opts));
	ASSERT_EQ(0, qk_pair_open(&self->open, &opts));
	ASSERT_EQ(0, qk_pair_open(&self->ended, &opts));
	ASSERT_EQ(0, shutdown(self->ended.client, SHUT_RDWR));
	self->fds[FRESH] = qk_socket(QK_V4, 0);
	ASSERT_LE(0, self->fds[FRESH]);
	self->fds[LISTENING] = self->open.listener;
	self->fds[CONNECTING] = self->starting.client;
	self->fds[ACCEPTED] = self->starting.server;
	self->fds[CLIENT] = self->open.client;
	self->fds[SERVER] = self->open.server;
	self->fds[CLOSED] = self->ended.client;
}

FIXTURE_TEARDOWN(option)
{
	qk_pair_close(&self->starting);
	qk_pair_close(&self->open);
	qk_pair_close(&self->ended);
	qk_close(&self->fds[FRESH]);
}

QUIC_TEST_F(option, set_by_state)
{
	size_t i, s;

	for (i = 0; i < ARRAY_SIZE(set_rows); i++) {
		const struct row *r = &set_rows[i];

		for (s = 0; s < STATES; s++) {
			if (r->ret[s] == ANY)
				continue;
			EXPECT_EQ(r->ret[s], qk_set(self->fds[s], r->opt, r->val, r->len)) {
				TH_LOG("set %s, %s", r->what, state_names[s]);
			}
		}
	}
}

QUIC_TEST_F(option, get_by_state)
{
	size_t i, s;

	for (i = 0; i < ARRAY_SIZE(get_rows); i++) {
		const struct row *r = &get_rows[i];

		for (s = 0; s < STATES; s++) {
			char buf[600] = { };
			socklen_t len = r->len;

			memcpy(buf, r->val, r->len);
			if (r->ret[s] == ANY)
				continue;
			EXPECT_EQ(r->ret[s], qk_get(self->fds[s], r->opt, buf, &len)) {
				TH_LOG("get %s, %s", r->what, state_names[s]);
			}
		}
	}
}

QUIC_TEST_F(option, the_wrong_direction_is_no_option)
{
	static const int set_only[] = {
		QUIC_SOCKOPT_STREAM_RESET, QUIC_SOCKOPT_STREAM_STOP_SENDING,
		QUIC_SOCKOPT_CONNECTION_MIGRATION, QUIC_SOCKOPT_KEY_UPDATE,
		QUIC_SOCKOPT_CRYPTO_SECRET,
	};
	static const int get_only[] = { QUIC_SOCKOPT_STREAM_OPEN, QUIC_SOCKOPT_INFO };
	char buf[128] = { };
	size_t i, s;

	for (s = 0; s < STATES; s++) {
		for (i = 0; i < ARRAY_SIZE(set_only); i++) {
			socklen_t len = sizeof(buf);

			EXPECT_EQ(-ENOPROTOOPT, qk_get(self->fds[s], set_only[i], buf, &len)) {
				TH_LOG("get %d, %s", set_only[i], state_names[s]);
			}
		}
		for (i = 0; i < ARRAY_SIZE(get_only); i++) {
			EXPECT_EQ(-ENOPROTOOPT, qk_set(self->fds[s], get_only[i], buf, 16)) {
				TH_LOG("set %d, %s", get_only[i], state_names[s]);
			}
		}
	}
}

QUIC_TEST_F(option, unknown_numbers_are_no_option)
{
	static const int numbers[] = { 15, 16, 17, 32, 63, 1000, 65535, 0x7fffffff, -1 };
	char buf[128] = { };
	size_t i, s;

	for (s = 0; s < STATES; s++) {
		for (i = 0; i < ARRAY_SIZE(numbers); i++) {
			socklen_t len = sizeof(buf);

			EXPECT_EQ(-ENOPROTOOPT, qk_get(self->fds[s], numbers[i], buf, &len)) {
				TH_LOG("get %d, %s", numbers[i], state_names[s]);
			}
			EXPECT_EQ(-ENOPROTOOPT, qk_set(self->fds[s], numbers[i], buf, 16)) {
				TH_LOG("set %d, %s", numbers[i], state_names[s]);
			}
		}
	}
}

QUIC_TEST_F(option, bad_pointers_are_faults_in_every_state)
{
	socklen_t len;
	size_t i, s;

	for (s = 0; s < STATES; s++) {
		for (i = 0; i < ARRAY_SIZE(set_rows) - 1; i++) {
			/* No longer than any of the options allows. */
			socklen_t n = set_rows[i].len < 100 ? set_rows[i].len : 100;

			EXPECT_EQ(-EFAULT, qk_set(self->fds[s], set_rows[i].opt, (void *)8, n)) {
				TH_LOG("set %s, %s", set_rows[i].what, state_names[s]);
			}
		}
		len = sizeof(struct quic_config);
		EXPECT_EQ(-EFAULT, qk_get(self->fds[s], QUIC_SOCKOPT_CONFIG, (void *)8, &len));
		EXPECT_EQ(-EFAULT, qk_get(self->fds[s], QUIC_SOCKOPT_CONFIG, &len, (void *)8));
	}
}

QUIC_TEST_F(option, options_of_other_levels_go_to_ip)
{
	int tos = 0x10, got = 0;
	socklen_t len = sizeof(got);

	ASSERT_EQ(0, setsockopt(self->fds[FRESH], IPPROTO_IP, IP_TOS, &tos, sizeof(tos)));
	ASSERT_EQ(0, getsockopt(self->fds[FRESH], IPPROTO_IP, IP_TOS, &got, &len));
	EXPECT_EQ(tos, got);
	EXPECT_EQ(-1, setsockopt(self->fds[FRESH], IPPROTO_TCP, 1, &tos, sizeof(tos)));
	EXPECT_EQ(ENOPROTOOPT, errno);
}

struct move {
	const char *what;
	int family;
	const char *addr;
	__u16 port;		/* 1: that of the socket */
	socklen_t len;		/* 0: natural */
	int ret[STATES];
};

/* Of a client that is connecting none is taken; a server announces what it is given. */
static const struct move moves[] = {
	{ "no port", AF_INET, "127.0.0.1", 0, 0, { P, P, E, E, E, E, P } },
	{ "any address", AF_INET, "0.0.0.0", 4433, 0, { P, P, E, E, E, E, P } },
	{ "multicast", AF_INET, "224.0.0.1", 4433, 0, { P, P, E, E, E, E, P } },
	{ "IPv6 on an IPv4 socket", AF_INET6, "::1", 4433, 0, { P, P, E, E, E, E, P } },
	{ "cut", AF_INET, "127.0.0.1", 4433, 4, { P, P, E, E, E, E, P } },
	{ "present", AF_INET, "127.0.0.1", 1, 0, { P, P, E, E, E, E, P } },
	{ "another port", AF_INET, "127.0.0.1", 4433, 0, { P, P, E, 0, ANY, ANY, P } },
};

QUIC_TEST_F(option, moves_by_state)
{
	size_t i, s;

	for (i = 0; i < ARRAY_SIZE(moves); i++) {
		const struct move *m = &moves[i];

		for (s = 0; s < STATES; s++) {
			int fd = self->fds[s];
			__u16 port = m->port == 1 ? qk_port(fd) : m->port;
			struct sockaddr_storage ss;
			socklen_t len = qk_address(&ss, m->family, m->addr, port);

			if (m->ret[s] == ANY)
				continue;
			EXPECT_EQ(m->ret[s], qk_set(fd, QUIC_SOCKOPT_CONNECTION_MIGRATION, &ss,
						    m->len ? m->len : len)) {
				TH_LOG("%s, %s", m->what, state_names[s]);
			}
		}
	}
}

QUIC_TEST_F(option, what_other_protocols_offer_is_refused)
{
	static const struct {
		int opt;
		int err;
	} rows[] = {
		{ SO_ZEROCOPY, EOPNOTSUPP }, { SO_PEEK_OFF, EOPNOTSUPP },
	};
	int one = 1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(-1, setsockopt(self->fds[CLIENT], SOL_SOCKET, rows[i].opt, &one,
					 sizeof(one)));
		/* 524 is ENOTSUPP, which has no name outside the kernel. */
		EXPECT_TRUE(errno == rows[i].err || errno == 524) {
			TH_LOG("option %d: %d", rows[i].opt, errno);
		}
	}
}

TEST_HARNESS_MAIN
