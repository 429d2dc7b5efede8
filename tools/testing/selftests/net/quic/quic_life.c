// SPDX-License-Identifier: GPL-2.0
/* The end of connections: shutdown, close, refusal, idle time-out. */
#include <sys/time.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

FIXTURE(life) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_VARIANT(life) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(life, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(life, v6) { QK_V6 };

FIXTURE_SETUP(life)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
	self->opts.client_events = 1u << QUIC_EVENT_CONNECTION_CLOSE;
	self->opts.server_events = 1u << QUIC_EVENT_CONNECTION_CLOSE;
}

FIXTURE_TEARDOWN(life)
{
	qk_pair_close(&self->p);
}

static int close_code(int fd)
{
	union quic_event ev;
	int ret = qk_next_event(fd, QUIC_EVENT_CONNECTION_CLOSE, &ev);

	return ret < 0 ? ret : (int)ev.close.errcode;
}

QUIC_TEST_F(life, shutdown_closes_in_all_three_ways)
{
	static const int hows[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
	char c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hows); i++) {
		ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
		ASSERT_EQ(0, shutdown(self->p.client, hows[i]));
		EXPECT_EQ(-EPIPE, qk_send(self->p.client, 0, NEW, "x", 1, 0)) {
			TH_LOG("how %d", hows[i]);
		}
		EXPECT_EQ(-1, recv(self->p.client, &c, 1, MSG_DONTWAIT));
		EXPECT_EQ(ENOTCONN, errno) {
			TH_LOG("how %d", hows[i]);
		}
		if (hows[i] != SHUT_RD) {
			EXPECT_EQ(0, close_code(self->p.server)) {
				TH_LOG("how %d", hows[i]);
			}
		}
		qk_pair_close(&self->p);
	}
}

QUIC_TEST_F(life, the_server_closes_as_well)
{
	struct quic_connection_close set = { .errcode = 42 };

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qk_set(self->p.server, QUIC_SOCKOPT_CONNECTION_CLOSE, &set, sizeof(set)));
	qk_close(&self->p.server);
	EXPECT_EQ(42, close_code(self->p.client));
	EXPECT_EQ(-EPIPE, qk_send(self->p.client, 0, NEW, "x", 1, 0));
}

QUIC_TEST_F(life, close_of_a_client_in_the_handshake_is_told_to_the_server)
{
	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	qk_close(&self->p.client);
	EXPECT_EQ(QUIC_TRANSPORT_ERROR_APPLICATION, close_code(self->p.server));
}

QUIC_TEST_F(life, a_reason_given_in_the_handshake_is_told)
{
	/* A TLS alert, RFC 9001 4.8: bad certificate. */
	struct quic_connection_close set = { .errcode = QUIC_TRANSPORT_ERROR_CRYPTO + 42 };

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	ASSERT_EQ(0, qk_set(self->p.server, QUIC_SOCKOPT_CONNECTION_CLOSE, &set, sizeof(set)));
	qk_close(&self->p.server);
	EXPECT_EQ(QUIC_TRANSPORT_ERROR_CRYPTO + 42, close_code(self->p.client));
}

QUIC_TEST_F(life, a_blocked_reader_is_woken_by_the_close)
{
	pid_t child;
	int status;
	char c;

	self->opts.server_events = 0;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0) {
		qk_close(&self->p.client);
		alarm(qk_wait_ms() / 1000);
		_exit(recv(self->p.server, &c, 1, 0) == -1 && errno == ENOTCONN ? 0 : 1);
	}
	qk_close(&self->p.client);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

QUIC_TEST_F(life, a_blocked_writer_is_woken_by_the_close)
{
	struct quic_transport_param param = { .max_data = 5000 };
	static char buf[8192];
	pid_t child;
	int status;

	self->opts.server_param = &param;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(5000, qk_send(self->p.client, 0, NEW, buf, sizeof(buf), MSG_DONTWAIT));
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0) {
		qk_close(&self->p.server);
		alarm(qk_wait_ms() / 1000);
		_exit(qk_send(self->p.client, 0, 0, buf, 1, 0) == -EPIPE ? 0 : 1);
	}
	qk_close(&self->p.server);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* RFC 9000 5.2.2 #5 test */
QUIC_TEST_F(life, a_full_backlog_refuses)
{
	struct qk_pair second = { -1, -1, -1 };
	__u8 hello[1024];
	union quic_event ev;
	size_t len;
	int i;

	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	ASSERT_EQ(0, listen(self->p.listener, 1));
	/* More than two clients: one of them is beyond a backlog of one. */
	for (i = 0; i < 4; i++) {
		qk_close(&second.client);
		second.client = qk_connect(&self->opts, qk_port(self->p.listener));
		ASSERT_LE(0, second.client);
		len = qk_client_hello(second.client, NULL, hello, sizeof(hello));
		ASSERT_EQ((ssize_t)len,
			  qk_hs_send(second.client, QUIC_CRYPTO_INITIAL, hello, len, 0));
		ASSERT_LE(0, qk_wait(self->p.listener, POLLIN));
		if (i == 0) {
			self->p.client = second.client;
			second.client = -1;
		}
		if (i == 3)
			break;
	}
	ASSERT_EQ(sizeof(ev.close),
		  qk_next_event(second.client, QUIC_EVENT_CONNECTION_CLOSE, &ev));
	EXPECT_EQ(QUIC_TRANSPORT_ERROR_CONNECTION_REFUSED, ev.close.errcode);
	qk_close(&second.client);
}

QUIC_TEST_F(life, an_idle_connection_ends_at_both_sides)
{
	struct quic_transport_param param = { .max_idle_timeout = 1000000 };

	self->opts.client_param = &param;
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	EXPECT_EQ(0, close_code(self->p.client));
	EXPECT_EQ(0, close_code(self->p.server));
	EXPECT_EQ(-EPIPE, qk_send(self->p.client, 0, NEW, "x", 1, 0));
}

QUIC_TEST_F(life, a_client_without_a_server_gives_up)
{
	struct quic_transport_param param = { .max_idle_timeout = 1000000 };
	__u8 hello[1024];
	size_t len;

	self->opts.client_param = &param;
	self->p.client = qk_connect(&self->opts, 4433);
	ASSERT_LE(0, self->p.client);
	len = qk_client_hello(self->p.client, NULL, hello, sizeof(hello));
	ASSERT_EQ((ssize_t)len, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, len, 0));
	EXPECT_EQ(0, close_code(self->p.client));
}

QUIC_TEST_F(life, connections_are_counted_and_listed_until_they_end)
{
	__s64 estabs, start;
	char text[16];

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	estabs = qk_snmp("QuicConnCurrentEstabs");
	EXPECT_EQ(2, estabs);
	EXPECT_EQ(1, qk_snmp("QuicConnActiveEstabs"));
	EXPECT_EQ(1, qk_snmp("QuicConnPassiveEstabs"));
	snprintf(text, sizeof(text), ":%u", qk_port(self->p.listener));
	EXPECT_TRUE(qk_listed("conns", text));
	EXPECT_TRUE(qk_listed("eps", text));
	qk_pair_close(&self->p);
	start = qk_now_ms();
	while (qk_snmp("QuicConnCurrentEstabs") && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	EXPECT_EQ(0, qk_snmp("QuicConnCurrentEstabs"));
	EXPECT_FALSE(qk_listed("conns", text));
	EXPECT_FALSE(qk_listed("eps", text));
}

QUIC_TEST_F(life, a_hundred_connections_come_and_go)
{
	int i;

	for (i = 0; i < 100; i++) {
		struct qk_item it;
		char buf[8];

		ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts)) {
			TH_LOG("connection %d", i);
		}
		ASSERT_EQ(4, qk_send(self->p.client, 0, NEW | FIN, "ping", 4, 0));
		ASSERT_EQ(4, qk_next(self->p.server, &it, buf, sizeof(buf)));
		qk_pair_close(&self->p);
	}
}

QUIC_TEST_F(life, only_shut_rd_ends_without_a_word)
{
	static const struct {
		int how;
		int closes;
	} rows[] = { { SHUT_RD, 0 }, { SHUT_WR, 1 }, { SHUT_RDWR, 1 } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		__s64 before;

		ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
		before = qk_snmp("QuicFrmOutCloses");
		ASSERT_EQ(0, shutdown(self->p.client, rows[i].how));
		EXPECT_EQ(before + rows[i].closes, qk_snmp("QuicFrmOutCloses")) {
			TH_LOG("how %d", rows[i].how);
		}
		/* Nor does it answer, or say it once more at the end. */
		if (rows[i].how == SHUT_RD) {
			ASSERT_EQ(1, qk_send(self->p.server, 1, NEW, "x", 1, 0));
			qk_close(&self->p.client);
			EXPECT_EQ(before, qk_snmp("QuicFrmOutCloses"));
			EXPECT_TRUE(qk_quiet(self->p.server));
		}
		EXPECT_EQ(-1, shutdown(self->p.client, rows[i].how));
		qk_pair_close(&self->p);
	}
}

QUIC_TEST_F(life, what_was_written_before_a_close_is_sent_first)
{
	/* A probe of the path's MTU may take most of the congestion window. */
	static char sent[2000], got[2000];
	struct qk_item it;
	size_t done = 0;

	self->opts.client_events = 0;
	self->opts.server_events = 0;
	qk_pattern((__u8 *)sent, sizeof(sent), 3, 0);
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	/* Held back for more, which does not come. */
	ASSERT_EQ((ssize_t)sizeof(sent), qk_send(self->p.client, 0, NEW, sent, sizeof(sent),
						 MSG_MORE));
	qk_close(&self->p.client);
	while (done < sizeof(sent)) {
		ssize_t ret = qk_next(self->p.server, &it, got + done, sizeof(got) - done);

		ASSERT_LT(0, ret) {
			TH_LOG("after %zu bytes", done);
		}
		done += ret;
	}
	EXPECT_EQ(0, memcmp(sent, got, sizeof(sent)));
	ASSERT_LE(0, qk_wait(self->p.server, POLLHUP));
	EXPECT_EQ(-ENOTCONN, qk_recv(self->p.server, &it, got, sizeof(got), MSG_DONTWAIT));
}

/* Flags of the end at this side, as QUIC_SOCKOPT_INFO has them. */
static int ended(int fd)
{
	struct quic_info info = { };
	socklen_t len = sizeof(info);
	int ret = qk_get(fd, QUIC_SOCKOPT_INFO, &info, &len);

	return ret ? ret : (int)(info.flags & (QUIC_INFO_TIMED_OUT | QUIC_INFO_APP_CLOSED |
					       QUIC_INFO_PEER_CLOSED | QUIC_INFO_RESET));
}

/* The same number means one thing to the application and another to the transport. */
QUIC_TEST_F(life, whose_code_it_is_is_told)
{
	const __u32 code = QUIC_TRANSPORT_ERROR_CONNECTION_REFUSED;
	struct quic_connection_close set = { .errcode = code };
	int i;

	for (i = 0; i < 2; i++) {
		int app = i ? QUIC_INFO_APP_CLOSED : 0;

		ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
		if (i)
			ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
		EXPECT_EQ(0, ended(self->p.client));
		ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_CLOSE, &set,
				    sizeof(set)));
		ASSERT_EQ(0, shutdown(self->p.client, SHUT_RDWR));
		EXPECT_EQ(code, close_code(self->p.server));
		EXPECT_EQ(app, ended(self->p.client));
		EXPECT_EQ(app | QUIC_INFO_PEER_CLOSED, ended(self->p.server));
		qk_pair_close(&self->p);
	}
}

QUIC_TEST_F(life, errors_are_told_by_calls_and_never_stored)
{
	struct quic_connection_close set = { .errcode = 9 };
	char c;

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, qk_set(self->p.client, QUIC_SOCKOPT_CONNECTION_CLOSE, &set, sizeof(set)));
	qk_close(&self->p.client);
	EXPECT_EQ(9, close_code(self->p.server));
	EXPECT_EQ(0, qk_get_int(self->p.server, SOL_SOCKET, SO_ERROR));
	EXPECT_EQ(-EPIPE, qk_send(self->p.server, 1, NEW, "x", 1, 0));
	EXPECT_EQ(-1, recv(self->p.server, &c, 1, MSG_DONTWAIT));
	EXPECT_EQ(ENOTCONN, errno);
	EXPECT_EQ(0, qk_get_int(self->p.server, SOL_SOCKET, SO_ERROR));
}

TEST_HARNESS_MAIN
