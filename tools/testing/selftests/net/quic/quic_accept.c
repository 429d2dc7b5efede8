// SPDX-License-Identifier: GPL-2.0
/*
 * What accepted and closed sockets take and have to give back: the count of
 * users of receive timestamps, the memory of a control group, IPsec policies.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#ifndef SO_TIMESTAMPING
#define SO_TIMESTAMPING	37
#endif

FIXTURE(accepted) {
	struct qk_opts opts;
	int listener;
	int udp;
};

FIXTURE_VARIANT(accepted) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(accepted, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(accepted, v6) { QK_V6 };

FIXTURE_SETUP(accepted)
{
	int ret = qk_setup();

	self->listener = -1;
	self->udp = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
}

FIXTURE_TEARDOWN(accepted)
{
	qk_close(&self->listener);
	qk_close(&self->udp);
}

/* A client that asks, and the accepted socket. */
static int accept_one(int listener, const struct qk_opts *opts, int *client)
{
	__u8 hello[1024];
	size_t len;
	ssize_t ret;

	*client = qk_connect(opts, qk_port(listener));
	if (*client < 0)
		return *client;
	len = qk_client_hello(*client, NULL, hello, sizeof(hello));
	ret = qk_hs_send(*client, QUIC_CRYPTO_INITIAL, hello, len, 0);
	if (ret != (ssize_t)len)
		return ret < 0 ? ret : -EMSGSIZE;
	return qk_accept(listener);
}

static int accept_and_close(int listener, const struct qk_opts *opts, int times)
{
	int i, client, server = 0;

	for (i = 0; i < times && server >= 0; i++) {
		server = accept_one(listener, opts, &client);
		qk_close(&client);
		if (server >= 0)
			close(server);
	}
	return server < 0 ? server : 0;
}

/* Whether a datagram that a UDP socket sends to itself bears its time of arrival. */
static int is_stamped(int udp)
{
	char space[256], buf[8];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = space, .msg_controllen = sizeof(space) };
	struct cmsghdr *cmsg;

	if (send(udp, "tick", 4, 0) != 4 || recvmsg(udp, &msg, 0) != 4)
		return -errno;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_TIMESTAMPING)
			return 1;
	}
	return 0;
}

/* Switching the clock on and off is deferred to a work item: wait for either state. */
static bool stamps(int udp, bool wanted)
{
	__s64 start = qk_now_ms();
	int ret;

	do {
		ret = is_stamped(udp);
	} while (ret == !wanted && qk_now_ms() - start < qk_wait_ms());
	return ret == wanted;
}

static int stamped_udp(enum qk_family family)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, family, 4433);
	int fd = socket(ss.ss_family, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) ||
	    connect(fd, (struct sockaddr *)&ss, len))
		return -errno;
	return qk_set_int(fd, SOL_SOCKET, SO_TIMESTAMPING,
			  SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE) ?: fd;
}

/* More than there may be other users of timestamps in this machine. */
#define STAMPED		30

QUIC_TEST_F(accepted, sockets_leave_the_timestamps_of_others_alone)
{
	int i;

	self->udp = stamped_udp(variant->family);
	ASSERT_LE(0, self->udp);
	ASSERT_TRUE(stamps(self->udp, true));
	self->listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->listener);
	ASSERT_EQ(0, qk_set_int(self->listener, SOL_SOCKET, SO_TIMESTAMP, 1));
	ASSERT_EQ(0, qk_set_int(self->listener, SOL_SOCKET, SO_TIMESTAMPING,
				SOF_TIMESTAMPING_RX_SOFTWARE));
	ASSERT_EQ(0, accept_and_close(self->listener, &self->opts, STAMPED));
	ASSERT_TRUE(qk_sockets_go(variant->family, 1));
	qk_close(&self->listener);
	ASSERT_TRUE(qk_sockets_go(variant->family, 0));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(1, is_stamped(self->udp)) {
			TH_LOG("datagram %d", i);
		}
	}
}

QUIC_TEST_F(accepted, sockets_inherit_flags_of_the_listener)
{
	static const struct {
		int opt;
		int val;
	} flags[] = {
		{ SO_KEEPALIVE, 1 }, { SO_BROADCAST, 1 }, { SO_DONTROUTE, 1 },
		{ SO_RXQ_OVFL, 1 }, { SO_OOBINLINE, 1 }, { SO_TIMESTAMP, 1 },
	};
	int client, server;
	size_t i;

	self->listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->listener);
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		ASSERT_EQ(0, qk_set_int(self->listener, SOL_SOCKET, flags[i].opt, flags[i].val));
	server = accept_one(self->listener, &self->opts, &client);
	ASSERT_LE(0, server);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_EQ(flags[i].val, qk_get_int(server, SOL_SOCKET, flags[i].opt)) {
			TH_LOG("option %d", flags[i].opt);
		}
	}
	qk_close(&server);
	qk_close(&client);
}

/* Policies that sockets of this namespace own, as IPsec's netlink tells. */
static int socket_policies(void)
{
	struct {
		struct nlmsghdr hdr;
		__u32 flags;
	} ask = { .hdr = { .nlmsg_len = sizeof(ask), .nlmsg_type = XFRM_MSG_GETSPDINFO,
			   .nlmsg_flags = NLM_F_REQUEST } };
	struct {
		struct nlmsghdr hdr;
		__u32 flags;
		struct nlattr attr;
		struct xfrmu_spdinfo info;
		char rest[256];
	} got = { };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = send(fd, &ask, sizeof(ask), 0) < 0 ? -errno : recv(fd, &got, sizeof(got), 0);
	close(fd);
	if (len < (ssize_t)offsetof(typeof(got), rest) ||
	    got.hdr.nlmsg_type != XFRM_MSG_NEWSPDINFO || got.attr.nla_type != XFRMA_SPD_INFO)
		return -EBADMSG;
	return got.info.inscnt + got.info.outscnt + got.info.fwdscnt;
}

static int set_policy(int fd, enum qk_family family, __u8 dir)
{
	struct xfrm_userpolicy_info policy = { .dir = dir, .action = XFRM_POLICY_ALLOW };

	policy.lft.soft_byte_limit = XFRM_INF;
	policy.lft.hard_byte_limit = XFRM_INF;
	policy.lft.soft_packet_limit = XFRM_INF;
	policy.lft.hard_packet_limit = XFRM_INF;
	policy.sel.family = family == QK_V4 ? AF_INET : AF_INET6;
	if (family == QK_V4)
		return setsockopt(fd, IPPROTO_IP, IP_XFRM_POLICY, &policy, sizeof(policy)) ?
		       -errno : 0;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_XFRM_POLICY, &policy, sizeof(policy)) ?
	       -errno : 0;
}

QUIC_TEST_F(accepted, policies_of_a_socket_go_with_it)
{
	int client = -1, server, idle;

	if (socket_policies() < 0)
		SKIP(return, "no IPsec here: %s", strerror(-socket_policies()));
	ASSERT_EQ(0, socket_policies());
	self->listener = qk_listen(&self->opts);
	idle = qk_socket(variant->family, SOCK_STREAM);
	server = accept_one(self->listener, &self->opts, &client);
	ASSERT_LE(0, idle);
	ASSERT_LE(0, server);
	ASSERT_EQ(0, set_policy(idle, variant->family, XFRM_POLICY_OUT));
	ASSERT_EQ(0, set_policy(self->listener, variant->family, XFRM_POLICY_IN));
	ASSERT_EQ(0, set_policy(server, variant->family, XFRM_POLICY_OUT));
	ASSERT_EQ(0, set_policy(client, variant->family, XFRM_POLICY_OUT));
	EXPECT_EQ(4, socket_policies());
	qk_close(&idle);
	EXPECT_EQ(3, socket_policies());
	/* A listener that stops may listen again, and keeps what it was given. */
	ASSERT_EQ(0, shutdown(self->listener, SHUT_RDWR));
	EXPECT_EQ(3, socket_policies());
	qk_close(&self->listener);
	EXPECT_EQ(2, socket_policies());
	qk_close(&server);
	qk_close(&client);
	EXPECT_TRUE(qk_sockets_go(variant->family, 0));
	EXPECT_EQ(0, socket_policies());
}

#define GROUP	"/tmp/quic_accept"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Moves this process to a control group of its own, whose memory is counted. */
static int enter_group(void)
{
	int ret;

	mkdir(GROUP, 0700);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", GROUP, "cgroup2", 0, NULL))
		return -errno;
	ret = write_file(GROUP "/cgroup.subtree_control", "+memory");
	if (!ret && mkdir(GROUP "/quic_accept", 0700) && errno != EEXIST)
		ret = -errno;
	return ret ? ret : write_file(GROUP "/quic_accept/cgroup.procs", "0");
}

static void leave_group(void)
{
	write_file(GROUP "/cgroup.procs", "0");
	rmdir(GROUP "/quic_accept");
	umount(GROUP);
	rmdir(GROUP);
}

/*
 * A charge of a page each that nobody gives back is more than the kernel may
 * keep from the sight of memory.stat, 64 pages a processor.
 */
#define CHARGED	(200 + 100 * sysconf(_SC_NPROCESSORS_ONLN))
#define UNSEEN	(64 * sysconf(_SC_NPROCESSORS_ONLN))

QUIC_TEST_F(accepted, sockets_give_their_memory_back_to_the_control_group)
{
	long pages, page = sysconf(_SC_PAGESIZE);
	int ret = enter_group();
	__s64 start;

	if (ret)
		SKIP(return, "no control group with memory here: %s", strerror(-ret));
	self->listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->listener);
	EXPECT_EQ(0, accept_and_close(self->listener, &self->opts, CHARGED));
	qk_close(&self->listener);
	EXPECT_TRUE(qk_sockets_go(variant->family, 0));
	start = qk_now_ms();
	do {
		pages = qk_value(GROUP "/quic_accept/memory.stat", "sock") / page;
	} while (pages > UNSEEN && qk_now_ms() - start < qk_wait_ms() && !poll(NULL, 0, 5));
	EXPECT_LE(0, pages);
	EXPECT_LE(pages, UNSEEN);
	leave_group();
}

TEST_HARNESS_MAIN
