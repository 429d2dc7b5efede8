// SPDX-License-Identifier: GPL-2.0
/* What /proc/net/quic and the sysctls say: names, layout, namespaces, ranges. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/sockios.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define FIELDS		14
#define FOLDER		"/proc/thread-self/net/quic/"

/* The counters that programs know; further ones may follow. */
static const char * const counters[] = {
	"QuicConnCurrentEstabs", "QuicConnPassiveEstabs", "QuicConnActiveEstabs",
	"QuicPktRcvFastpaths", "QuicPktDecFastpaths", "QuicPktEncFastpaths",
	"QuicPktRcvBacklogs", "QuicPktDecBacklogs", "QuicPktEncBacklogs",
	"QuicPktInvHdrDrop", "QuicPktInvNumDrop", "QuicPktInvFrmDrop",
	"QuicPktRcvDrop", "QuicPktDecDrop", "QuicPktEncDrop",
	"QuicFrmRcvBufDrop", "QuicFrmRetrans", "QuicFrmOutCloses", "QuicFrmInCloses",
};

static const struct {
	const char *name;
	const char *head;
} files[] = {
	{ "snmp", NULL },
	{ "conns", "SOCK\tSTATE\tLOCAL_ADDRESS\tREMOTE_ADDRESS\tUDP_ADDRESS\tWINDOW\tMSS\t"
		   "IN_FLIGHT\tTX_QUEUE\tRX_QUEUE\tSNDBUF\tRCVBUF\tUID\tINODE\n" },
	{ "eps", "SOCK\tSTATE\tLOCAL_ADDRESS\tUDP_ADDRESS\tUID\tINODE\n" },
};

/* Columns of conns; eps has the first three as well, and the others elsewhere. */
enum column {
	SOCK, STATE, LOCAL, REMOTE, UDP, WINDOW, MSS, IN_FLIGHT, TX, RX, SNDBUF, RCVBUF, UID, INODE
};

FIXTURE(proc) {
	struct qk_pair p;
	struct qk_opts opts;
	char line[512];
	char *field[FIELDS];
};

FIXTURE_VARIANT(proc) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(proc, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(proc, v6) { QK_V6 };

FIXTURE_SETUP(proc)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
}

FIXTURE_TEARDOWN(proc)
{
	qk_pair_close(&self->p);
}

static FILE *open_file(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), FOLDER "%s", name);
	return fopen(path, "r");
}

QUIC_TEST_F(proc, counters_have_their_names_and_places)
{
	FILE *f = open_file("snmp");
	char line[128], want[64];
	size_t i;

	ASSERT_NE(NULL, f);
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		char *end;

		ASSERT_NE(NULL, fgets(line, sizeof(line), f));
		snprintf(want, sizeof(want), "%-32s\t", counters[i]);
		EXPECT_EQ(0, strncmp(want, line, strlen(want))) {
			TH_LOG("line %zu: %s", i, line);
		}
		strtoull(line + strlen(want), &end, 10);
		EXPECT_STREQ("\n", end);
	}
	fclose(f);
}

QUIC_TEST_F(proc, files_are_for_reading_and_begin_with_their_columns)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		FILE *f = open_file(files[i].name);
		char line[256] = "";
		struct stat st;

		ASSERT_NE(NULL, f);
		ASSERT_EQ(0, fstat(fileno(f), &st));
		EXPECT_EQ(S_IFREG | 0444, st.st_mode) {
			TH_LOG("%s", files[i].name);
		}
		ASSERT_NE(NULL, fgets(line, sizeof(line), f));
		EXPECT_STREQ(files[i].head ?: line, line);
		fclose(f);
	}
}

/* The line of @file about the socket @fd, taken apart; the count of its fields, or 0. */
static int line_of(QUIC_SELF(proc), const char *file, int fd)
{
	FILE *f = open_file(file);
	char inode[32];
	struct stat st;
	int n = 0;

	if (!f || fstat(fd, &st))
		return 0;
	snprintf(inode, sizeof(inode), "%lu\n", (unsigned long)st.st_ino);
	while (fgets(self->line, sizeof(self->line), f)) {
		char *rest = self->line;

		for (n = 0; n < FIELDS && rest; n++)
			self->field[n] = strsep(&rest, "\t");
		if (n && !strcmp(inode, self->field[n - 1]))
			break;
		n = 0;
	}
	fclose(f);
	return n;
}

/* An address as the files write it: without brackets. */
static const char *text_of(const struct sockaddr_storage *ss)
{
	static char text[2][80];
	static int turn;
	char ip[64];

	turn = !turn;
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(text[turn], sizeof(text[turn]), "%s:%u", ip, ntohs(in->sin_port));
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		snprintf(text[turn], sizeof(text[turn]), "%s:%u", ip, ntohs(in6->sin6_port));
	}
	return text[turn];
}

static const char *name_of(int fd, bool peer)
{
	struct sockaddr_storage ss = { };
	socklen_t len = sizeof(ss);

	if (peer ? getpeername(fd, (struct sockaddr *)&ss, &len) :
		   getsockname(fd, (struct sockaddr *)&ss, &len))
		return "";
	return text_of(&ss);
}

QUIC_TEST_F(proc, a_connection_is_listed_with_its_state_and_numbers)
{
	struct quic_info info = { };
	socklen_t len = sizeof(info);
	char any[32];
	__s64 start;
	int fd;

	ASSERT_EQ(0, qk_hs_start(&self->p, &self->opts));
	ASSERT_EQ(FIELDS, line_of(self, "conns", self->p.client));
	EXPECT_STREQ("3", self->field[STATE]);
	ASSERT_EQ(FIELDS, line_of(self, "conns", self->p.server));
	EXPECT_STREQ("3", self->field[STATE]);
	EXPECT_STREQ(name_of(self->p.listener, false), self->field[UDP]);
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
	fd = self->p.client;
	start = qk_now_ms();
	/* The last packets of the handshake may still move the window. */
	do {
		ASSERT_EQ(FIELDS, line_of(self, "conns", fd));
		ASSERT_EQ(0, qk_get(fd, QUIC_SOCKOPT_INFO, &info, &len));
	} while (info.cwnd != strtoull(self->field[WINDOW], NULL, 10) &&
		 qk_now_ms() - start < qk_wait_ms());
	EXPECT_STREQ("1", self->field[STATE]);
	EXPECT_STREQ(name_of(fd, false), self->field[LOCAL]);
	EXPECT_STREQ(name_of(fd, true), self->field[REMOTE]);
	snprintf(any, sizeof(any), "%s:%u", variant->family == QK_V4 ? "0.0.0.0" : "::",
		 qk_port(fd));
	EXPECT_STREQ(any, self->field[UDP]);
	EXPECT_EQ(info.cwnd, strtoull(self->field[WINDOW], NULL, 10));
	EXPECT_LE(1200, atoi(self->field[MSS]));
	EXPECT_EQ(qk_get_int(fd, SOL_SOCKET, SO_SNDBUF), atoi(self->field[SNDBUF]));
	EXPECT_EQ(qk_get_int(fd, SOL_SOCKET, SO_RCVBUF), atoi(self->field[RCVBUF]));
	EXPECT_EQ(getuid(), (uid_t)atoi(self->field[UID]));
	ASSERT_EQ(0, shutdown(fd, SHUT_RDWR));
	EXPECT_EQ(0, line_of(self, "conns", fd));
}

QUIC_TEST_F(proc, a_listener_is_listed_and_its_queues_are_not)
{
	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	ASSERT_EQ(6, line_of(self, "eps", self->p.listener));
	EXPECT_STREQ("10", self->field[STATE]);
	EXPECT_STREQ(name_of(self->p.listener, false), self->field[LOCAL]);
	EXPECT_STREQ(self->field[LOCAL], self->field[3]);
	EXPECT_EQ(getuid(), (uid_t)atoi(self->field[4]));
	EXPECT_EQ(0, line_of(self, "conns", self->p.listener));
}

QUIC_TEST_F(proc, another_namespace_sees_nothing_of_it)
{
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	EXPECT_EQ(2, qk_snmp("QuicConnCurrentEstabs"));
	if (unshare(CLONE_NEWNET))
		SKIP(return, "needs a network namespace");
	EXPECT_EQ(0, qk_snmp("QuicConnCurrentEstabs"));
	EXPECT_EQ(0, qk_snmp("QuicDgramIn"));
	EXPECT_EQ(0, line_of(self, "conns", self->p.client));
	EXPECT_EQ(0, line_of(self, "eps", self->p.listener));
}

/* Three numbers of a sysctl; the file is that of the first namespace. */
static int limits(const char *name, long long v[3])
{
	char path[64];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/sys/net/quic/%s", name);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	n = fscanf(f, "%lld %lld %lld", &v[0], &v[1], &v[2]);
	fclose(f);
	return n == 3 ? 0 : -EIO;
}

TEST(sysctls_begin_with_shares_of_the_memory)
{
	long long mem[3], rmem[3], wmem[3], page = sysconf(_SC_PAGESIZE);
	int fd = qk_socket(QK_V4, 0);

	if (fd < 0)
		SKIP(return, "no QUIC sockets here: %s", strerror(-fd));
	close(fd);
	ASSERT_EQ(0, limits("quic_mem", mem));
	EXPECT_LE(128, mem[1]);
	EXPECT_EQ(mem[1] / 4 * 3, mem[0]);
	EXPECT_EQ(2 * mem[0], mem[2]);
	ASSERT_EQ(0, limits("quic_rmem", rmem));
	EXPECT_EQ(page, rmem[0]);
	EXPECT_EQ(1 << 20, rmem[1]);
	EXPECT_LE(1 << 20, rmem[2]);
	EXPECT_GE(4 << 20, rmem[2]);
	ASSERT_EQ(0, limits("quic_wmem", wmem));
	EXPECT_EQ(page, wmem[0]);
	EXPECT_EQ(16 << 10, wmem[1]);
	EXPECT_LE(64 << 10, wmem[2]);
	EXPECT_GE(4 << 20, wmem[2]);
}

TEST(sizes_of_buffers_are_at_least_one)
{
	static const char * const names[] = { "quic_rmem", "quic_wmem" };
	static const char * const bad[] = { "0 1000 1000", "1000 -1 1000", "1000 1000 0" };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64], text[96];
		long long before[3], after[3];
		int fd;

		snprintf(path, sizeof(path), "/proc/sys/net/quic/%s", names[i]);
		fd = open(path, O_WRONLY);
		if (fd < 0)
			SKIP(return, "cannot write %s: %s", path, strerror(errno));
		ASSERT_EQ(0, limits(names[i], before));
		snprintf(text, sizeof(text), "%lld %lld %lld", before[0], before[1], before[2]);
		EXPECT_EQ((ssize_t)strlen(text), pwrite(fd, text, strlen(text), 0));
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			EXPECT_EQ(-1, pwrite(fd, bad[j], strlen(bad[j]), 0));
			EXPECT_EQ(EINVAL, errno) {
				TH_LOG("%s to %s", bad[j], names[i]);
			}
			/* The numbers before the bad one may have been taken. */
			EXPECT_EQ((ssize_t)strlen(text), pwrite(fd, text, strlen(text), 0));
		}
		ASSERT_EQ(0, limits(names[i], after));
		EXPECT_EQ(0, memcmp(before, after, sizeof(after)));
		close(fd);
	}
}

TEST_HARNESS_MAIN
