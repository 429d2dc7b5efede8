// SPDX-License-Identifier: GPL-2.0
/*
 * SO_REUSEPORT groups of listeners in several processes, listeners that are
 * replaced, and a listener under load.
 */
#include <signal.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define MEMBERS		4
#define CLIENTS		64
#define PORT		4433
#define FLOOD		400

FIXTURE(group) {
	pid_t pids[MEMBERS];
	int pipes[2];
	size_t hello_len;
	struct qk_opts opts;
	struct qk_pair p;
};

FIXTURE_VARIANT(group) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(group, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(group, v6) { QK_V6 };

FIXTURE_SETUP(group)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->pipes[0] = -1;
	self->pipes[1] = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
	ASSERT_EQ(0, pipe(self->pipes));
}

static void end_member(QUIC_SELF(group), int i)
{
	if (self->pids[i] > 0) {
		kill(self->pids[i], SIGKILL);
		waitpid(self->pids[i], NULL, 0);
	}
	self->pids[i] = 0;
}

FIXTURE_TEARDOWN(group)
{
	int i;

	for (i = 0; i < MEMBERS; i++)
		end_member(self, i);
	qk_pair_close(&self->p);
	qk_close(&self->pipes[0]);
	qk_close(&self->pipes[1]);
}

static int group_listener(enum qk_family family, int backlog, const struct quic_config *config)
{
	int fd = qk_socket(family, 0), one = 1;
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, family, PORT);
	int ret = 0;

	if (fd < 0)
		return fd;
	if (config)
		ret = qk_set(fd, QUIC_SOCKOPT_CONFIG, config, sizeof(*config));
	if (!ret && (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
		     bind(fd, (struct sockaddr *)&ss, len) || listen(fd, backlog)))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

/* Writes 'A' + its number once it listens and then for every client it accepts. */
static int start_member(QUIC_SELF(group), int i, const struct quic_config *config)
{
	char c = 0;

	self->pids[i] = fork();
	if (self->pids[i] < 0)
		return -errno;
	if (!self->pids[i]) {
		int fd = group_listener(self->opts.family, CLIENTS, config);

		c = fd < 0 ? 'e' : 'A' + i;
		while (write(self->pipes[1], &c, 1) == 1 && fd >= 0) {
			if (accept(fd, NULL, NULL) < 0)
				break;
		}
		_exit(1);
	}
	return read(self->pipes[0], &c, 1) == 1 && c == 'A' + i ? 0 : -EADDRINUSE;
}

static int start_client(QUIC_SELF(group), size_t padding)
{
	return qk_hs_client(&self->opts, PORT, padding, &self->hello_len);
}

/* The member that accepted the next client, or -1. */
static int accepted_by(QUIC_SELF(group))
{
	char c = 0;

	if (qk_wait(self->pipes[0], POLLIN) < 0 || read(self->pipes[0], &c, 1) != 1)
		return -1;
	return c - 'A';
}

static void share_out(struct __test_metadata *_metadata, QUIC_SELF(group),
		      const struct quic_config *config, size_t padding)
{
	int counts[MEMBERS] = { };
	int fds[CLIENTS];
	int i;

	for (i = 0; i < MEMBERS; i++)
		ASSERT_EQ(0, start_member(self, i, config));
	for (i = 0; i < CLIENTS; i++) {
		fds[i] = start_client(self, padding);
		ASSERT_LE(0, fds[i]);
	}
	for (i = 0; i < CLIENTS; i++) {
		int member = accepted_by(self);

		ASSERT_TRUE(member >= 0 && member < MEMBERS) {
			TH_LOG("client %d of %d was not accepted", i, CLIENTS);
		}
		counts[member]++;
	}
	for (i = 0; i < CLIENTS; i++)
		close(fds[i]);
	/* 16 are expected; that one gets none at all happens once in 10^8 runs. */
	for (i = 0; i < MEMBERS; i++) {
		EXPECT_LT(0, counts[i]) {
			TH_LOG("member %d of %d has got no client", i, MEMBERS);
		}
	}
}

QUIC_TEST_F(group, clients_are_shared_out_among_processes)
{
	share_out(_metadata, self, NULL, 0);
}

/* All Initial packets of a client must reach the same member. */
QUIC_TEST_F(group, client_hellos_of_several_packets_stay_together)
{
	share_out(_metadata, self, NULL, 2500);
}

/* The token of a Retry comes back with another connection id, perhaps to another member. */
QUIC_TEST_F(group, a_retry_is_good_for_all_members)
{
	struct quic_config config = { .validate_peer_address = 1 };

	share_out(_metadata, self, &config, 0);
	EXPECT_LE(CLIENTS, qk_snmp("QuicRetryOut"));
}

QUIC_TEST_F(group, a_member_that_goes_leaves_its_clients_to_the_others)
{
	int one = group_listener(variant->family, 8, NULL), two, fd;
	struct pollfd p;

	ASSERT_LE(0, one);
	fd = start_client(self, 0);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, qk_wait(one, POLLIN));
	/* The successor comes before the predecessor goes. */
	two = group_listener(variant->family, 8, NULL);
	ASSERT_LE(0, two);
	p = (struct pollfd){ .fd = two, .events = POLLIN };
	EXPECT_EQ(0, poll(&p, 1, 0));
	close(one);
	/* At once, not when the client tries again. */
	EXPECT_EQ(1, poll(&p, 1, 0));
	self->p.listener = two;
	self->p.client = fd;
	self->p.server = accept(two, NULL, NULL);
	ASSERT_LE(0, self->p.server);
	EXPECT_LE(0, qk_wait(self->p.server, POLLIN));
}

/* A server that restarts: its listener goes first, its successor comes later. */
QUIC_TEST_F(group, a_client_waits_for_the_next_listener)
{
	struct quic_config config = { .validate_peer_address = 1 };
	int one = group_listener(variant->family, 8, &config), fd;

	ASSERT_LE(0, one);
	fd = start_client(self, 0);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, qk_wait(one, POLLIN));
	close(one);
	self->p.client = fd;
	/* The client's token is of the first listener's. */
	self->p.listener = group_listener(variant->family, 8, &config);
	ASSERT_LE(0, self->p.listener);
	self->p.server = qk_accept(self->p.listener);
	EXPECT_LE(0, self->p.server);
}

QUIC_TEST_F(group, established_connections_outlive_the_whole_group)
{
	struct qk_item it;
	char buf[8];

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	qk_close(&self->p.listener);
	self->p.listener = group_listener(variant->family, 8, NULL);
	ASSERT_LE(0, self->p.listener);
	ASSERT_EQ(5, qk_send(self->p.client, 0, MSG_QUIC_STREAM_NEW, "hello", 5, 0));
	ASSERT_EQ(5, qk_next(self->p.server, &it, buf, sizeof(buf)));
}

QUIC_TEST_F(group, another_user_does_not_join)
{
	int one, status = -1;
	pid_t pid;

	if (getuid())
		SKIP(return, "needs root to become another user");
	one = group_listener(variant->family, 8, NULL);
	ASSERT_LE(0, one);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (setuid(65534))
			_exit(2);
		_exit(group_listener(variant->family, 8, NULL) == -EADDRINUSE ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(one);
}

/*
 * Initial packets of clients that are not there, from as many ports: what a
 * flood looks like to the listener.
 */
static int flood(enum qk_family family, int count)
{
	__u8 packet[QK_INITIAL];
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, family, PORT);
	int i, fd = -1;

	for (i = 0; i < count; i++) {
		if (i % 8 == 0) {
			qk_close(&fd);
			fd = qk_udp(family);
			if (fd < 0)
				return -errno;
		}
		qk_unreadable(packet, i);
		if (sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&ss, len) < 0)
			return -errno;
	}
	qk_close(&fd);
	return 0;
}

QUIC_TEST_F(group, under_a_flood_a_client_proves_its_address_and_connects)
{
	__s64 retries = qk_snmp("QuicRetryOut");
	__u8 hello[1024];
	int accepted = 0;

	self->p.listener = group_listener(variant->family, 16, NULL);
	ASSERT_LE(0, self->p.listener);
	ASSERT_EQ(0, flood(variant->family, FLOOD));
	/* Half of the queue is theirs, the other half is kept for clients with a token. */
	EXPECT_LT(retries, qk_snmp("QuicRetryOut"));
	self->p.client = start_client(self, 0);
	ASSERT_LE(0, self->p.client);
	while (self->p.server < 0) {
		struct sockaddr_storage peer = { };
		socklen_t len = sizeof(peer);
		int fd;

		ASSERT_LE(0, qk_wait(self->p.listener, POLLIN)) {
			TH_LOG("the client is not among the %d accepted", accepted);
		}
		fd = accept(self->p.listener, (struct sockaddr *)&peer, &len);
		ASSERT_LE(0, fd);
		accepted++;
		if (((struct sockaddr_in *)&peer)->sin_port == htons(qk_port(self->p.client)))
			self->p.server = fd;
		else
			close(fd);
	}
	EXPECT_GE(16, accepted);
	ASSERT_LE(self->hello_len, sizeof(hello));
	ASSERT_EQ(0, qk_hs_recv(self->p.server, QUIC_CRYPTO_INITIAL, hello, self->hello_len));
	ASSERT_EQ(0, qk_hs_finish(&self->p, 0));
}

TEST_HARNESS_MAIN
