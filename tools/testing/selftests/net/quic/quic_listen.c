// SPDX-License-Identifier: GPL-2.0
/* listen() and accept(): states, uniqueness of listeners, inheritance. */
#include <fcntl.h>
#include <sys/time.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

FIXTURE(listener) {
	int fd;
	int other;
	struct qk_opts opts;
};

FIXTURE_VARIANT(listener) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(listener, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(listener, v6) { QK_V6 };

FIXTURE_SETUP(listener)
{
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
	self->fd = qk_socket(variant->family, 0);
	self->other = qk_socket(variant->family, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->other);
}

FIXTURE_TEARDOWN(listener)
{
	qk_close(&self->fd);
	qk_close(&self->other);
}

static int do_listen(int fd, int backlog)
{
	return listen(fd, backlog) ? -errno : 0;
}

static int bind_port(int fd, enum qk_family family, __u16 port)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, family, port);

	return bind(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

static int set_alpn(int fd, const char *alpn)
{
	return qk_set(fd, QUIC_SOCKOPT_ALPN, alpn, strlen(alpn));
}

QUIC_TEST_F(listener, backlog_zero_starts_nothing)
{
	EXPECT_EQ(-EINVAL, do_listen(self->fd, 0));
	EXPECT_EQ(0, do_listen(self->fd, 1));
}

QUIC_TEST_F(listener, listen_binds_an_unbound_socket)
{
	char text[16];

	ASSERT_EQ(0, do_listen(self->fd, 1));
	ASSERT_NE(0, qk_port(self->fd));
	snprintf(text, sizeof(text), ":%u", qk_port(self->fd));
	EXPECT_TRUE(qk_listed("eps", text));
	EXPECT_EQ(0, do_listen(self->fd, 0));
	EXPECT_FALSE(qk_listed("eps", text));
}

QUIC_TEST_F(listener, backlog_may_change_and_zero_ends_listening)
{
	ASSERT_EQ(0, do_listen(self->fd, 1));
	EXPECT_EQ(0, do_listen(self->fd, 100));
	EXPECT_EQ(0, do_listen(self->fd, 0));
	EXPECT_EQ(-1, accept(self->fd, NULL, NULL));
	EXPECT_EQ(EINVAL, errno);
}

QUIC_TEST_F(listener, a_listener_is_no_connection)
{
	char c = 0;

	ASSERT_EQ(0, do_listen(self->fd, 1));
	EXPECT_EQ(-1, recv(self->fd, &c, 1, MSG_DONTWAIT));
	EXPECT_EQ(ENOTCONN, errno);
	EXPECT_EQ(-1, send(self->fd, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(-EINVAL, set_alpn(self->fd, "h3"));
}

QUIC_TEST_F(listener, a_listener_does_not_connect)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, variant->family, 4433);

	ASSERT_EQ(0, do_listen(self->fd, 1));
	EXPECT_EQ(-1, connect(self->fd, (struct sockaddr *)&ss, len));
	EXPECT_EQ(EINVAL, errno);
}

struct two {
	const char *first;
	const char *second;
	bool reuseport;
	int ret;
};

static const struct two twos[] = {
	{ NULL, NULL, false, -EADDRINUSE },
	{ NULL, NULL, true, 0 },
	{ "a", "a", false, -EADDRINUSE },
	{ "a", "a", true, 0 },
	{ "a", "b", false, 0 },
	{ "a,b", "b,c", false, -EADDRINUSE },
	{ "a,b", "c,d", false, 0 },
	{ "a", NULL, false, 0 },
	{ NULL, "a", false, 0 },
};

QUIC_TEST_F(listener, two_on_one_port_differ_by_alpn)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(twos); i++) {
		const struct two *t = &twos[i];
		__u16 port = 5000 + i;
		int one = t->reuseport;
		int a = qk_socket(variant->family, 0);
		int b = qk_socket(variant->family, 0);

		ASSERT_LE(0, a);
		ASSERT_LE(0, b);
		ASSERT_EQ(0, setsockopt(a, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
		ASSERT_EQ(0, setsockopt(b, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
		if (t->first)
			ASSERT_EQ(0, set_alpn(a, t->first));
		if (t->second)
			ASSERT_EQ(0, set_alpn(b, t->second));
		ASSERT_EQ(0, bind_port(a, variant->family, port));
		ASSERT_EQ(0, bind_port(b, variant->family, port));
		ASSERT_EQ(0, do_listen(a, 1));
		EXPECT_EQ(t->ret, do_listen(b, 1)) {
			TH_LOG("row %zu", i);
		}
		qk_close(&a);
		qk_close(&b);
	}
}

QUIC_TEST_F(listener, accept_without_a_client_does_not_wait_if_told_so)
{
	struct timeval tv = { .tv_usec = 20000 };

	ASSERT_EQ(0, do_listen(self->fd, 1));
	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	EXPECT_EQ(-1, accept(self->fd, NULL, NULL));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, accept(self->fd, NULL, NULL));
	EXPECT_EQ(EAGAIN, errno);
}

QUIC_TEST_F(listener, accept_returns_before_the_handshake)
{
	struct qk_pair p;
	char c;

	ASSERT_EQ(0, qk_hs_start(&p, &self->opts));
	/* Nothing was established: the stream cannot be closed or reset yet. */
	EXPECT_EQ(-1, recv(p.server, &c, 1, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-EPIPE, qk_set(p.server, QUIC_SOCKOPT_KEY_UPDATE, NULL, 0));
	EXPECT_EQ(qk_port(p.listener), qk_port(p.server));
	EXPECT_EQ(-1, accept(p.server, NULL, NULL));
	EXPECT_EQ(EINVAL, errno);
	qk_pair_close(&p);
}

QUIC_TEST_F(listener, accept_tells_the_address_of_the_client)
{
	struct sockaddr_storage ss, peer;
	socklen_t len = sizeof(ss), peer_len = sizeof(peer);
	struct qk_pair p = { -1, -1, -1 };
	__u8 hello[1024];
	size_t n;

	p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, p.listener);
	p.client = qk_connect(&self->opts, qk_port(p.listener));
	ASSERT_LE(0, p.client);
	n = qk_client_hello(p.client, NULL, hello, sizeof(hello));
	ASSERT_LT(0, n);
	ASSERT_EQ((ssize_t)n, qk_hs_send(p.client, QUIC_CRYPTO_INITIAL, hello, n, 0));
	ASSERT_LE(0, qk_wait(p.listener, POLLIN));
	memset(&ss, 0, sizeof(ss));
	memset(&peer, 0, sizeof(peer));
	p.server = accept4(p.listener, (struct sockaddr *)&ss, &len,
			   SOCK_NONBLOCK | SOCK_CLOEXEC);
	ASSERT_LE(0, p.server);
	EXPECT_EQ(O_NONBLOCK, fcntl(p.server, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(FD_CLOEXEC, fcntl(p.server, F_GETFD));
	ASSERT_EQ(0, getpeername(p.server, (struct sockaddr *)&peer, &peer_len));
	EXPECT_EQ(peer_len, len);
	EXPECT_EQ(0, memcmp(&ss, &peer, sizeof(ss)));
	EXPECT_EQ(qk_port(p.client), ntohs(((struct sockaddr_in *)&ss)->sin_port));
	qk_pair_close(&p);
}

/* One socket for both families: an IPv4 client has an IPv4 address. */
QUIC_TEST_F(listener, a_client_by_ipv4_of_a_listener_by_ipv6_is_named_so)
{
	struct qk_opts opts = { .family = QK_V4 };
	struct sockaddr_storage any, ss[3];
	int client, server, i;
	socklen_t len = qk_address(&any, AF_INET6, "::", 0);

	if (variant->family != QK_V6)
		SKIP(return, "about IPv6 sockets");
	ASSERT_EQ(0, bind(self->fd, (struct sockaddr *)&any, len));
	ASSERT_EQ(0, do_listen(self->fd, 4));
	client = qk_hs_client(&opts, qk_port(self->fd), 0, NULL);
	ASSERT_LE(0, client);
	ASSERT_LE(0, qk_wait(self->fd, POLLIN));
	memset(ss, 0, sizeof(ss));
	len = sizeof(ss[0]);
	server = accept(self->fd, (struct sockaddr *)&ss[0], &len);
	ASSERT_LE(0, server);
	EXPECT_EQ(sizeof(struct sockaddr_in), len);
	len = sizeof(ss[1]);
	ASSERT_EQ(0, getpeername(server, (struct sockaddr *)&ss[1], &len));
	EXPECT_EQ(sizeof(struct sockaddr_in), len);
	len = sizeof(ss[2]);
	ASSERT_EQ(0, getsockname(server, (struct sockaddr *)&ss[2], &len));
	EXPECT_EQ(sizeof(struct sockaddr_in), len);
	for (i = 0; i < 3; i++) {
		struct sockaddr_in *in = (struct sockaddr_in *)&ss[i];

		EXPECT_EQ(AF_INET, in->sin_family);
		EXPECT_EQ(htonl(INADDR_LOOPBACK), in->sin_addr.s_addr);
		EXPECT_EQ(i == 2 ? qk_port(self->fd) : qk_port(client), ntohs(in->sin_port));
	}
	/* The type of the socket is that of the listener. */
	EXPECT_EQ(SOCK_DGRAM, qk_get_int(server, SOL_SOCKET, SO_TYPE));
	EXPECT_EQ(AF_INET6, qk_get_int(server, SOL_SOCKET, SO_DOMAIN));
	qk_close(&server);
	qk_close(&client);
}

QUIC_TEST_F(listener, an_accepted_socket_inherits_what_was_set)
{
	struct quic_transport_param param = { .max_data = 123456, .max_streams_uni = 7 };
	struct quic_config config = { .initial_smoothed_rtt = 100000 };
	struct quic_event_option ev = { .type = QUIC_EVENT_KEY_UPDATE };
	socklen_t len = sizeof(param), conf_len = sizeof(config), ev_len = sizeof(ev);
	struct qk_pair p;

	self->opts.server_param = &param;
	self->opts.server_config = &config;
	self->opts.server_events = 1u << QUIC_EVENT_KEY_UPDATE;
	ASSERT_EQ(0, qk_hs_start(&p, &self->opts));
	memset(&param, 0, sizeof(param));
	memset(&config, 0, sizeof(config));
	ASSERT_EQ(0, qk_get(p.server, QUIC_SOCKOPT_TRANSPORT_PARAM, &param, &len));
	EXPECT_EQ(123456, param.max_data);
	EXPECT_EQ(7, param.max_streams_uni);
	ASSERT_EQ(0, qk_get(p.server, QUIC_SOCKOPT_CONFIG, &config, &conf_len));
	EXPECT_EQ(100000, config.initial_smoothed_rtt);
	ASSERT_EQ(0, qk_get(p.server, QUIC_SOCKOPT_EVENT, &ev, &ev_len));
	EXPECT_EQ(1, ev.on);
	qk_pair_close(&p);
}

QUIC_TEST_F(listener, ending_the_listener_leaves_accepted_connections_alive)
{
	struct qk_pair p;
	struct qk_item it;
	char buf[8];

	ASSERT_EQ(0, qk_pair_open(&p, &self->opts));
	qk_close(&p.listener);
	ASSERT_EQ(5, qk_send(p.client, 0, MSG_QUIC_STREAM_NEW, "hello", 5, 0));
	ASSERT_EQ(5, qk_next(p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
	qk_pair_close(&p);
}

TEST_HARNESS_MAIN
