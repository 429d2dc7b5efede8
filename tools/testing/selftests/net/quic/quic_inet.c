// SPDX-License-Identifier: GPL-2.0
/*
 * Options of SOL_SOCKET, IP and IPv6 that a QUIC socket honours: seen in the
 * packets, in the speed, or in where they may come from.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/ip.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define PORT	4433
#define HELLO	"\1\0\0\1x"

FIXTURE(inet) {
	struct qk_pair p;
	struct qk_opts opts;
	int udp;
};

FIXTURE_VARIANT(inet) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(inet, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(inet, v6) { QK_V6 };
FIXTURE_VARIANT_ADD(inet, mapped) { QK_MAPPED };

FIXTURE_SETUP(inet)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->udp = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
}

FIXTURE_TEARDOWN(inet)
{
	qk_pair_close(&self->p);
	qk_close(&self->udp);
}

static bool is_v6(enum qk_family family)
{
	return family == QK_V6;
}

static int connect_to_udp(QUIC_SELF(inet))
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, self->opts.family, PORT);
	bool v4 = self->opts.family == QK_V4;

	self->udp = qk_udp(v4 ? QK_V4 : QK_V6);
	if (self->udp < 0 || bind(self->udp, (struct sockaddr *)&ss, len))
		return -errno;
	if (is_v6(self->opts.family)) {
		qk_set_int(self->udp, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
		qk_set_int(self->udp, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	} else {
		qk_set_int(self->udp, IPPROTO_IP, IP_RECVTOS, 1);
		qk_set_int(self->udp, IPPROTO_IP, IP_RECVTTL, 1);
	}
	self->p.client = qk_connect(&self->opts, PORT);
	return self->p.client < 0 ? self->p.client : 0;
}

struct seen {
	int tos;
	int ttl;
};

/* Let the client send its first packet and look at the IP header. */
static int first_packet(QUIC_SELF(inet), struct seen *seen)
{
	char control[256], buf[2048];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int ret = qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, HELLO, 5, 0);

	if (ret < 0)
		return ret;
	ret = qk_wait(self->udp, POLLIN);
	if (ret < 0)
		return ret;
	if (recvmsg(self->udp, &msg, MSG_DONTWAIT) < 0)
		return -errno;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			seen->tos = *(int *)CMSG_DATA(c);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)
			seen->ttl = *(int *)CMSG_DATA(c);
		else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			seen->tos = *(__u8 *)CMSG_DATA(c);
		else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL)
			seen->ttl = *(int *)CMSG_DATA(c);
	}
	return 0;
}

QUIC_TEST_F(inet, traffic_class_and_hop_limit_are_those_of_the_socket)
{
	bool v6 = is_v6(variant->family);
	struct seen seen = { -1, -1 };

	ASSERT_EQ(0, connect_to_udp(self));
	/* After connect(), so that a remembered route would show. */
	if (v6) {
		ASSERT_EQ(0, qk_set_int(self->p.client, IPPROTO_IPV6, IPV6_TCLASS, 0xb8));
		ASSERT_EQ(0, qk_set_int(self->p.client, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 17));
	} else {
		ASSERT_EQ(0, qk_set_int(self->p.client, IPPROTO_IP, IP_TOS, 0xb8));
		ASSERT_EQ(0, qk_set_int(self->p.client, IPPROTO_IP, IP_TTL, 17));
	}
	ASSERT_EQ(0, first_packet(self, &seen));
	/* The two low bits are QUIC's (ECN). */
	EXPECT_EQ(0xb8, seen.tos & 0xfc);
	EXPECT_EQ(17, seen.ttl);
}

QUIC_TEST_F(inet, an_accepted_socket_inherits_them)
{
	bool v6 = is_v6(variant->family);
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int tos = v6 ? IPV6_TCLASS : IP_TOS, ttl = v6 ? IPV6_UNICAST_HOPS : IP_TTL;
	int pmtu = v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER;
	struct timeval tv = { .tv_sec = 7 }, got = { };
	__u8 hello[1024], buf[1024];
	socklen_t len = sizeof(got);
	size_t n;
	int fd;

	fd = qk_listen(&self->opts);
	ASSERT_LE(0, fd);
	self->p.listener = fd;
	ASSERT_EQ(0, qk_set_int(fd, level, tos, 0x40));
	ASSERT_EQ(0, qk_set_int(fd, level, ttl, 33));
	EXPECT_EQ(IP_PMTUDISC_PROBE, qk_get_int(fd, level, pmtu));
	ASSERT_EQ(0, qk_set_int(fd, level, pmtu, IP_PMTUDISC_DO));
	ASSERT_EQ(0, qk_set_int(fd, SOL_SOCKET, SO_PRIORITY, 3));
	ASSERT_EQ(0, qk_set_int(fd, SOL_SOCKET, SO_SNDBUF, 30000));
	ASSERT_EQ(0, qk_set_int(fd, SOL_SOCKET, SO_RCVBUF, 40000));
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	self->p.client = qk_connect(&self->opts, qk_port(fd));
	ASSERT_LE(0, self->p.client);
	n = qk_client_hello(self->p.client, NULL, hello, sizeof(hello));
	ASSERT_EQ((ssize_t)n, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, n, 0));
	self->p.server = qk_accept(fd);
	ASSERT_LE(0, self->p.server);
	ASSERT_EQ(0, qk_hs_recv(self->p.server, QUIC_CRYPTO_INITIAL, buf, n));
	fd = self->p.server;
	EXPECT_EQ(0x40, qk_get_int(fd, level, tos));
	EXPECT_EQ(33, qk_get_int(fd, level, ttl));
	EXPECT_EQ(IP_PMTUDISC_DO, qk_get_int(fd, level, pmtu));
	EXPECT_EQ(3, qk_get_int(fd, SOL_SOCKET, SO_PRIORITY));
	EXPECT_EQ(60000, qk_get_int(fd, SOL_SOCKET, SO_SNDBUF));
	EXPECT_EQ(80000, qk_get_int(fd, SOL_SOCKET, SO_RCVBUF));
	EXPECT_EQ(IPPROTO_QUIC, qk_get_int(fd, SOL_SOCKET, SO_PROTOCOL));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &len));
	EXPECT_EQ(7, got.tv_sec);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &got, &len));
	EXPECT_EQ(7, got.tv_sec);
}

static int sysctl_number(const char *name, int at)
{
	char path[64];
	int v[3] = { -1, -1, -1 };
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/quic/%s", name);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	if (fscanf(f, "%d %d %d", &v[0], &v[1], &v[2]) != 3)
		v[at] = -EIO;
	fclose(f);
	return v[at];
}

/* The sysctls are those of the first network namespace: read before leaving it. */
TEST(buffers_begin_as_the_sysctls_say)
{
	int snd = sysctl_number("quic_wmem", 1), rcv = sysctl_number("quic_rmem", 1);
	int fd, ret;

	fd = qk_socket(QK_V4, 0);
	if (fd < 0)
		SKIP(return, "no QUIC sockets here: %s", strerror(-fd));
	if (snd < 0) {
		snd = sysctl_number("quic_wmem", 1);
		rcv = sysctl_number("quic_rmem", 1);
	}
	EXPECT_LT(0, sysctl_number("quic_mem", 2));
	EXPECT_EQ(16384, snd);
	EXPECT_EQ(1 << 20, rcv);
	EXPECT_EQ(snd, qk_get_int(fd, SOL_SOCKET, SO_SNDBUF));
	EXPECT_EQ(rcv, qk_get_int(fd, SOL_SOCKET, SO_RCVBUF));
	close(fd);
	ret = qk_setup();
	ASSERT_EQ(0, ret);
	if (getuid())
		SKIP(return, "needs a network namespace");
	EXPECT_EQ(-ENOENT, sysctl_number("quic_mem", 0));
}

QUIC_TEST_F(inet, the_pacing_rate_bounds_the_speed)
{
	struct qk_flow f = { .id = 0, .size = 300000, .seed = 5 };
	unsigned int rate = 200000;	/* bytes per second */
	__s64 began, spent;

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	/* Behind the connection's back: no option of QUIC tells it. */
	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_MAX_PACING_RATE, &rate,
				sizeof(rate)));
	f.from = self->p.client;
	f.to = self->p.server;
	began = qk_now_ms();
	ASSERT_EQ(0, qk_flow_run(&f, 1));
	spent = qk_now_ms() - began;
	/* 1.5 s at this rate; a burst may go at once, no more. */
	EXPECT_LE(1200, spent);
	EXPECT_EQ(300000, f.received);
}

/* Run a command of iproute2; whether it succeeded. */
static bool iproute(const char *args)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "ip %s >/dev/null 2>&1", args);
	return system(cmd) == 0;
}

QUIC_TEST_F(inet, a_hello_without_a_route_is_refused)
{
	bool v6 = is_v6(variant->family);

	ASSERT_EQ(0, connect_to_udp(self));
	if (getuid() || !iproute(v6 ? "-6 route flush table local" : "route flush table local"))
		SKIP(return, "needs root and iproute2");
	EXPECT_EQ(-ENETUNREACH,
		  qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, HELLO, 5, 0));
	ASSERT_TRUE(iproute(v6 ? "-6 route add local ::1 dev lo table local" :
			    "route add local 127.0.0.1 dev lo table local"));
	EXPECT_EQ(5, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, HELLO, 5, 0));
	EXPECT_LE(0, qk_wait(self->udp, POLLIN));
}

static int mtu_of(int fd)
{
	struct quic_info info = { };
	socklen_t len = sizeof(info);
	int ret = qk_get(fd, QUIC_SOCKOPT_INFO, &info, &len);

	return ret ? ret : (int)info.mtu;
}

/* Send until the size of datagrams has found its limit, with what arrived for a clock. */
static int settled_mtu(QUIC_SELF(inet), __s64 id)
{
	struct qk_flow f = { .from = self->p.client, .to = self->p.server, .id = id,
			     .size = 2000000, .seed = 9 };
	int ret = qk_flow_run(&f, 1);

	return ret ? ret : mtu_of(self->p.client);
}

QUIC_TEST_F(inet, the_mtu_that_the_route_is_given_bounds_datagrams)
{
	bool v6 = is_v6(variant->family);

	if (getuid() || !iproute("link set lo mtu 1500") ||
	    !iproute(v6 ? "-6 route flush table local" : "route flush table local") ||
	    !iproute(v6 ? "-6 route add local ::1 dev lo table local mtu 1300" :
		     "route add local 127.0.0.1 dev lo table local mtu 1300"))
		SKIP(return, "needs root and iproute2");
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	EXPECT_EQ(1300 - (v6 ? 48 : 28), settled_mtu(self, 0));
}

/* A VRF with one device in it. */
FIXTURE(device) {
	struct qk_pair p;
	struct qk_opts opts;
	bool ready;
};

FIXTURE_SETUP(device)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	if (getuid() || !iproute("link add red type vrf table 10") || !iproute("link set red up") ||
	    !iproute("link add d0 type dummy") || !iproute("link set d0 master red") ||
	    !iproute("addr add 192.0.2.1/24 dev d0") ||
	    !iproute("link set d0 up"))
		SKIP(return, "needs root, iproute2 and the modules dummy and vrf");
	self->ready = true;
}

FIXTURE_TEARDOWN(device)
{
	qk_pair_close(&self->p);
}

static int bind_device(int fd, const char *name)
{
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name)) ? -errno : 0;
}

static int bind_to(int fd, const char *addr, __u16 port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, addr, &sin.sin_addr);
	return bind(fd, (struct sockaddr *)&sin, sizeof(sin)) ? -errno : 0;
}

static int connect_to(int fd, const char *addr, __u16 port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, addr, &sin.sin_addr);
	return connect(fd, (struct sockaddr *)&sin, sizeof(sin)) ? -errno : 0;
}

QUIC_TEST_F(device, an_address_of_a_vrf_is_bound_within_it_only)
{
	int fd = qk_socket(QK_V4, 0);

	ASSERT_LE(0, fd);
	self->p.client = fd;
	EXPECT_EQ(-EADDRNOTAVAIL, bind_to(fd, "192.0.2.1", 0));
	ASSERT_EQ(0, bind_device(fd, "red"));
	EXPECT_EQ(0, bind_to(fd, "192.0.2.1", 0));
}

QUIC_TEST_F(device, a_connection_within_a_vrf_works_and_stays_there)
{
	__u8 hello[1024], got[1024];
	struct qk_item it;
	char name[IFNAMSIZ] = "";
	socklen_t len = sizeof(name);
	size_t n;

	self->p.listener = qk_socket(QK_V4, 0);
	ASSERT_LE(0, self->p.listener);
	ASSERT_EQ(0, bind_device(self->p.listener, "red"));
	ASSERT_EQ(0, bind_to(self->p.listener, "192.0.2.1", PORT));
	ASSERT_EQ(0, listen(self->p.listener, 4));
	self->p.client = qk_socket(QK_V4, 0);
	ASSERT_LE(0, self->p.client);
	EXPECT_EQ(-ENETUNREACH, connect_to(self->p.client, "192.0.2.1", PORT));
	ASSERT_EQ(0, bind_device(self->p.client, "red"));
	ASSERT_EQ(0, connect_to(self->p.client, "192.0.2.1", PORT));
	n = qk_client_hello(self->p.client, NULL, hello, sizeof(hello));
	ASSERT_LT(0, n);
	ASSERT_EQ((ssize_t)n, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, n, 0));
	self->p.server = qk_accept(self->p.listener);
	ASSERT_LE(0, self->p.server);
	ASSERT_EQ(0, getsockopt(self->p.server, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	EXPECT_STREQ("red", name);
	ASSERT_EQ(0, qk_hs_recv(self->p.server, QUIC_CRYPTO_INITIAL, got, n));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	ASSERT_EQ(5, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "hello", 5, 0));
	ASSERT_EQ(5, qk_next(self->p.server, &it, got, sizeof(got)));
}

/* One port, two listeners on the unspecified address: in the VRF, and on lo. */
QUIC_TEST_F(device, listeners_on_devices_share_a_port)
{
	static const char * const devices[] = { "red", "lo" };
	static const char * const addrs[] = { "192.0.2.1", "127.0.0.1" };
	int fds[ARRAY_SIZE(devices)];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		fds[i] = qk_socket(QK_V4, 0);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, bind_device(fds[i], devices[i]));
		ASSERT_EQ(0, bind_to(fds[i], "0.0.0.0", PORT));
		ASSERT_EQ(0, listen(fds[i], 4));
	}
	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		__u8 hello[1024];
		size_t n;

		self->p.client = qk_socket(QK_V4, 0);
		ASSERT_LE(0, self->p.client);
		ASSERT_EQ(0, bind_device(self->p.client, devices[i]));
		ASSERT_EQ(0, connect_to(self->p.client, addrs[i], PORT));
		n = qk_client_hello(self->p.client, NULL, hello, sizeof(hello));
		ASSERT_EQ((ssize_t)n,
			  qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, n, 0));
		EXPECT_LE(0, qk_wait(fds[i], POLLIN));
		self->p.server = accept(fds[i], NULL, NULL);
		EXPECT_LE(0, self->p.server);
		for (j = 0; j < ARRAY_SIZE(devices); j++) {
			struct pollfd p = { .fd = fds[j], .events = POLLIN };

			EXPECT_EQ(0, poll(&p, 1, 0)) {
				TH_LOG("client on %s also reached %s", devices[i], devices[j]);
			}
		}
		qk_close(&self->p.server);
		qk_close(&self->p.client);
	}
	for (i = 0; i < ARRAY_SIZE(devices); i++)
		close(fds[i]);
}

TEST_HARNESS_MAIN
