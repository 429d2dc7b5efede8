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

/* Fill a value that the test can tell from others. */
static void fill(char *buf, size_t len, char c)
{
	memset(buf, c, len);
}

/* What the option SESSION_TICKET holds; its length, or -errno. */
static int ticket_of(int fd, char *buf, socklen_t len)
{
	int ret = qk_get(fd, QUIC_SOCKOPT_SESSION_TICKET, buf, &len);

	return ret ? ret : (int)len;
}

QUIC_TEST_F(blob, a_ticket_is_the_one_set_then_the_one_received_then_the_one_set_again)
{
	char set[70], received[104], got[256];
	struct qk_opts opts = { };

	ASSERT_EQ(0, qk_hs_start(&self->p, &opts));
	fill(set, sizeof(set), 's');
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_SESSION_TICKET, set, sizeof(set)));
	ASSERT_EQ((int)sizeof(set), ticket_of(self->p.client, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(set, got, sizeof(set)));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	/* The one that this handshake has used up is gone. */
	EXPECT_EQ(0, ticket_of(self->p.client, got, sizeof(got)));
	/* In two parts: it is there when the last byte is. */
	fill(received, sizeof(received), 'r');
	memcpy(received, "\4\0\0\144", 4);
	ASSERT_EQ(50, qk_hs_send(self->p.server, QUIC_CRYPTO_APP, received, 50, 0));
	ASSERT_EQ(1, qk_send(self->p.server, 1, MSG_QUIC_STREAM_NEW, "x", 1, 0));
	ASSERT_LE(0, qk_wait(self->p.client, POLLIN));
	EXPECT_EQ(0, ticket_of(self->p.client, got, sizeof(got)));
	ASSERT_EQ(0, qk_event(self->p.client, QUIC_EVENT_NEW_SESSION_TICKET, 1));
	ASSERT_EQ(54, qk_hs_send(self->p.server, QUIC_CRYPTO_APP, received + 50, 54, 0));
	ASSERT_EQ((int)sizeof(received),
		  qk_next_event(self->p.client, QUIC_EVENT_NEW_SESSION_TICKET,
				&(union quic_event){ }));
	ASSERT_EQ((int)sizeof(received), ticket_of(self->p.client, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(received, got, sizeof(received)));
	/* What a handshake daemon keeps there is what the kernel's user reads. */
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_SESSION_TICKET, set, sizeof(set)));
	ASSERT_EQ((int)sizeof(set), ticket_of(self->p.client, got, sizeof(got)));
	EXPECT_EQ(0, memcmp(set, got, sizeof(set)));
}

/* One more connection to a listener: its server's end, or -errno. */
static int one_more(int listener, int *client)
{
	struct qk_opts opts = { };

	*client = qk_hs_client(&opts, qk_port(listener), 0, NULL);
	return *client < 0 ? *client : qk_accept(listener);
}

QUIC_TEST_F(blob, a_ticket_key_is_of_the_listener_and_the_address_of_the_client)
{
	char first[64], again[64], other[64];
	struct qk_opts opts = { };
	int listener, client, server;

	ASSERT_EQ(0, qk_hs_start(&self->p, &opts));
	ASSERT_EQ(64, ticket_of(self->p.server, first, sizeof(first)));
	EXPECT_EQ(-EINVAL, ticket_of(self->p.server, again, 63));
	/* From another port of the same address. */
	server = one_more(self->p.listener, &client);
	ASSERT_LE(0, server);
	ASSERT_EQ(64, ticket_of(server, again, sizeof(again)));
	EXPECT_EQ(0, memcmp(first, again, sizeof(first)));
	qk_close(&server);
	qk_close(&client);
	listener = qk_listen(&opts);
	ASSERT_LE(0, listener);
	server = one_more(listener, &client);
	ASSERT_LE(0, server);
	ASSERT_EQ(64, ticket_of(server, other, sizeof(other)));
	EXPECT_NE(0, memcmp(first, other, sizeof(first)));
	qk_close(&server);
	qk_close(&client);
	/* A key that was set is for all that the listener accepts. */
	fill(other, sizeof(other), 'k');
	ASSERT_EQ(0, qk_set(listener, QUIC_SOCKOPT_SESSION_TICKET, other, sizeof(other)));
	server = one_more(listener, &client);
	ASSERT_LE(0, server);
	ASSERT_EQ(64, ticket_of(server, again, sizeof(again)));
	EXPECT_EQ(0, memcmp(other, again, sizeof(other)));
	qk_close(&server);
	qk_close(&client);
	qk_close(&listener);
	ASSERT_EQ(0, shutdown(self->p.server, SHUT_RDWR));
	EXPECT_EQ(-EPIPE, ticket_of(self->p.server, again, sizeof(again)));
}

/* RFC 9369 section 5. */
QUIC_TEST_F(blob, a_ticket_key_is_of_the_version)
{
	struct quic_config v2 = { .version = QUIC_VERSION_V2 };
	struct qk_opts opts = { }, opts2 = { .client_config = &v2 };
	char set[70], keys[2][2][70];
	int listener, client, server, is_set, v;
	int len[2] = { 64, sizeof(set) };

	listener = qk_listen(&opts);
	ASSERT_LE(0, listener);
	fill(set, sizeof(set), 'k');
	for (is_set = 0; is_set < 2; is_set++) {
		if (is_set)
			ASSERT_EQ(0, qk_set(listener, QUIC_SOCKOPT_SESSION_TICKET, set,
					    sizeof(set)));
		for (v = 0; v < 2; v++) {
			client = qk_hs_client(v ? &opts2 : &opts, qk_port(listener), 0, NULL);
			ASSERT_LE(0, client);
			server = qk_accept(listener);
			ASSERT_LE(0, server);
			EXPECT_EQ(len[is_set], ticket_of(server, keys[is_set][v], sizeof(set)));
			qk_close(&server);
			qk_close(&client);
		}
		/* All of it is another one. */
		EXPECT_NE(0, memcmp(keys[is_set][0], keys[is_set][1], 32));
		EXPECT_NE(0, memcmp(keys[is_set][0] + 32, keys[is_set][1] + 32, 32));
	}
	EXPECT_EQ(0, memcmp(set, keys[1][0], sizeof(set)));
	EXPECT_NE(0, memcmp(set + 64, keys[1][1] + 64, 6));
	qk_close(&listener);
}

QUIC_TEST_F(blob, a_server_gives_another_token_when_told_to)
{
	struct qk_opts opts = { .client_events = 1u << QUIC_EVENT_NEW_TOKEN };
	char first[128] = "", second[128] = "";
	socklen_t len = sizeof(first), len2 = sizeof(second);
	__s64 start = qk_now_ms();
	union quic_event ev;
	int ret;

	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
	ASSERT_LT(0, qk_next_event(self->p.client, QUIC_EVENT_NEW_TOKEN, &ev));
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_TOKEN, first, &len));
	EXPECT_LT(0, len);
	/* The one of the handshake is on its way until it is acknowledged. */
	do {
		ret = qk_set(self->p.server, QUIC_SOCKOPT_TOKEN, NULL, 0);
		if (ret == -EAGAIN)
			poll(NULL, 0, 1);
	} while (ret == -EAGAIN && qk_now_ms() - start < qk_wait_ms());
	ASSERT_EQ(0, ret);
	if (qk_link("lo", false))
		SKIP(return, "needs a network namespace");
	/* That one may be acknowledged; the next one cannot be. */
	ret = qk_set(self->p.server, QUIC_SOCKOPT_TOKEN, "any", 3);
	EXPECT_TRUE(ret == 0 || ret == -EAGAIN);
	EXPECT_EQ(-EAGAIN, qk_set(self->p.server, QUIC_SOCKOPT_TOKEN, "any", 3));
	ASSERT_EQ(0, qk_link("lo", true));
	ASSERT_LT(0, qk_next_event(self->p.client, QUIC_EVENT_NEW_TOKEN, &ev));
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_TOKEN, second, &len2));
	EXPECT_TRUE(len != len2 || memcmp(first, second, len));
}

QUIC_TEST_F(blob, a_token_is_the_one_set_until_the_handshake_is_over)
{
	struct qk_opts opts = { };
	char got[128] = "";
	socklen_t len = sizeof(got);

	ASSERT_EQ(0, qk_hs_start(&self->p, &opts));
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_TOKEN, "a token", 7));
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_TOKEN, got, &len));
	EXPECT_EQ(7, len);
	EXPECT_EQ(0, memcmp(got, "a token", 7));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	len = sizeof(got);
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_TOKEN, got, &len));
	EXPECT_TRUE(len != 7 || memcmp(got, "a token", 7));
}

QUIC_TEST_F(blob, an_accepted_socket_has_the_protocols_of_its_listener_until_one_is_chosen)
{
	struct qk_opts opts = { .alpn = "smb, h3" };
	char got[64];
	socklen_t len = sizeof(got);

	self->p.listener = qk_listen(&opts);
	ASSERT_LE(0, self->p.listener);
	self->p.client = qk_connect(&(struct qk_opts){ }, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	opts.alpn = "h3";
	ASSERT_EQ(0, qk_hs_hello(&self->p, &opts));
	ASSERT_EQ(0, qk_get(self->p.server, QUIC_SOCKOPT_ALPN, got, &len));
	ASSERT_EQ(6, len);
	EXPECT_EQ(0, memcmp("smb,h3", got, 6));
	ASSERT_EQ(0, qk_set(self->p.server, QUIC_SOCKOPT_ALPN, "h3", 2));
	len = sizeof(got);
	ASSERT_EQ(0, qk_get(self->p.server, QUIC_SOCKOPT_ALPN, got, &len));
	ASSERT_EQ(2, len);
	EXPECT_EQ(0, memcmp("h3", got, 2));
}

TEST_HARNESS_MAIN
