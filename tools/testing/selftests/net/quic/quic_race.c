// SPDX-License-Identifier: GPL-2.0
/*
 * Several threads on one socket: what is asleep is woken with the right error,
 * and whatever the order of the calls, nothing hangs and nothing is left.
 *
 * QUIC_RANDOM_SEED and QUIC_RACE_ROUNDS set the order's seed and the rounds.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN
#define THREADS	4

FIXTURE(race) {
	struct qk_pair p;
	struct qk_opts opts;
	unsigned int seed;
	int rounds;
};

static int setting(const char *name, int otherwise)
{
	const char *text = getenv(name);

	return text && atoi(text) > 0 ? atoi(text) : otherwise;
}

FIXTURE_SETUP(race)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->seed = setting("QUIC_RANDOM_SEED", 20261126);
	self->rounds = setting("QUIC_RACE_ROUNDS", 10);
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(race)
{
	qk_pair_close(&self->p);
}

/* One call that sleeps, made in a thread. */
struct sleeper {
	int fd;
	int err;
	bool accepts;
};

static void *sleep_in_call(void *arg)
{
	struct sleeper *s = arg;
	char c;
	int ret;

	do {
		ret = s->accepts ? accept(s->fd, NULL, NULL) : recv(s->fd, &c, 1, 0);
	} while (ret > 0);
	s->err = ret < 0 ? errno : 0;
	return NULL;
}

QUIC_TEST_F(race, shutdown_wakes_every_reader)
{
	static const int hows[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
	struct sleeper s[THREADS];
	pthread_t threads[THREADS];
	int round, i;

	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
		for (i = 0; i < THREADS; i++) {
			s[i] = (struct sleeper){ .fd = self->p.server };
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, sleep_in_call, &s[i]));
		}
		ASSERT_EQ(0, shutdown(self->p.server, hows[round]));
		for (i = 0; i < THREADS; i++) {
			ASSERT_EQ(0, pthread_join(threads[i], NULL));
			EXPECT_EQ(ENOTCONN, s[i].err);
		}
		qk_pair_close(&self->p);
	}
}

QUIC_TEST_F(race, a_listener_that_stops_wakes_every_accept)
{
	struct sleeper s[THREADS];
	pthread_t threads[THREADS];
	int round, i;

	for (round = 0; round < 2; round++) {
		self->p.listener = qk_listen(&self->opts);
		ASSERT_LE(0, self->p.listener);
		for (i = 0; i < THREADS; i++) {
			s[i] = (struct sleeper){ .fd = self->p.listener, .accepts = true };
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, sleep_in_call, &s[i]));
		}
		ASSERT_EQ(0, round ? shutdown(self->p.listener, SHUT_RDWR) :
				     listen(self->p.listener, 0));
		for (i = 0; i < THREADS; i++) {
			ASSERT_EQ(0, pthread_join(threads[i], NULL));
			EXPECT_EQ(EINVAL, s[i].err);
		}
		qk_pair_close(&self->p);
	}
}

QUIC_TEST_F(race, a_process_is_killed_in_the_middle_of_a_call)
{
	static const struct quic_transport_param param = { .max_data = 5000 };
	static char buf[8192];
	int i, status;
	pid_t child;
	char c;

	self->opts.server_param = &param;
	for (i = 0; i < 4; i++) {
		child = fork();
		ASSERT_LE(0, child);
		if (child == 0) {
			if (qk_pair_open(&self->p, &self->opts) ||
			    qk_send(self->p.client, 0, NEW, buf, sizeof(buf), MSG_DONTWAIT) != 5000)
				_exit(1);
			/* Ends when the call below sleeps, whenever that is. */
			if (fork() == 0) {
				kill(getppid(), SIGKILL);
				_exit(0);
			}
			if (i == 0)
				recv(self->p.client, &c, 1, 0);
			else if (i == 1)
				qk_send(self->p.client, 0, 0, buf, 1, 0);
			else
				accept(self->p.listener, NULL, NULL);
			_exit(1);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
}

/* Threads that call whatever comes, on the same three sockets, until the end. */
struct storm {
	struct qk_pair *p;
	unsigned int seed;
	int calls;
	int strange;	/* an errno that no call may give */
};

static void note(struct storm *s, long ret)
{
	if (ret < 0 && (errno <= 0 || errno >= 134))
		s->strange = errno;
}

static void migrate(struct storm *s, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, QK_V4, 20000 + rand_r(&s->seed) % 200);

	note(s, setsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_CONNECTION_MIGRATION, &ss, len));
}

static void one_call(struct storm *s)
{
	struct quic_connection_id_info ids = { .dest = rand_r(&s->seed) % 2, .prior_to = 2 };
	struct quic_errinfo err = { .stream_id = rand_r(&s->seed) % 12, .errcode = 1 };
	int fd = rand_r(&s->seed) % 2 ? s->p->client : s->p->server;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT };
	struct qk_item it;
	char buf[6000];
	int copy;

	switch (rand_r(&s->seed) % 12) {
	case 0 ... 3:
		memset(buf, 0x5a, sizeof(buf));
		qk_send(fd, rand_r(&s->seed) % 12, rand_r(&s->seed) % 2 ? NEW : 0, buf,
			rand_r(&s->seed) % sizeof(buf), MSG_DONTWAIT);
		break;
	case 4 ... 6:
		qk_recv(fd, &it, buf, rand_r(&s->seed) % sizeof(buf), MSG_DONTWAIT);
		break;
	case 7:
		migrate(s, s->p->client);
		break;
	case 8:
		note(s, setsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_KEY_UPDATE, NULL, 0));
		note(s, setsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_CONNECTION_ID, &ids, sizeof(ids)));
		break;
	case 9:
		note(s, setsockopt(fd, SOL_QUIC, rand_r(&s->seed) % 2 ?
				   QUIC_SOCKOPT_STREAM_RESET : QUIC_SOCKOPT_STREAM_STOP_SENDING,
				   &err, sizeof(err)));
		break;
	case 10:
		copy = dup(fd);
		note(s, copy);
		note(s, poll(&poll_fd, 1, 0));
		close(copy);
		break;
	default:
		copy = accept4(s->p->listener, NULL, NULL, SOCK_NONBLOCK);
		note(s, copy);
		if (copy >= 0)
			close(copy);
	}
}

static void *storm(void *arg)
{
	struct storm *s = arg;
	int i;

	for (i = 0; i < s->calls; i++)
		one_call(s);
	return NULL;
}

/* How the sockets go while the threads are still at it. */
static void end_in_some_way(struct qk_pair *p, int round)
{
	switch (round % 5) {
	case 0:
		shutdown(p->server, SHUT_RDWR);
		break;
	case 1:
		shutdown(p->client, SHUT_RD);
		shutdown(p->listener, SHUT_RDWR);
		break;
	case 2:
		listen(p->listener, 0);
		shutdown(p->client, SHUT_WR);
		break;
	case 3:
		/* Closes the sockets under the feet of the threads: their calls hold them. */
		dup2(STDERR_FILENO, p->server);
		dup2(STDERR_FILENO, p->client);
		break;
	default:
		break;
	}
}

QUIC_TEST_F(race, any_calls_at_once_end_without_a_trace)
{
	pthread_t threads[THREADS];
	struct storm s[THREADS];
	__s64 start;
	int round, i;

	for (round = 0; round < self->rounds; round++) {
		ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts)) {
			TH_LOG("round %d of seed %u", round, self->seed);
		}
		fcntl(self->p.listener, F_SETFL, O_NONBLOCK);
		for (i = 0; i < THREADS; i++) {
			s[i] = (struct storm){ .p = &self->p, .calls = 150,
					       .seed = self->seed + round * THREADS + i };
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, storm, &s[i]));
		}
		end_in_some_way(&self->p, round);
		for (i = 0; i < THREADS; i++) {
			ASSERT_EQ(0, pthread_join(threads[i], NULL));
			EXPECT_EQ(0, s[i].strange);
		}
		qk_pair_close(&self->p);
	}
	start = qk_now_ms();
	while (qk_snmp("QuicConnCurrentEstabs") && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	EXPECT_EQ(0, qk_snmp("QuicConnCurrentEstabs"));
}

/* Threads that each try to make something of the same fresh socket. */
static void *become_something(void *arg)
{
	struct storm *s = arg;
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, QK_V4, qk_port(s->p->listener));
	int i;

	for (i = 0; i < 20; i++) {
		switch (rand_r(&s->seed) % 5) {
		case 0:
			note(s, connect(s->p->client, (struct sockaddr *)&ss, len));
			break;
		case 1:
			note(s, listen(s->p->client, rand_r(&s->seed) % 2));
			break;
		case 2:
			qk_bind_loopback(s->p->client, QK_V4);
			break;
		case 3:
			note(s, accept4(s->p->client, NULL, NULL, SOCK_NONBLOCK));
			break;
		default:
			note(s, shutdown(s->p->client, SHUT_RDWR));
		}
	}
	return NULL;
}

QUIC_TEST_F(race, one_socket_becomes_one_thing_only)
{
	pthread_t threads[THREADS];
	struct storm s[THREADS];
	int round, i;

	self->p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->p.listener);
	for (round = 0; round < self->rounds; round++) {
		self->p.client = qk_socket(QK_V4, SOCK_STREAM);
		ASSERT_LE(0, self->p.client);
		fcntl(self->p.client, F_SETFL, O_NONBLOCK);
		for (i = 0; i < THREADS; i++) {
			s[i] = (struct storm){ .p = &self->p,
					       .seed = self->seed + round * THREADS + i };
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, become_something, &s[i]));
		}
		for (i = 0; i < THREADS; i++) {
			ASSERT_EQ(0, pthread_join(threads[i], NULL));
			EXPECT_EQ(0, s[i].strange);
		}
		qk_close(&self->p.client);
	}
}

/* Hands a descriptor to whoever reads at the other end of @sock. */
static int pass(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { }, c = 0;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

QUIC_TEST_F(race, a_socket_on_its_way_to_another_process_is_alive_and_dies_with_the_way)
{
	__s64 start;
	int way[2];

	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, way));
	ASSERT_EQ(0, pass(way[0], self->p.server));
	ASSERT_EQ(0, pass(way[0], way[1]));
	qk_close(&self->p.server);
	ASSERT_EQ(2, qk_send(self->p.client, 0, NEW, "hi", 2, 0));
	/* Nobody took it: it goes when the pair, in flight in itself, is collected. */
	close(way[0]);
	close(way[1]);
	qk_close(&self->p.client);
	qk_close(&self->p.listener);
	start = qk_now_ms();
	while (qk_protocol("QUIC", 2) && qk_now_ms() - start < qk_wait_ms()) {
		/* The end of any other such socket starts the collection. */
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, way));
		close(way[0]);
		close(way[1]);
		poll(NULL, 0, 5);
	}
	EXPECT_EQ(0, qk_protocol("QUIC", 2));
}

TEST_HARNESS_MAIN
