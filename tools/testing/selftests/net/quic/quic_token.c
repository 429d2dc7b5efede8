// SPDX-License-Identifier: GPL-2.0
/* Tokens of NEW_TOKEN frames at the listeners of a SO_REUSEPORT group (RFC 9000 8.1.4). */
#include "kselftest_harness.h"
#include "quic_ksft.h"

#define MEMBERS	3

FIXTURE(token) {
	struct qk_opts opts;
	struct quic_config server;
	struct qk_pair p;
	int members[MEMBERS];
	__u16 port;
};

FIXTURE_SETUP(token)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	for (int i = 0; i < MEMBERS; i++)
		self->members[i] = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->server.validate_peer_address = 1;
	self->opts.server_config = &self->server;
}

FIXTURE_TEARDOWN(token)
{
	qk_pair_close(&self->p);
	for (int i = 0; i < MEMBERS; i++)
		qk_close(&self->members[i]);
}

/* One more listener at @port of all that say so, 0 for any port. */
static int join(const struct qk_opts *opts, __u16 port)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, opts->family, port);
	int fd = qk_socket(opts->family, opts->type), ret;

	if (fd < 0)
		return fd;
	ret = qk_set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!ret && bind(fd, (struct sockaddr *)&ss, len))
		ret = -errno;
	if (!ret)
		ret = qk_apply(fd, opts, true);
	if (!ret && listen(fd, 8))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

/* Connects with @token, if there is one, to whichever member of the group the client falls to. */
static int start(QUIC_SELF(token), const __u8 *token, socklen_t token_len)
{
	struct pollfd fds[MEMBERS];
	__u8 hello[1024];
	int ret = 0;
	size_t len;

	self->p.client = qk_connect(&self->opts, self->port);
	if (self->p.client < 0)
		return self->p.client;
	if (token_len)
		ret = qk_set(self->p.client, QUIC_SOCKOPT_TOKEN, token, token_len);
	if (ret)
		return ret;
	len = qk_client_hello(self->p.client, NULL, hello, sizeof(hello));
	ret = qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, len, 0);
	if (ret != (int)len)
		return ret < 0 ? ret : -EMSGSIZE;
	for (int i = 0; i < MEMBERS; i++)
		fds[i] = (struct pollfd){ .fd = self->members[i], .events = POLLIN };
	if (poll(fds, MEMBERS, qk_wait_ms()) <= 0)
		return -ETIMEDOUT;
	for (int i = 0; i < MEMBERS; i++) {
		if (fds[i].revents)
			self->p.server = qk_accept(self->members[i]);
	}
	if (self->p.server < 0)
		return self->p.server;
	return qk_hs_recv(self->p.server, QUIC_CRYPTO_INITIAL, hello, len);
}

QUIC_TEST_F(token, a_group_takes_it_once_whichever_member_gets_the_client)
{
	union quic_event event;
	__u8 token[256];
	socklen_t len = sizeof(token);
	__s64 sent;

	for (int i = 0; i < MEMBERS; i++) {
		self->members[i] = join(&self->opts, self->port);
		ASSERT_LE(0, self->members[i]);
		self->port = qk_port(self->members[0]);
	}
	self->opts.client_events = 1u << QUIC_EVENT_NEW_TOKEN;
	ASSERT_EQ(0, start(self, NULL, 0));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	ASSERT_LE(0, qk_next_event(self->p.client, QUIC_EVENT_NEW_TOKEN, &event));
	ASSERT_EQ(0, qk_get(self->p.client, QUIC_SOCKOPT_TOKEN, token, &len));

	sent = qk_snmp("QuicRetryOut");
	for (int again = 0; again < 8; again++) {
		qk_close(&self->p.client);
		qk_close(&self->p.server);
		ASSERT_EQ(0, start(self, token, len));
		EXPECT_EQ(sent + again, qk_snmp("QuicRetryOut"));
	}
}

TEST_HARNESS_MAIN
