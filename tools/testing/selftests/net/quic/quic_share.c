// SPDX-License-Identifier: GPL-2.0
/* Which sockets may share a port: addresses in any order, and users. */
#include <arpa/inet.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define PORT	4433
#define NOBODY	65534

struct place {
	int family;
	const char *addr;
	bool v6only;
	const char *alpn;
	const char *servers;
	bool reuseport;
};

#define V4(text, ...)	{ .family = AF_INET, .addr = text, ##__VA_ARGS__ }
#define V6(text, ...)	{ .family = AF_INET6, .addr = text, ##__VA_ARGS__ }

FIXTURE(share) {
	int first;
	int second;
	int third;
	int client;
};

FIXTURE_SETUP(share)
{
	int ret = qk_setup();

	self->first = -1;
	self->second = -1;
	self->third = -1;
	self->client = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

static void close_all(QUIC_SELF(share))
{
	qk_close(&self->client);
	qk_close(&self->first);
	qk_close(&self->second);
	qk_close(&self->third);
}

FIXTURE_TEARDOWN(share)
{
	close_all(self);
}

static int open_at(const struct place *at, int protocol)
{
	int fd = socket(at->family, SOCK_DGRAM, protocol), ret = 0;
	struct sockaddr_storage ss;
	socklen_t len = qk_address(&ss, at->family, at->addr, PORT);

	if (fd < 0)
		return -errno;
	if (at->family == AF_INET6)
		ret = qk_set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, at->v6only);
	if (!ret && at->reuseport)
		ret = qk_set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!ret && bind(fd, (struct sockaddr *)&ss, len))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

static int listen_at(const struct place *at)
{
	int fd = open_at(at, IPPROTO_QUIC), ret = 0;

	if (fd < 0)
		return fd;
	if (at->alpn)
		ret = qk_set(fd, QUIC_SOCKOPT_ALPN, at->alpn, strlen(at->alpn));
	if (!ret && at->servers)
		ret = qk_set(fd, QUIC_SOCKOPT_SERVER_NAME, at->servers, strlen(at->servers));
	if (!ret && listen(fd, 8))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

/* The error that another user gets, 0 for none. */
static int listen_as_nobody(const struct place *at)
{
	int status = -1, fd;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		if (setuid(NOBODY))
			_exit(255);
		fd = listen_at(at);
		_exit(fd < 0 ? -fd : 0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

struct two {
	struct place a;
	struct place b;
	bool same_user;		/* may listen at both */
	bool other_user;
};

static const struct two twos[] = {
	/* Addresses. */
	{ V4("127.0.0.1"), V4("127.0.0.2"), true, true },
	{ V4("127.0.0.1"), V4("127.0.0.1"), false, false },
	{ V4("127.0.0.1"), V4("0.0.0.0"), true, false },
	{ V4("0.0.0.0"), V4("0.0.0.0"), false, false },
	{ V6("::1"), V6("::"), true, false },
	{ V6("::1"), V6("::1", .v6only = true), false, false },
	{ V6("::"), V6("::", .v6only = true), false, false },
	{ V4("127.0.0.1"), V6("::1"), true, true },
	{ V4("127.0.0.1"), V6("::"), true, false },
	{ V4("0.0.0.0"), V6("::"), true, false },
	{ V4("127.0.0.1"), V6("::", .v6only = true), true, true },
	{ V4("0.0.0.0"), V6("::", .v6only = true), true, true },
	{ V6("::ffff:127.0.0.1"), V6("::"), true, false },
	{ V6("::ffff:127.0.0.1"), V4("0.0.0.0"), true, false },
	{ V6("::ffff:127.0.0.1"), V4("127.0.0.1"), false, false },
	/* Protocols: a list that is open to all takes a part of all others. */
	{ V4("127.0.0.1", .alpn = "h3"), V4("127.0.0.1", .alpn = "smb"), true, true },
	{ V4("127.0.0.1", .alpn = "h3"), V4("127.0.0.1", .alpn = "smb,h3"), false, false },
	{ V4("127.0.0.1", .alpn = "h3"), V4("127.0.0.1"), true, false },
	{ V4("127.0.0.1", .alpn = "h3"), V4("0.0.0.0", .alpn = "smb"), true, true },
	{ V4("127.0.0.1", .alpn = "h3"), V4("0.0.0.0", .alpn = "h3"), true, false },
	{ V4("127.0.0.1", .alpn = "h3"), V6("::"), true, false },
	/* Servers. */
	{ V4("127.0.0.1", .servers = "a.test"), V4("127.0.0.1", .servers = "b.test"), true, true },
	{ V4("127.0.0.1", .servers = "a.test"), V4("127.0.0.1"), true, false },
	{ V4("127.0.0.1", .servers = "a.test"), V4("127.0.0.1", .servers = "*.test"), true, false },
	{ V4("127.0.0.1", .servers = "a.test"), V4("127.0.0.1", .servers = "*.a.test"),
	  true, true },
	{ V4("127.0.0.1", .servers = "a.test"), V4("0.0.0.0", .servers = "a.test"), true, false },
	{ V4("127.0.0.1", .alpn = "h3", .servers = "a.test"),
	  V4("127.0.0.1", .alpn = "smb", .servers = "a.test"), true, true },
	/* A group is of one user. */
	{ V4("127.0.0.1", .reuseport = true), V4("127.0.0.1", .reuseport = true), true, false },
};

QUIC_TEST_F(share, listeners_of_one_user_by_table)
{
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(twos); i++) {
		const struct two *t = &twos[i / 2];

		self->first = listen_at(i % 2 ? &t->b : &t->a);
		self->second = listen_at(i % 2 ? &t->a : &t->b);
		EXPECT_LE(0, self->first);
		EXPECT_EQ(t->same_user ? 0 : -EADDRINUSE, self->second < 0 ? self->second : 0) {
			TH_LOG("row %zu, %s first", i / 2, i % 2 ? "second" : "first");
		}
		close_all(self);
	}
}

/* Nobody takes clients of another user's listener, whatever fits them better. */
QUIC_TEST_F(share, listeners_of_two_users_by_table)
{
	size_t i;

	if (getuid())
		SKIP(return, "needs root to become another user");
	for (i = 0; i < 2 * ARRAY_SIZE(twos); i++) {
		const struct two *t = &twos[i / 2];

		self->first = listen_at(i % 2 ? &t->b : &t->a);
		EXPECT_LE(0, self->first);
		EXPECT_EQ(t->other_user ? 0 : -EADDRINUSE,
			  listen_as_nobody(i % 2 ? &t->a : &t->b)) {
			TH_LOG("row %zu, %s first", i / 2, i % 2 ? "second" : "first");
		}
		close_all(self);
	}
}

/* Another user's client may be bound to the port; it gets nothing of the listener's. */
QUIC_TEST_F(share, a_client_of_another_user_may_have_the_port)
{
	static const struct place at = V4("127.0.0.1"), any = V4("0.0.0.0");
	int status = -1;
	pid_t pid;

	if (getuid())
		SKIP(return, "needs root to become another user");
	self->first = listen_at(&at);
	ASSERT_LE(0, self->first);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(setuid(NOBODY) ? 2 : open_at(&any, IPPROTO_QUIC) < 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

struct reach {
	struct place a;
	struct place b;
	const char *to_a;	/* addresses that clients connect to */
	const char *to_b;
};

static const struct reach reaches[] = {
	{ V4("127.0.0.1"), V4("0.0.0.0"), "127.0.0.1", "127.0.0.2" },
	{ V6("::1"), V6("::"), "::1", "127.0.0.1" },
	{ V6("::ffff:127.0.0.1"), V6("::"), "127.0.0.1", "::1" },
	{ V4("127.0.0.1"), V6("::"), "127.0.0.1", "::1" },
	{ V4("0.0.0.0"), V6("::"), "127.0.0.1", "::1" },
	{ V4("0.0.0.0"), V6("::", .v6only = true), "127.0.0.1", "::1" },
	{ V6("::1"), V6("::", .v6only = true), "::1", NULL },
};

/* Says hello at @addr, and waits for it at one of the two. The result is 'a', 'b' or -errno. */
static int reached(QUIC_SELF(share), const char *addr, int a, int b)
{
	int family = strchr(addr, ':') ? AF_INET6 : AF_INET, fd = -1, ret;
	struct pollfd p[] = { { a, POLLIN, 0 }, { b, POLLIN, 0 } };
	struct sockaddr_storage ss;
	socklen_t len = qk_address(&ss, family, addr, PORT);
	__u8 hello[1024];
	size_t n;

	self->client = socket(family, SOCK_DGRAM, IPPROTO_QUIC);
	if (self->client < 0 || connect(self->client, (struct sockaddr *)&ss, len))
		return -errno;
	n = qk_client_hello(self->client, NULL, hello, sizeof(hello));
	ret = qk_hs_send(self->client, QUIC_CRYPTO_INITIAL, hello, n, 0);
	if (ret < 0)
		return ret;
	if (poll(p, 2, qk_wait_ms()) != 1)
		return -ETIMEDOUT;
	fd = accept(p[0].revents ? a : b, NULL, NULL);
	ret = fd < 0 ? -errno : p[0].revents ? 'a' : 'b';
	qk_close(&fd);
	qk_close(&self->client);
	return ret;
}

/* The order of bind() does not matter; the more specific address gets the client. */
QUIC_TEST_F(share, clients_reach_the_more_specific_address_in_either_order)
{
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(reaches); i++) {
		const struct reach *r = &reaches[i / 2];
		int *a = i % 2 ? &self->second : &self->first;
		int *b = i % 2 ? &self->first : &self->second;

		self->first = listen_at(i % 2 ? &r->b : &r->a);
		self->second = listen_at(i % 2 ? &r->a : &r->b);
		ASSERT_LE(0, self->first);
		ASSERT_LE(0, self->second) {
			TH_LOG("row %zu, %s first", i / 2, i % 2 ? "second" : "first");
		}
		EXPECT_EQ('a', reached(self, r->to_a, *a, *b)) {
			TH_LOG("row %zu, %s first", i / 2, i % 2 ? "second" : "first");
		}
		if (r->to_b) {
			EXPECT_EQ('b', reached(self, r->to_b, *a, *b)) {
				TH_LOG("row %zu, %s first", i / 2, i % 2 ? "second" : "first");
			}
		}
		close_all(self);
	}
}

/* What one has bound stays when the other goes. */
QUIC_TEST_F(share, each_keeps_its_address_when_the_other_goes)
{
	static const struct place at = V4("127.0.0.1"), any = V4("0.0.0.0");
	const char *to;
	int left;
	int i;

	for (i = 0; i < 4; i++) {
		self->first = listen_at(i % 2 ? &any : &at);
		ASSERT_LE(0, self->first);
		self->second = listen_at(i % 2 ? &at : &any);
		ASSERT_LE(0, self->second);
		qk_close(i / 2 ? &self->first : &self->second);
		/* It gets what fits it, and has the port for others of the user. */
		left = i / 2 ? self->second : self->first;
		to = (i % 2) ^ (i / 2) ? "127.0.0.2" : "127.0.0.1";
		EXPECT_EQ('a', reached(self, to, left, -1));
		close_all(self);
	}
}

/* A UDP socket of a program has its port to itself. */
QUIC_TEST_F(share, a_udp_socket_and_a_quic_socket_exclude_each_other)
{
	static const struct place at = V4("127.0.0.1", .reuseport = true);
	static const struct place any = V4("0.0.0.0", .reuseport = true);
	static const struct place other = V4("127.0.0.2", .reuseport = true);

	self->first = open_at(&at, IPPROTO_UDP);
	ASSERT_LE(0, self->first);
	EXPECT_EQ(-EADDRINUSE, open_at(&at, IPPROTO_QUIC));
	EXPECT_EQ(-EADDRINUSE, open_at(&any, IPPROTO_QUIC));
	qk_close(&self->first);
	/* Also when QUIC has shared the port already. */
	self->first = open_at(&at, IPPROTO_QUIC);
	ASSERT_LE(0, self->first);
	self->second = open_at(&any, IPPROTO_QUIC);
	ASSERT_LE(0, self->second);
	EXPECT_EQ(-EADDRINUSE, open_at(&at, IPPROTO_UDP));
	EXPECT_EQ(-EADDRINUSE, open_at(&other, IPPROTO_UDP));
	EXPECT_EQ(-EADDRINUSE, open_at(&any, IPPROTO_UDP));
}

TEST_HARNESS_MAIN
