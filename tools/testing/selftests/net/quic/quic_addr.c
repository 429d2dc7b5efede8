// SPDX-License-Identifier: GPL-2.0
/* Addresses: which ones bind and connect take on which socket, by table. */
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

/* The port of rows that must not succeed; no one listens there. */
#define PORT	4433

struct row {
	const char *what;
	int socket_family;
	bool v6only;
	int family;		/* of the address; AF_UNSPEC is written as is */
	const char *addr;
	__u32 scope;		/* -1: index of lo */
	int len;		/* 0: natural length; else bytes passed */
	int bind_ret;
	int connect_ret;
};

#define V4LEN	((int)sizeof(struct sockaddr_in))
#define V6LEN	((int)sizeof(struct sockaddr_in6))

static const struct row rows[] = {
	{ "v4 loopback", AF_INET, 0, AF_INET, "127.0.0.1", 0, 0, 0, 0 },
	{ "v4 other loopback", AF_INET, 0, AF_INET, "127.1.2.3", 0, 0, 0, 0 },
	{ "v4 any", AF_INET, 0, AF_INET, "0.0.0.0", 0, 0, 0, -EINVAL },
	{ "v4 multicast", AF_INET, 0, AF_INET, "224.0.0.1", 0, 0, -EINVAL, -EINVAL },
	{ "v4 broadcast", AF_INET, 0, AF_INET, "255.255.255.255", 0, 0, -EINVAL, -EINVAL },
	{ "v4 net's broadcast", AF_INET, 0, AF_INET, "127.255.255.255", 0, 0, 0, -ENETUNREACH },
	{ "v4, too long is fine", AF_INET, 0, AF_INET, "127.0.0.1", 0, 64, 0, 0 },
	{ "v4, one byte short", AF_INET, 0, AF_INET, "127.0.0.1", 0, V4LEN - 1, -EINVAL, -EINVAL },
	{ "v4, family only", AF_INET, 0, AF_INET, "127.0.0.1", 0, 2, -EINVAL, -EINVAL },
	{ "v4, half a family", AF_INET, 0, AF_INET, "127.0.0.1", 0, 1, -EINVAL, -EINVAL },
	{ "v4, family zero", AF_INET, 0, AF_UNSPEC, NULL, 0, V4LEN, -EINVAL, 1 },
	{ "v4, family unix", AF_INET, 0, AF_UNIX, NULL, 0, V4LEN, -EINVAL, -EINVAL },
	{ "v6 address on v4", AF_INET, 0, AF_INET6, "::1", 0, 0, -EINVAL, -EINVAL },
	{ "mapped address on v4", AF_INET, 0, AF_INET6, "::ffff:127.0.0.1", 0, 0,
	  -EINVAL, -EINVAL },

	{ "v6 loopback", AF_INET6, 0, AF_INET6, "::1", 0, 0, 0, 0 },
	{ "v6 loopback, v6only", AF_INET6, 1, AF_INET6, "::1", 0, 0, 0, 0 },
	{ "v6 loopback, a scope is ignored", AF_INET6, 0, AF_INET6, "::1", 77, 0, 0, 0 },
	{ "v6 any", AF_INET6, 0, AF_INET6, "::", 0, 0, 0, -EINVAL },
	{ "v6 multicast", AF_INET6, 0, AF_INET6, "ff02::1", -1, 0, -EINVAL, -EINVAL },
	{ "v6 link local, no scope", AF_INET6, 0, AF_INET6, "fe80::1", 0, 0, -EINVAL, -EINVAL },
	{ "v6 link local, no such device", AF_INET6, 0, AF_INET6, "fe80::1", 0x7fff, 0,
	  -EINVAL, -EINVAL },
	{ "v6, one byte short of RFC 2133", AF_INET6, 0, AF_INET6, "::1", 0, 23, -EINVAL, -EINVAL },
	{ "v6, family only", AF_INET6, 0, AF_INET6, "::1", 0, 2, -EINVAL, -EINVAL },
	{ "v6, family unix", AF_INET6, 0, AF_UNIX, NULL, 0, V6LEN, -EINVAL, -EINVAL },
	{ "v4 address on v6", AF_INET6, 0, AF_INET, "127.0.0.1", 0, 0, 0, 0 },
	{ "v4 address on v6only", AF_INET6, 1, AF_INET, "127.0.0.1", 0, 0, -EINVAL, -EINVAL },
	{ "v4 multicast on v6", AF_INET6, 0, AF_INET, "224.0.0.1", 0, 0, -EINVAL, -EINVAL },
	{ "mapped on v6", AF_INET6, 0, AF_INET6, "::ffff:127.0.0.1", 0, 0, 0, 0 },
	{ "mapped on v6only", AF_INET6, 1, AF_INET6, "::ffff:127.0.0.1", 0, 0,
	  -EINVAL, -EINVAL },
	{ "mapped multicast on v6", AF_INET6, 0, AF_INET6, "::ffff:224.0.0.1", 0, 0,
	  -EINVAL, -EINVAL },
};

static socklen_t make(const struct row *r, struct sockaddr_storage *ss, __u16 port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	socklen_t len = V6LEN;

	if (r->family == AF_INET || r->family == AF_INET6) {
		len = qk_address(ss, r->family, r->addr, port);
	} else {
		memset(ss, 0, sizeof(*ss));
		ss->ss_family = r->family;
	}
	if (r->family == AF_INET6)
		in6->sin6_scope_id = r->scope == (__u32)-1 ? if_nametoindex("lo") : r->scope;
	return r->len ? (socklen_t)r->len : len;
}

static int open_socket(const struct row *r)
{
	int on = r->v6only;
	int fd = socket(r->socket_family, SOCK_DGRAM, IPPROTO_QUIC);

	if (fd >= 0 && r->socket_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) {
		close(fd);
		return -1;
	}
	return fd;
}

FIXTURE(addr) {
	int fd;
};

FIXTURE_SETUP(addr)
{
	int ret = qk_setup();

	self->fd = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(addr)
{
	qk_close(&self->fd);
}

QUIC_TEST_F(addr, bind_by_table)
{
	struct sockaddr_storage ss;
	socklen_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int ret;

		self->fd = open_socket(&rows[i]);
		ASSERT_LE(0, self->fd);
		len = make(&rows[i], &ss, 0);
		ret = bind(self->fd, (struct sockaddr *)&ss, len) ? -errno : 0;
		EXPECT_EQ(rows[i].bind_ret, ret) {
			TH_LOG("%s", rows[i].what);
		}
		/* A refused address leaves the socket unbound, and usable. */
		EXPECT_EQ(ret == 0, qk_port(self->fd) != 0) {
			TH_LOG("%s", rows[i].what);
		}
		qk_close(&self->fd);
	}
}

QUIC_TEST_F(addr, connect_by_table)
{
	struct sockaddr_storage ss;
	socklen_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int ret;

		self->fd = open_socket(&rows[i]);
		ASSERT_LE(0, self->fd);
		len = make(&rows[i], &ss, PORT);
		ret = connect(self->fd, (struct sockaddr *)&ss, len) ? -errno : 0;
		if (rows[i].connect_ret == 1) {
			/* AF_UNSPEC asks to disconnect, which is not offered. */
			EXPECT_TRUE(ret == -EINVAL || ret == -EOPNOTSUPP) {
				TH_LOG("%s: %d", rows[i].what, ret);
			}
		} else {
			EXPECT_EQ(rows[i].connect_ret, ret) {
				TH_LOG("%s", rows[i].what);
			}
		}
		if (ret) {
			char c;

			EXPECT_EQ(-1, recv(self->fd, &c, 1, MSG_DONTWAIT));
			EXPECT_EQ(ENOTCONN, errno) {
				TH_LOG("%s: not closed any more", rows[i].what);
			}
		}
		qk_close(&self->fd);
	}
}

QUIC_TEST_F(addr, bad_pointers_are_faults)
{
	self->fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_QUIC);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(-1, bind(self->fd, (struct sockaddr *)8, V4LEN));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, connect(self->fd, (struct sockaddr *)8, V4LEN));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, bind(self->fd, (struct sockaddr *)8, -1));
	EXPECT_EQ(EINVAL, errno);
}

QUIC_TEST_F(addr, an_address_of_another_host_cannot_be_bound)
{
	struct row r = { .family = AF_INET, .addr = "192.0.2.1" };
	struct sockaddr_storage ss;
	socklen_t len = make(&r, &ss, 0);

	self->fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_QUIC);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(-1, bind(self->fd, (struct sockaddr *)&ss, len));
	EXPECT_EQ(EADDRNOTAVAIL, errno);
}

QUIC_TEST_F(addr, without_a_route_connect_says_so)
{
	struct row r = { .family = AF_INET, .addr = "192.0.2.1" };
	struct sockaddr_storage ss;
	socklen_t len = make(&r, &ss, PORT);

	/* Only in a namespace of its own is it sure that there is no route. */
	if (getuid())
		SKIP(return, "needs a network namespace");
	self->fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_QUIC);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(-1, connect(self->fd, (struct sockaddr *)&ss, len));
	EXPECT_TRUE(errno == ENETUNREACH || errno == EHOSTUNREACH) {
		TH_LOG("errno %d", errno);
	}
	len = make(&(struct row){ .family = AF_INET, .addr = "127.0.0.1" }, &ss, PORT);
	EXPECT_EQ(0, connect(self->fd, (struct sockaddr *)&ss, len)) {
		TH_LOG("the failed connect left something behind");
	}
}

QUIC_TEST_F(addr, a_mapped_address_is_shown_as_ipv4)
{
	struct row r = { .family = AF_INET6, .addr = "::ffff:127.0.0.1" };
	struct sockaddr_storage ss;
	socklen_t len = make(&r, &ss, PORT);

	self->fd = socket(AF_INET6, SOCK_DGRAM, IPPROTO_QUIC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, connect(self->fd, (struct sockaddr *)&ss, len));
	len = sizeof(ss);
	memset(&ss, 0, sizeof(ss));
	ASSERT_EQ(0, getpeername(self->fd, (struct sockaddr *)&ss, &len));
	EXPECT_EQ(AF_INET, ss.ss_family);
	EXPECT_EQ(V4LEN, (int)len);
	EXPECT_EQ(htonl(INADDR_LOOPBACK), ((struct sockaddr_in *)&ss)->sin_addr.s_addr);
	len = sizeof(ss);
	ASSERT_EQ(0, getsockname(self->fd, (struct sockaddr *)&ss, &len));
	EXPECT_EQ(AF_INET, ss.ss_family);
	EXPECT_EQ(V4LEN, (int)len);
}

FIXTURE(own) {
	struct qk_pair p;
	int root;
	struct qk_opts opts;
};

FIXTURE_VARIANT(own) {
	struct row foreign;
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(own, v4) {
	{ .family = AF_INET, .addr = "192.0.2.1" }, QK_V4
};

FIXTURE_VARIANT_ADD(own, v6) {
	{ .family = AF_INET6, .addr = "2001:db8::1" }, QK_V6
};

FIXTURE_SETUP(own)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->root = -1;
	self->opts.family = variant->family;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(own)
{
	qk_pair_close(&self->p);
	qk_close(&self->root);
}

/* Until the peer has given an id for the new path, a migration is to be tried again. */
static int migrate(int fd, const struct sockaddr_storage *ss, socklen_t len)
{
	__s64 start = qk_now_ms();
	int ret;

	do {
		ret = qk_set(fd, QUIC_SOCKOPT_CONNECTION_MIGRATION, ss, len);
		if (ret == -EAGAIN)
			poll(NULL, 0, 5);
	} while (ret == -EAGAIN && qk_now_ms() - start < qk_wait_ms());
	return ret;
}

QUIC_TEST_F(own, a_connection_does_not_move_to_an_address_of_another_host)
{
	struct sockaddr_storage ss;
	struct qk_item it;
	char buf[8];
	int on = 1;

	/* Connected without bind: its UDP socket takes all addresses. */
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	EXPECT_EQ(-EADDRNOTAVAIL,
		  migrate(self->p.client, &ss,
			  make(&variant->foreign, &ss, qk_port(self->p.client))));
	EXPECT_EQ(-EADDRNOTAVAIL,
		  migrate(self->p.client, &ss, make(&variant->foreign, &ss, PORT)));
	/* It is where it was. */
	ASSERT_EQ(2, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "hi", 2, 0));
	EXPECT_EQ(2, qk_next(self->p.server, &it, buf, sizeof(buf)));
	if (variant->family != QK_V6)
		return;
	/* As with bind(), whoever knows better says so. */
	ASSERT_EQ(0, setsockopt(self->p.client, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)));
	EXPECT_EQ(0, migrate(self->p.client, &ss,
			     make(&variant->foreign, &ss, qk_port(self->p.client))));
}

QUIC_TEST_F(own, a_server_does_not_announce_an_address_of_another_host)
{
	struct sockaddr_storage ss;

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	EXPECT_EQ(-EADDRNOTAVAIL,
		  migrate(self->p.server, &ss,
			  make(&variant->foreign, &ss, qk_port(self->p.server))));
}

QUIC_TEST_F(own, a_move_to_a_reserved_port_needs_the_privilege)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, variant->family, 443);
	int status = -1;
	pid_t pid;

	if (getuid())
		SKIP(return, "needs root to become another user");
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	/* Somebody who may use the port has it for all addresses: it could be shared. */
	self->root = qk_socket(variant->family, 0);
	ASSERT_LE(0, self->root);
	memset(&ss, 0, sizeof(ss));
	ss.ss_family = variant->foreign.family;
	((struct sockaddr_in *)&ss)->sin_port = htons(443);	/* in either family */
	ASSERT_EQ(0, bind(self->root, (struct sockaddr *)&ss, len));
	qk_loopback(&ss, variant->family, 443);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(setuid(65534) ? 2 : migrate(self->p.client, &ss, len) != -EACCES);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, migrate(self->p.client, &ss, len));
}

TEST_HARNESS_MAIN
