// SPDX-License-Identifier: GPL-2.0
/*
 * What goes away under live connections: the network namespace, the interface,
 * the address, the module; and what stays after many connections: nothing.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

FIXTURE(netns) {
	struct qk_pair p;
	struct qk_opts opts;
};

FIXTURE_VARIANT(netns) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(netns, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(netns, v6) { QK_V6 };

FIXTURE_SETUP(netns)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->opts.family = variant->family;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(netns)
{
	qk_pair_close(&self->p);
}

/* Flags of an interface of this namespace, or -errno. */
static int if_flags(const char *name, int set, int clear)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ret;
	struct ifreq ifr = { };

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	ret = ioctl(fd, SIOCGIFFLAGS, &ifr) ? -errno : ifr.ifr_flags;
	if (ret >= 0 && (set || clear)) {
		ifr.ifr_flags = (ret | set) & ~clear;
		if (ioctl(fd, SIOCSIFFLAGS, &ifr))
			ret = -errno;
	}
	close(fd);
	return ret;
}

/* The end here of a cable into the namespace of @pid: it goes when that goes. */
static int plug(pid_t pid)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "ip link add here type veth peer name there netns %d", (int)pid);
	return system(command) ? -EINVAL : 0;
}

static bool unplugged(void)
{
	__s64 start = qk_now_ms();

	while (if_flags("here", 0, 0) >= 0 && qk_now_ms() - start < 2 * qk_wait_ms())
		poll(NULL, 0, 5);
	return if_flags("here", 0, 0) == -ENODEV;
}

static bool delivers(struct qk_pair *p, __s64 id)
{
	struct qk_item it;
	char buf[8];

	return qk_send(p->client, id, NEW | FIN, "ping", 4, 0) == 4 &&
	       qk_next(p->server, &it, buf, sizeof(buf)) == 4;
}

/* A namespace with sockets in every state, as a child that waits to be killed. */
static void live_in_a_namespace(struct qk_opts *opts, int ready)
{
	struct qk_pair established, shaking;
	__u8 hello[1024];
	size_t len;
	int alone;
	char c;

	if (qk_setup() || qk_pair_open(&established, opts) || qk_hs_start(&shaking, opts) ||
	    !delivers(&established, QK_CLIENT_BIDI(0)))
		_exit(1);
	alone = qk_connect(opts, 4433);
	len = qk_client_hello(alone, NULL, hello, sizeof(hello));
	if (alone < 0 || qk_hs_send(alone, QUIC_CRYPTO_INITIAL, hello, len, 0) != (ssize_t)len ||
	    write(ready, "r", 1) != 1)
		_exit(1);
	recv(established.server, &c, 1, 0);
	_exit(1);
}

QUIC_TEST_F(netns, a_namespace_goes_with_sockets_of_every_state)
{
	int ready[2], status;
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0)
		live_in_a_namespace(&self->opts, ready[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(0, plug(child));
	ASSERT_LE(0, if_flags("here", 0, 0));
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(unplugged());
}

QUIC_TEST_F(netns, a_socket_keeps_its_namespace_and_works_from_another)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY);
	pid_t child;
	char c;
	int hold[2];

	ASSERT_LE(0, home);
	ASSERT_EQ(0, pipe(hold));
	ASSERT_EQ(0, qk_setup());
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	/* A process in the namespace, only to name it. */
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0) {
		close(hold[1]);
		qk_pair_close(&self->p);
		_exit(read(hold[0], &c, 1) != 0);
	}
	ASSERT_EQ(0, setns(home, CLONE_NEWNET));
	ASSERT_EQ(0, plug(child));
	close(hold[1]);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_TRUE(delivers(&self->p, QK_CLIENT_BIDI(0)));
	EXPECT_LE(0, if_flags("here", 0, 0));
	qk_pair_close(&self->p);
	EXPECT_TRUE(unplugged());
}

QUIC_TEST_F(netns, a_connection_outlives_an_interface_that_is_down_for_a_while)
{
	struct qk_item it;
	char buf[8];

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_TRUE(delivers(&self->p, QK_CLIENT_BIDI(0)));
	ASSERT_LE(0, if_flags("lo", 0, IFF_UP));
	EXPECT_EQ(4, qk_send(self->p.client, QK_CLIENT_BIDI(1), NEW | FIN, "ping", 4, 0));
	EXPECT_EQ(4, qk_send(self->p.server, QK_SERVER_BIDI(0), NEW | FIN, "pong", 4, 0));
	EXPECT_TRUE(qk_quiet(self->p.server));
	ASSERT_LE(0, if_flags("lo", IFF_UP, 0));
	EXPECT_EQ(4, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(4, qk_next(self->p.client, &it, buf, sizeof(buf)));
}

QUIC_TEST_F(netns, sockets_close_while_the_interface_is_down)
{
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(4, qk_send(self->p.client, 0, NEW, "ping", 4, MSG_MORE));
	ASSERT_LE(0, if_flags("lo", 0, IFF_UP));
	qk_pair_close(&self->p);
	ASSERT_LE(0, if_flags("lo", IFF_UP, 0));
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	EXPECT_TRUE(delivers(&self->p, QK_CLIENT_BIDI(0)));
}

static const char *address(enum qk_family family, bool add)
{
	static char command[64];

	snprintf(command, sizeof(command), "ip addr %s %s dev lo", add ? "add" : "del",
		 family == QK_V4 ? "10.7.0.1/32" : "fd00:7::1/128 nodad");
	if (!add && family != QK_V4)
		strcpy(command, "ip addr del fd00:7::1/128 dev lo");
	return command;
}

static socklen_t on_the_address(struct sockaddr_storage *ss, enum qk_family family, __u16 port)
{
	if (family == QK_V4)
		return qk_address(ss, AF_INET, "10.7.0.1", port);
	return qk_address(ss, AF_INET6, "fd00:7::1", port);
}

/* As qk_pair_open(), between sockets on an address that can be taken away. */
static int pair_on_the_address(struct qk_pair *p, enum qk_family family)
{
	__u8 hello[1024], got[1024];
	struct sockaddr_storage ss;
	size_t len;
	int ret;

	p->listener = qk_socket(family, SOCK_STREAM);
	p->client = qk_socket(family, SOCK_STREAM);
	if (bind(p->listener, (struct sockaddr *)&ss, on_the_address(&ss, family, 0)) ||
	    listen(p->listener, 1) ||
	    bind(p->client, (struct sockaddr *)&ss, on_the_address(&ss, family, 0)) ||
	    connect(p->client, (struct sockaddr *)&ss,
		    on_the_address(&ss, family, qk_port(p->listener))))
		return -errno;
	len = qk_client_hello(p->client, NULL, hello, sizeof(hello));
	if (qk_hs_send(p->client, QUIC_CRYPTO_INITIAL, hello, len, 0) != (ssize_t)len)
		return -EMSGSIZE;
	p->server = qk_accept(p->listener);
	ret = p->server < 0 ? p->server : qk_hs_recv(p->server, QUIC_CRYPTO_INITIAL, got, len);
	return ret ? ret : qk_hs_finish(p, 0);
}

QUIC_TEST_F(netns, a_connection_outlives_an_address_that_is_gone_for_a_while)
{
	struct qk_item it;
	char buf[8];

	ASSERT_EQ(0, system(address(variant->family, true)));
	ASSERT_EQ(0, pair_on_the_address(&self->p, variant->family));
	ASSERT_TRUE(delivers(&self->p, QK_CLIENT_BIDI(0)));
	ASSERT_EQ(0, system(address(variant->family, false)));
	EXPECT_EQ(4, qk_send(self->p.client, QK_CLIENT_BIDI(1), NEW | FIN, "ping", 4, 0));
	ASSERT_EQ(0, system(address(variant->family, true)));
	EXPECT_EQ(4, qk_next(self->p.server, &it, buf, sizeof(buf)));
}

/* Pages that each processor may keep of what was given back. */
#define KEPT_PAGES	(256 * 8)

QUIC_TEST_F(netns, many_connections_leave_no_socket_and_no_memory)
{
	const char *name = variant->family == QK_V4 ? "QUIC" : "QUICv6";
	const char *below = variant->family == QK_V4 ? "UDP" : "UDPv6";
	long sockets, udp, pages;
	static char buf[20000];
	struct qk_item it;
	__s64 start;
	int i;

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	qk_pair_close(&self->p);
	qk_sockets_go(variant->family, 0);
	sockets = qk_protocol(name, 2);
	udp = qk_protocol(below, 2);
	pages = qk_protocol(name, 3);
	ASSERT_LE(0, sockets);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
		ASSERT_LT(0, qk_send(self->p.client, 0, NEW, buf, sizeof(buf), MSG_DONTWAIT));
		ASSERT_LT(0, qk_next(self->p.server, &it, buf, 100));
		qk_pair_close(&self->p);
	}
	start = qk_now_ms();
	while ((qk_protocol(name, 2) > sockets || qk_protocol(below, 2) > udp) &&
	       qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	EXPECT_LE(qk_protocol(name, 2), sockets);
	EXPECT_LE(qk_protocol(below, 2), udp);
	EXPECT_LE(qk_protocol(name, 3), pages + KEPT_PAGES);
}

FIXTURE(module) {
	int fd;
};

FIXTURE_SETUP(module)
{
	int ret = qk_setup();

	self->fd = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->fd = qk_socket(QK_V4, SOCK_STREAM);
	ASSERT_LE(0, self->fd);
	if (syscall(SYS_delete_module, "quic", O_NONBLOCK) && errno == ENOENT)
		SKIP(return, "QUIC is no module here");
}

FIXTURE_TEARDOWN(module)
{
	qk_close(&self->fd);
}

/* Removes the module as soon as nothing holds it. */
static int remove_module(void)
{
	__s64 start = qk_now_ms();
	int ret;

	do {
		ret = syscall(SYS_delete_module, "quic", O_NONBLOCK) ? -errno : 0;
		if (ret == -EAGAIN || ret == -EBUSY)
			poll(NULL, 0, 5);
	} while ((ret == -EAGAIN || ret == -EBUSY) && qk_now_ms() - start < qk_wait_ms());
	return ret;
}

QUIC_TEST_F(module, it_stays_while_a_socket_lives)
{
	EXPECT_EQ(-1, syscall(SYS_delete_module, "quic", O_NONBLOCK));
	EXPECT_TRUE(errno == EAGAIN || errno == EBUSY);
	qk_close(&self->fd);
	EXPECT_EQ(0, remove_module());
	self->fd = qk_socket(QK_V4, SOCK_STREAM);
	EXPECT_LE(0, self->fd);
}

/* How often it goes. */
#define REMOVALS	10

/*
 * What socket() answers a user who comes while the module goes: the protocol is
 * found, but no reference to the module is to be had. Then the socket layer has
 * no memory (inet_create()) or no buffers (inet6_create()); once the protocol
 * is taken away, it is not supported.
 */
static bool is_going(int err)
{
	return err == ENOMEM || err == ENOBUFS || err == EAFNOSUPPORT ||
	       err == EPROTONOSUPPORT || err == ESOCKTNOSUPPORT;
}

/* Waits until nobody uses the module, or it is gone. */
static void wait_unused(void)
{
	__s64 start = qk_now_ms();
	char count[8] = "";
	int fd;

	do {
		fd = open("/sys/module/quic/refcnt", O_RDONLY);
		if (fd < 0 || read(fd, count, sizeof(count) - 1) <= 0)
			count[0] = '0';
		close(fd);
	} while (atoi(count) > 0 && qk_now_ms() - start < qk_wait_ms() && !poll(NULL, 0, 1));
}

/*
 * A user who finds the module, loads it again, or comes in between. The first
 * socket holds it: no other call may notice that somebody wants it to go.
 */
static int come_and_use(const struct qk_opts *opts)
{
	int first = qk_socket(opts->family, SOCK_STREAM), ret;
	struct qk_pair p;

	if (first < 0)
		return first;
	ret = qk_pair_open(&p, opts);
	if (ret) {
		fprintf(stderr, "# with a socket in hand: %s\n", strerror(-ret));
		_exit(100);
	}
	qk_pair_close(&p);
	qk_close(&first);
	return 0;
}

/* Comes again whenever nobody uses the module, as that is when it can go. */
static int keep_coming(int enough)
{
	struct qk_opts opts = { };
	struct pollfd end = { .fd = enough, .events = POLLIN };
	int ret;

	do {
		opts.family = opts.family == QK_V4 ? QK_V6 : QK_V4;
		ret = come_and_use(&opts);
		if (ret && !is_going(-ret))
			return -ret;
		if (!ret)
			wait_unused();
	} while (ret || !poll(&end, 1, 0));
	return 0;
}

TEST_F_TIMEOUT(module, it_comes_and_goes_under_users, 4 * qk_test_seconds())
{
	__s64 start = qk_now_ms();
	int status, removed = 0, enough[2];
	pid_t child;

	qk_close(&self->fd);
	ASSERT_EQ(0, pipe(enough));
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0) {
		close(enough[1]);
		_exit(keep_coming(enough[0]));
	}
	while (removed < REMOVALS && qk_now_ms() - start < 20 * qk_wait_ms()) {
		removed += !syscall(SYS_delete_module, "quic", O_NONBLOCK);
		poll(NULL, 0, 1);
	}
	/* Once more, undisturbed. */
	close(enough[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(REMOVALS, removed);
	self->fd = qk_socket(QK_V4, SOCK_STREAM);
	EXPECT_LE(0, self->fd);
}

TEST_HARNESS_MAIN
