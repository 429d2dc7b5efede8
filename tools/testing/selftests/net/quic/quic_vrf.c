// SPDX-License-Identifier: GPL-2.0
/* Listeners and VRFs: net.ipv4.udp_l3mdev_accept, and one port in and out of a VRF. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define PORT	4433

/* A VRF with one device in it. */
FIXTURE(vrf) {
	struct qk_pair p;
	int other;		/* another listener */
};

FIXTURE_VARIANT(vrf) {
	int family;
	const char *within;	/* the VRF's address */
	const char *outside;
	const char *any;
};

FIXTURE_VARIANT_ADD(vrf, v4) { AF_INET, "192.0.2.1", "127.0.0.1", "0.0.0.0" };
FIXTURE_VARIANT_ADD(vrf, v6) { AF_INET6, "2001:db8::1", "::1", "::" };

static bool iproute(const char *args)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "ip %s >/dev/null 2>&1", args);
	return system(cmd) == 0;
}

FIXTURE_SETUP(vrf)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->other = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	if (getuid() || !iproute("link add red type vrf table 10") || !iproute("link set red up") ||
	    !iproute("link add d0 type dummy") || !iproute("link set d0 master red") ||
	    !iproute("addr add 192.0.2.1/24 dev d0") ||
	    !iproute("addr add 2001:db8::1/64 dev d0 nodad") || !iproute("link set d0 up"))
		SKIP(return, "needs root, iproute2 and the modules dummy and vrf");
}

FIXTURE_TEARDOWN(vrf)
{
	qk_pair_close(&self->p);
	qk_close(&self->other);
}

/* Whether sockets of no device take what comes by a VRF. */
static int accept_from_vrfs(bool yes)
{
	int fd = open("/proc/sys/net/ipv4/udp_l3mdev_accept", O_WRONLY);
	int ret = fd < 0 || write(fd, yes ? "1" : "0", 1) != 1 ? -errno : 0;

	close(fd);
	return ret;
}

/* A socket, bound to the VRF if @within it. */
static int open_socket(int family, bool within)
{
	int fd = socket(family, SOCK_DGRAM, IPPROTO_QUIC);

	if (fd >= 0 && within && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "red", 3)) {
		close(fd);
		return -errno;
	}
	return fd < 0 ? -errno : fd;
}

static int listen_at(int family, const char *addr, bool within, const char *alpn,
		     bool validates)
{
	struct quic_config config = { .validate_peer_address = validates };
	int fd = open_socket(family, within), ret = 0;
	struct sockaddr_storage ss;
	socklen_t len = qk_address(&ss, family, addr, PORT);

	if (fd < 0)
		return fd;
	if (alpn)
		ret = qk_set(fd, QUIC_SOCKOPT_ALPN, alpn, strlen(alpn));
	if (!ret && validates)
		ret = qk_set(fd, QUIC_SOCKOPT_CONFIG, &config, sizeof(config));
	if (!ret && (bind(fd, (struct sockaddr *)&ss, len) || listen(fd, 4)))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

/* A client that says hello. */
static int say_hello(int family, const char *addr, bool within, const char *alpn)
{
	int fd = open_socket(family, within), ret;
	struct sockaddr_storage ss;
	socklen_t len = qk_address(&ss, family, addr, PORT);
	__u8 hello[1024];
	size_t n;

	if (fd < 0)
		return fd;
	ret = qk_event(fd, QUIC_EVENT_CONNECTION_CLOSE, 1);
	if (!ret && connect(fd, (struct sockaddr *)&ss, len))
		ret = -errno;
	n = ret ? 0 : qk_client_hello(fd, alpn, hello, sizeof(hello));
	if (!ret)
		ret = qk_hs_send(fd, QUIC_CRYPTO_INITIAL, hello, n, 0);
	if (ret < 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

static bool is_on(int fd, const char *device)
{
	char name[IFNAMSIZ] = "";
	socklen_t len = sizeof(name);

	return !getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len) && !strcmp(name, device);
}

static bool waits(int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

static int connect_within(QUIC_SELF(vrf), int family, const char *addr)
{
	__u8 hello[1024], got[1024];
	size_t n;
	int ret;

	self->p.client = say_hello(family, addr, true, NULL);
	if (self->p.client < 0)
		return self->p.client;
	n = qk_client_hello(self->p.client, NULL, hello, sizeof(hello));
	self->p.server = qk_accept(self->p.listener);
	if (self->p.server < 0)
		return self->p.server;
	ret = qk_hs_recv(self->p.server, QUIC_CRYPTO_INITIAL, got, n);
	return ret ? ret : qk_hs_finish(&self->p, 0);
}

static void take_from_the_vrf(struct __test_metadata *_metadata, QUIC_SELF(vrf), int family,
			      const char *any, const char *within, bool validates)
{
	struct qk_item it;
	char buf[8];

	ASSERT_EQ(0, accept_from_vrfs(true));
	self->p.listener = listen_at(family, any, false, NULL, validates);
	ASSERT_LE(0, self->p.listener);
	ASSERT_EQ(0, connect_within(self, family, within));
	EXPECT_TRUE(is_on(self->p.server, "red"));
	EXPECT_TRUE(is_on(self->p.listener, ""));
	ASSERT_EQ(4, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "ping", 4, 0));
	EXPECT_EQ(4, qk_next(self->p.server, &it, buf, sizeof(buf)));
	ASSERT_EQ(4, qk_send(self->p.server, 1, MSG_QUIC_STREAM_NEW, "pong", 4, 0));
	EXPECT_EQ(4, qk_next(self->p.client, &it, buf, sizeof(buf)));
}

QUIC_TEST_F(vrf, a_listener_of_no_device_answers_by_the_vrf_when_told_to_take_from_it)
{
	take_from_the_vrf(_metadata, self, variant->family, variant->any, variant->within, false);
}

QUIC_TEST_F(vrf, a_retry_goes_by_the_vrf_too)
{
	take_from_the_vrf(_metadata, self, variant->family, variant->any, variant->within, true);
	EXPECT_EQ(1, qk_snmp("QuicRetryOut"));
}

QUIC_TEST_F(vrf, a_listener_of_no_device_leaves_the_vrf_alone_otherwise)
{
	int fd;

	ASSERT_EQ(0, accept_from_vrfs(false));
	self->p.listener = listen_at(variant->family, variant->any, false, NULL, false);
	ASSERT_LE(0, self->p.listener);
	self->p.client = say_hello(variant->family, variant->within, true, NULL);
	ASSERT_LE(0, self->p.client);
	/* One who comes later is there, so the first one will not be. */
	fd = say_hello(variant->family, variant->outside, false, NULL);
	ASSERT_LE(0, fd);
	self->p.server = qk_accept(self->p.listener);
	ASSERT_LE(0, self->p.server);
	EXPECT_TRUE(is_on(self->p.server, ""));
	EXPECT_FALSE(waits(self->p.listener));
	close(fd);
}

/* Both on one port, in either order, whatever the setting. */
QUIC_TEST_F(vrf, a_listener_of_the_vrf_takes_its_own_and_no_others)
{
	int i, fd;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, accept_from_vrfs(i / 2));
		if (i % 2)
			self->other = listen_at(variant->family, variant->any, true, NULL, false);
		self->p.listener = listen_at(variant->family, variant->any, false, NULL, false);
		ASSERT_LE(0, self->p.listener);
		if (!(i % 2))
			self->other = listen_at(variant->family, variant->any, true, NULL, false);
		ASSERT_LE(0, self->other);

		fd = say_hello(variant->family, variant->within, true, NULL);
		ASSERT_LE(0, fd);
		self->p.server = qk_accept(self->other);
		EXPECT_LE(0, self->p.server);
		EXPECT_FALSE(waits(self->p.listener));
		qk_close(&self->p.server);
		qk_close(&fd);

		fd = say_hello(variant->family, variant->outside, false, NULL);
		ASSERT_LE(0, fd);
		self->p.server = qk_accept(self->p.listener);
		EXPECT_LE(0, self->p.server);
		EXPECT_FALSE(waits(self->other));
		qk_close(&fd);
		qk_pair_close(&self->p);
		qk_close(&self->other);
	}
}

/* The VRF's tunnel is no way around the setting. */
QUIC_TEST_F(vrf, what_the_listener_of_the_vrf_does_not_want_goes_to_nobody_else)
{
	union quic_event ev;

	ASSERT_EQ(0, accept_from_vrfs(false));
	self->p.listener = listen_at(variant->family, variant->any, false, "smb", false);
	ASSERT_LE(0, self->p.listener);
	self->other = listen_at(variant->family, variant->any, true, "h3", false);
	ASSERT_LE(0, self->other);
	self->p.client = say_hello(variant->family, variant->within, true, "smb");
	ASSERT_LE(0, self->p.client);
	ASSERT_LE(0, qk_next_event(self->p.client, QUIC_EVENT_CONNECTION_CLOSE, &ev));
	EXPECT_EQ(QUIC_TRANSPORT_ERROR_CRYPTO + 120, ev.close.errcode);
	EXPECT_FALSE(waits(self->p.listener));
	EXPECT_FALSE(waits(self->other));
	qk_close(&self->p.client);

	ASSERT_EQ(0, accept_from_vrfs(true));
	self->p.client = say_hello(variant->family, variant->within, true, "smb");
	ASSERT_LE(0, self->p.client);
	self->p.server = qk_accept(self->p.listener);
	EXPECT_LE(0, self->p.server);
}

QUIC_TEST_F(vrf, an_address_of_the_vrf_is_bound_within_it_only)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_address(&ss, variant->family, variant->within, PORT);

	self->p.client = open_socket(variant->family, false);
	ASSERT_LE(0, self->p.client);
	EXPECT_EQ(-1, bind(self->p.client, (struct sockaddr *)&ss, len));
	EXPECT_EQ(EADDRNOTAVAIL, errno);
	qk_close(&self->p.client);
	self->p.client = open_socket(variant->family, true);
	ASSERT_LE(0, self->p.client);
	EXPECT_EQ(0, bind(self->p.client, (struct sockaddr *)&ss, len));
}

TEST_HARNESS_MAIN
