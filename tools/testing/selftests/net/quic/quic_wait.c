// SPDX-License-Identifier: GPL-2.0
/* Blocking calls: signals, several threads and processes on one socket. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

FIXTURE(waiting) {
	struct qk_pair p;
};

static const struct quic_transport_param few = {
	.max_streams_bidi = 2,
	.max_data = 5000,
};

FIXTURE_SETUP(waiting)
{
	struct qk_opts opts = { .server_param = &few };
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
}

FIXTURE_TEARDOWN(waiting)
{
	qk_pair_close(&self->p);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal again and again, so that it comes however late the call is made. */
static int ring(bool on)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { };

	if (on) {
		timer.it_value.tv_usec = 20000;
		timer.it_interval.tv_usec = 20000;
	}
	return sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &timer, NULL);
}

QUIC_TEST_F(waiting, a_signal_ends_every_wait)
{
	static char buf[8192];
	__s64 start = qk_now_ms();
	struct qk_item it;
	size_t total = 0;
	__s64 id = 8;
	char c;

	ASSERT_EQ(5000, qk_send(self->p.client, 0, NEW, buf, sizeof(buf), MSG_DONTWAIT));
	ASSERT_EQ(0, ring(true));
	EXPECT_EQ(-1, recv(self->p.client, &c, 1, 0));
	EXPECT_EQ(EINTR, errno);
	EXPECT_EQ(-1, accept(self->p.listener, NULL, NULL));
	EXPECT_EQ(EINTR, errno);
	EXPECT_EQ(-EINTR, qk_send(self->p.client, 0, 0, buf, 1, 0));
	EXPECT_EQ(-EINTR, qk_open(self->p.client, &id, 0));
	ASSERT_EQ(0, ring(false));
	EXPECT_LT(qk_now_ms() - start, qk_wait_ms());
	/* The connection is as it was. */
	while (total < 5000) {
		ssize_t ret = qk_next(self->p.server, &it, buf, sizeof(buf));

		ASSERT_LT(0, ret);
		total += ret;
	}
	EXPECT_EQ(1, qk_send(self->p.client, 0, 0, buf, 1, 0));
}

static int sender = -1;

/* Lets the call that it interrupts come to its end. */
static void on_alarm_send(int sig)
{
	(void)sig;
	qk_send(sender, 0, NEW, "x", 1, MSG_DONTWAIT);
}

QUIC_TEST_F(waiting, a_call_goes_on_after_a_signal_if_it_is_told_to)
{
	struct sigaction action = { .sa_handler = on_alarm_send, .sa_flags = SA_RESTART };
	struct itimerval timer = { .it_value.tv_usec = 20000 };
	char c = 0;

	sender = self->p.client;
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &timer, NULL));
	EXPECT_EQ(1, recv(self->p.server, &c, 1, 0));
	EXPECT_EQ('x', c);
}

struct reader {
	int fd;
	size_t total;
	int err;
};

static void *read_until_closed(void *arg)
{
	struct reader *r = arg;
	char buf[1000];
	ssize_t ret;

	do {
		ret = recv(r->fd, buf, sizeof(buf), 0);
		if (ret > 0)
			r->total += ret;
	} while (ret >= 0);
	r->err = errno;
	return NULL;
}

static void *write_stream(void *arg)
{
	struct qk_flow *f = arg;
	static const char buf[3000];
	ssize_t ret;

	while (f->sent < f->size) {
		size_t left = f->size - f->sent;
		size_t n = left < sizeof(buf) ? left : sizeof(buf);

		ret = qk_send(f->from, f->id, f->sent ? 0 : NEW, buf, n, 0);
		if (ret < 0)
			break;
		f->sent += ret;
	}
	return NULL;
}

#define THREADS	2

QUIC_TEST_F(waiting, threads_share_a_socket)
{
	struct qk_flow flows[THREADS] = { };
	struct reader readers[THREADS] = { };
	pthread_t writing[THREADS], reading[THREADS];
	__s64 start = qk_now_ms();
	size_t i, sum = 0;

	for (i = 0; i < THREADS; i++) {
		readers[i].fd = self->p.server;
		flows[i] = (struct qk_flow){
			.from = self->p.client, .id = QK_CLIENT_BIDI(i), .size = 50000,
		};
		ASSERT_EQ(0, pthread_create(&reading[i], NULL, read_until_closed, &readers[i]));
		ASSERT_EQ(0, pthread_create(&writing[i], NULL, write_stream, &flows[i]));
	}
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(writing[i], NULL));
		EXPECT_EQ(50000, flows[i].sent);
	}
	/* Everything is acknowledged before the close, which loses nothing then. */
	while (qk_now_ms() - start < qk_wait_ms()) {
		int left = 0;

		if (ioctl(self->p.client, TIOCOUTQ, &left) || !left)
			break;
		poll(NULL, 0, 5);
	}
	qk_close(&self->p.client);
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(reading[i], NULL));
		EXPECT_EQ(ENOTCONN, readers[i].err);
		sum += readers[i].total;
	}
	EXPECT_EQ(THREADS * 50000, sum);
}

QUIC_TEST_F(waiting, many_processes_wait_and_one_accepts)
{
	struct qk_opts opts = { };
	__u8 hello[1024];
	pid_t children[4];
	int i, status, ended = 0;
	size_t len;

	for (i = 0; i < 4; i++) {
		children[i] = fork();
		ASSERT_LE(0, children[i]);
		if (children[i] == 0) {
			alarm(qk_wait_ms() / 1000 * 4);
			_exit(accept(self->p.listener, NULL, NULL) >= 0 ? 7 : 1);
		}
	}
	for (i = 0; i < 4; i++) {
		int client = qk_connect(&opts, qk_port(self->p.listener));
		pid_t pid;

		ASSERT_LE(0, client);
		len = qk_client_hello(client, NULL, hello, sizeof(hello));
		ASSERT_EQ((ssize_t)len, qk_hs_send(client, QUIC_CRYPTO_INITIAL, hello, len, 0));
		pid = waitpid(-1, &status, 0);
		EXPECT_LT(0, pid);
		EXPECT_EQ(7, WEXITSTATUS(status));
		ended += WIFEXITED(status);
		qk_close(&client);
	}
	EXPECT_EQ(4, ended);
}

QUIC_TEST_F(waiting, a_descriptor_closed_elsewhere_does_not_end_the_connection)
{
	struct qk_item it;
	char buf[8];
	int copy = dup(self->p.client);

	ASSERT_LE(0, copy);
	close(copy);
	ASSERT_EQ(2, qk_send(self->p.client, 0, NEW, "hi", 2, 0));
	EXPECT_EQ(2, qk_next(self->p.server, &it, buf, sizeof(buf)));
}

TEST_HARNESS_MAIN
