// SPDX-License-Identifier: GPL-2.0
/*
 * The limits of memory: net.quic.quic_mem, and memory.max of a control group.
 * A sender writes into a connection whose reader never reads, with windows that
 * the limits do not allow; then all of it is read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "quic_net.h"

#define MIB		(1024u * 1024)
#define WINDOW		(64 * MIB)
#define SIZE		(24 * MIB)
#define LIMIT		(8 * MIB)
/* The kernel counts a MiB of a protocol's memory on each processor by itself. */
#define SLACK		(sysconf(_SC_NPROCESSORS_CONF) * MIB + MIB)
/* Frames refused before a transfer counts as stuck for want of memory. */
#define REFUSED		20

#define CGROUPS		"/tmp/quic_memory.cgroup"
#define GROUP		CGROUPS "/quic_memory"

static const struct quic_transport_param wide = {
	.max_data = WINDOW,
	.max_stream_data_bidi_remote = WINDOW,
};

static bool put(int fd, const char *text)
{
	return fd >= 0 && pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text);
}

static bool put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = put(fd, text);

	qk_close(&fd);
	return done;
}

static long get_file(const char *path)
{
	char text[32] = { };
	int fd = open(path, O_RDONLY);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	qk_close(&fd);
	return len <= 0 ? -1 : atol(text);
}

/* Write until the socket takes no more; -EAGAIN is the good end. */
static int push(struct qk_flow *f)
{
	static __u8 buf[32768];

	while (f->sent < f->size) {
		size_t left = f->size - f->sent;
		size_t n = left < sizeof(buf) ? left : sizeof(buf);
		__u32 flags = n == left ? MSG_QUIC_STREAM_FIN : 0;
		ssize_t ret;

		if (!f->opened)
			flags |= MSG_QUIC_STREAM_NEW;
		qk_pattern(buf, n, f->seed, f->sent);
		ret = qk_send(f->from, f->id, flags, buf, n, MSG_DONTWAIT);
		if (ret < 0)
			return ret;
		f->opened = true;
		f->sent += ret;
		f->sent_all = (size_t)ret == left;
	}
	return 0;
}

/*
 * Write without reading until the receiver has refused some frames, or more than
 * @limit bytes are held, which is what must not be.  The most that was held.
 */
static long fill(struct qk_flow *f, long limit, long (*held)(const struct qk_flow *f))
{
	__s64 before = qk_snmp("QuicFrmRcvBufDrop"), start = qk_now_ms();
	long most = 0;

	do {
		int ret = push(f);
		long now = held(f);

		if (ret && ret != -EAGAIN)
			return ret;
		if (now > most)
			most = now;
		if (most > limit)
			return most;
		poll(NULL, 0, 1);
		if (qk_now_ms() - start > qk_wait_ms())
			return -ETIMEDOUT;
	} while (qk_snmp("QuicFrmRcvBufDrop") - before < REFUSED);
	return most;
}

FIXTURE(mem) {
	struct qk_pair p, other;
	struct qk_limits limits;
};

FIXTURE_VARIANT(mem) {
	int type;
};

FIXTURE_VARIANT_ADD(mem, dgram) { SOCK_DGRAM };
FIXTURE_VARIANT_ADD(mem, stream) { SOCK_STREAM };

FIXTURE_SETUP(mem)
{
	int no_limits = qk_limits_open(&self->limits), ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->other = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	if (no_limits)
		SKIP(return, "the limits of memory cannot be changed here");
}

FIXTURE_TEARDOWN(mem)
{
	qk_pair_close(&self->p);
	qk_pair_close(&self->other);
	EXPECT_TRUE(qk_limits_end(&self->limits));
}

/* Bytes charged to the two sockets for data received and sent. */
static long both(const struct qk_flow *f)
{
	return (long)qk_queued(f->to, SIOCINQ) + qk_queued(f->from, SIOCOUTQ);
}

QUIC_TEST_F(mem, a_reader_who_never_reads_gets_no_more_than_quic_mem_and_then_all)
{
	struct qk_opts opts = { .type = variant->type, .server_param = &wide };
	struct qk_flow f = { .size = SIZE, .seed = 1 };
	char buf[1000] = "x";
	struct qk_item it;
	long most;

	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
	/* The send buffer is no bound either. */
	ASSERT_EQ(0, qk_set_int(self->p.client, SOL_SOCKET, SO_SNDBUFFORCE, WINDOW));
	f.from = self->p.client;
	f.to = self->p.server;
	ASSERT_TRUE(qk_limits_set(&self->limits, LIMIT));
	most = fill(&f, LIMIT + SLACK, both);
	TH_LOG("%ld KiB at most", most / 1024);
	EXPECT_LT(0, most);
	EXPECT_GT(LIMIT + SLACK, most);
	EXPECT_GT(SIZE, f.sent);
	/* Others get on, a packet at a time. */
	opts.server_param = NULL;
	ASSERT_EQ(0, qk_pair_open(&self->other, &opts));
	ASSERT_EQ(1000, qk_send(self->other.client, 0, MSG_QUIC_STREAM_NEW, buf, 1000, 0));
	ASSERT_EQ(1000, qk_next(self->other.server, &it, buf, sizeof(buf)));
	ASSERT_EQ(1000, qk_send(self->other.server, 0, 0, buf, 1000, 0));
	ASSERT_EQ(1000, qk_next(self->other.client, &it, buf, sizeof(buf)));
	EXPECT_EQ(0, qk_flow_run(&f, 1));
}

static bool timed_out(const struct quic_info *info, __u64 times)
{
	return info->probe_timeouts >= times;
}

/*
 * A queueing discipline with another clock than the socket's rejects each packet
 * and says so in the socket's error queue, which is in the receive account too.
 */
QUIC_TEST_F(mem, errors_of_single_packets_neither_stay_nor_spoil_the_account)
{
	struct sock_txtime txtime = {
		.clockid = CLOCK_MONOTONIC,
		.flags = SOF_TXTIME_REPORT_ERRORS,
	};
	struct quic_config config = { .initial_smoothed_rtt = 10000 };
	struct qk_opts opts = { .type = variant->type, .client_config = &config };
	__u8 hello[1024];
	size_t n;
	char c;

	if (system("tc qdisc add dev lo root etf clockid CLOCK_TAI delta 100000"))
		SKIP(return, "the queueing discipline etf is not there");
	self->p.listener = qk_listen(&opts);
	ASSERT_LE(0, self->p.listener);
	self->p.client = qk_connect(&opts, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	ASSERT_EQ(0, setsockopt(self->p.client, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)));
	n = qk_client_hello(self->p.client, NULL, hello, sizeof(hello));
	ASSERT_EQ((ssize_t)n, qk_hs_send(self->p.client, QUIC_CRYPTO_INITIAL, hello, n, 0));
	ASSERT_EQ(0, qn_await(self->p.client, timed_out, 3));
	EXPECT_EQ(0, poll(&(struct pollfd){ self->p.listener, POLLIN, 0 }, 1, 0));
	EXPECT_EQ(0, qk_queued(self->p.client, SIOCINQ));
	EXPECT_EQ(0, poll(&(struct pollfd){ self->p.client, POLLIN, 0 }, 1, 0));
	EXPECT_EQ(-1, recv(self->p.client, &c, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	/* At its end the kernel warns of a receive account that is not empty. */
	qk_close(&self->p.client);
	EXPECT_TRUE(qk_sockets_go(QK_V4, 1));
}

FIXTURE(group) {
	struct qk_pair p;
	bool mounted;
};

FIXTURE_SETUP(group)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	mkdir(CGROUPS, 0700);
	self->mounted = !mount("none", CGROUPS, "cgroup2", 0, NULL);
	if (!self->mounted || !put_file(CGROUPS "/cgroup.subtree_control", "+memory") ||
	    (mkdir(GROUP, 0700) && errno != EEXIST) || get_file(GROUP "/memory.current") < 0)
		SKIP(return, "no control groups of memory here");
}

FIXTURE_TEARDOWN(group)
{
	qk_pair_close(&self->p);
	if (self->mounted) {
		put_file(CGROUPS "/cgroup.procs", "0");
		rmdir(GROUP);
		umount2(CGROUPS, MNT_DETACH);
	}
	rmdir(CGROUPS);
}

static long in_group(const struct qk_flow *f)
{
	(void)f;
	return get_file(GROUP "/memory.current");
}

QUIC_TEST_F(group, a_reader_who_never_reads_gets_no_more_than_memory_max_and_then_all)
{
	struct qk_opts opts = { .server_param = &wide };
	struct qk_flow f = { .size = SIZE, .seed = 2 };
	char limit[32];
	long most;

	/* The group gets the socket that accept() makes, and no process that could be killed. */
	self->p.listener = qk_listen(&opts);
	ASSERT_LE(0, self->p.listener);
	self->p.client = qk_connect(&opts, qk_port(self->p.listener));
	ASSERT_LE(0, self->p.client);
	ASSERT_TRUE(put_file(GROUP "/cgroup.procs", "0"));
	ASSERT_EQ(0, qk_hs_hello(&self->p, &opts));
	ASSERT_TRUE(put_file(CGROUPS "/cgroup.procs", "0"));
	ASSERT_EQ(0, qk_hs_finish(&self->p, opts.cipher));
	f.from = self->p.client;
	f.to = self->p.server;
	snprintf(limit, sizeof(limit), "%u", LIMIT);
	ASSERT_TRUE(put_file(GROUP "/memory.max", limit));
	most = fill(&f, LIMIT + SLACK, in_group);
	TH_LOG("%ld KiB at most", most / 1024);
	EXPECT_LT(0, most);
	EXPECT_GT(LIMIT + SLACK, most);
	EXPECT_EQ(0, qk_flow_run(&f, 1));
}

TEST_HARNESS_MAIN
