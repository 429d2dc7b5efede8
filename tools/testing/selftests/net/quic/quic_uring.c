// SPDX-License-Identifier: GPL-2.0
/* Requests of io_uring on QUIC sockets: each does what the call of its name does, none is lost. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <linux/sockios.h>
#include <io_uring/mini_liburing.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define NEW	MSG_QUIC_STREAM_NEW
#define FIN	MSG_QUIC_STREAM_FIN

#define GROUP	1	/* of provided buffers */
#define BUFFERS	4
#define SIZE	4096

FIXTURE(uring) {
	struct io_uring ring;
	struct qk_opts opts;
	struct qk_pair p;
};

FIXTURE_VARIANT(uring) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(uring, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(uring, v6) { QK_V6 };

FIXTURE_SETUP(uring)
{
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ret = io_uring_queue_init(8, &self->ring, 0);
	if (ret)
		SKIP(return, "no io_uring here: %s", strerror(errno));
	self->opts = (struct qk_opts){ .family = variant->family, .type = SOCK_STREAM };
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
}

FIXTURE_TEARDOWN(uring)
{
	io_uring_queue_exit(&self->ring);
	qk_pair_close(&self->p);
}

/* The ring has room for what these tests ask. */
static struct io_uring_sqe *entry(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		abort();
	return sqe;
}

/* A request for @fd, named by @tag; the fields that all kinds share. */
static struct io_uring_sqe *request(struct io_uring *ring, int op, int fd, const void *addr,
				    unsigned int len, __u64 tag)
{
	struct io_uring_sqe *sqe = entry(ring);

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = op;
	sqe->fd = fd;
	sqe->addr = (unsigned long)addr;
	sqe->len = len;
	sqe->user_data = tag;
	return sqe;
}

/* Wait for the next completion, which is that of @tag; its result, its flags in @flags. */
static int completion(struct io_uring *ring, __u64 tag, __u32 *flags)
{
	struct io_uring_cqe *cqe;
	int ret = qk_wait(ring->ring_fd, POLLIN);

	if (ret < 0)
		return ret;
	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret)
		return ret;
	ret = cqe->user_data == tag ? cqe->res : -EBADMSG;
	if (flags)
		*flags = cqe->flags;
	io_uring_cqe_seen(ring);
	return ret;
}

static bool pending(struct io_uring *ring)
{
	struct pollfd p = { .fd = ring->ring_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* Submit what is prepared and wait for it. */
static int done(struct io_uring *ring, __u64 tag)
{
	int ret = io_uring_submit(ring);

	return ret < 0 ? ret : completion(ring, tag, NULL);
}

QUIC_TEST_F(uring, a_message_goes_out_and_another_is_waited_for)
{
	char control[CMSG_SPACE(sizeof(struct quic_stream_info))] = { };
	struct quic_stream_info info = { };
	char buf[64];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	request(&self->ring, IORING_OP_RECVMSG, self->p.server, &msg, 1, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(true, pending(&self->ring));
	ASSERT_EQ(5, qk_send(self->p.client, QK_CLIENT_UNI(0), NEW | FIN, "hello", 5, 0));
	ASSERT_EQ(5, completion(&self->ring, 1, NULL));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
	ASSERT_EQ(CMSG_SPACE(sizeof(info)), msg.msg_controllen);
	memcpy(&info, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(info));
	EXPECT_EQ(QK_CLIENT_UNI(0), info.stream_id);
	EXPECT_EQ(FIN, info.stream_flags & FIN);
}

QUIC_TEST_F(uring, a_control_message_chooses_the_stream)
{
	char control[CMSG_SPACE(sizeof(struct quic_stream_info))] = { };
	struct quic_stream_info info = { QK_SERVER_BIDI(0), NEW | FIN };
	struct iovec iov = { .iov_base = (void *)"answer", .iov_len = 6 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct qk_item it;
	char buf[64];

	qk_cmsg(&msg, QUIC_STREAM_INFO, &info, sizeof(info));
	request(&self->ring, IORING_OP_SENDMSG, self->p.server, &msg, 1, 1);
	ASSERT_EQ(6, done(&self->ring, 1));
	ASSERT_EQ(6, qk_next(self->p.client, &it, buf, sizeof(buf)));
	EXPECT_EQ(QK_SERVER_BIDI(0), it.stream_id);
	EXPECT_EQ(FIN, it.stream_flags & FIN);
}

/* Larger than the window: the request ends when the reader has made room for its last byte. */
QUIC_TEST_F(uring, a_send_waits_for_room)
{
	static __u8 out[1u << 20], in[1u << 16], want[1u << 16];
	size_t got = 0;
	__s64 id = -1;

	ASSERT_EQ(0, qk_open(self->p.client, &id, 0));
	qk_pattern(out, sizeof(out), 7, 0);
	request(&self->ring, IORING_OP_SEND, self->p.client, out, sizeof(out), 1)->msg_flags =
		MSG_WAITALL;
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	while (got < sizeof(out)) {
		struct qk_item it;
		ssize_t n = qk_next(self->p.server, &it, in, sizeof(in));

		ASSERT_LT(0, n);
		qk_pattern(want, n, 7, got);
		ASSERT_EQ(0, memcmp(in, want, n));
		got += n;
	}
	EXPECT_EQ((int)sizeof(out), completion(&self->ring, 1, NULL));
}

QUIC_TEST_F(uring, a_connection_is_accepted_when_it_comes)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	struct qk_pair other = { -1, -1, -1 };
	int fd, value;

	request(&self->ring, IORING_OP_ACCEPT, self->p.listener, &peer, 0, 1)->addr2 =
		(unsigned long)&len;
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(true, pending(&self->ring));
	other.client = qk_connect(&self->opts, qk_port(self->p.listener));
	ASSERT_LE(0, other.client);
	ASSERT_LT(0, qk_hs_send(other.client, QUIC_CRYPTO_INITIAL, "hello", 5, 0));
	fd = completion(&self->ring, 1, NULL);
	ASSERT_LE(0, fd);
	value = qk_get_int(fd, SOL_SOCKET, SO_PROTOCOL);
	EXPECT_EQ(IPPROTO_QUIC, value);
	EXPECT_LT(0, len);
	close(fd);
	qk_close(&other.client);
}

QUIC_TEST_F(uring, a_socket_is_made_connected_and_closed)
{
	struct sockaddr_storage to;
	socklen_t len = qk_loopback(&to, variant->family, qk_port(self->p.listener));
	struct io_uring_sqe *sqe;
	int fd;

	sqe = request(&self->ring, IORING_OP_SOCKET, variant->family == QK_V4 ? AF_INET : AF_INET6,
		      NULL, IPPROTO_QUIC, 1);
	sqe->off = SOCK_STREAM;
	fd = done(&self->ring, 1);
	ASSERT_LE(0, fd);
	request(&self->ring, IORING_OP_CONNECT, fd, &to, 0, 2)->off = len;
	EXPECT_EQ(0, done(&self->ring, 2));
	request(&self->ring, IORING_OP_CLOSE, fd, NULL, 0, 3);
	EXPECT_EQ(0, done(&self->ring, 3));
}

QUIC_TEST_F(uring, a_request_is_cancelled_and_the_socket_goes_on)
{
	char buf[8];
	struct qk_item it;

	request(&self->ring, IORING_OP_RECV, self->p.server, buf, sizeof(buf), 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(true, pending(&self->ring));
	request(&self->ring, IORING_OP_ASYNC_CANCEL, -1, (void *)1, 0, 2);
	EXPECT_EQ(0, done(&self->ring, 2));
	EXPECT_EQ(-ECANCELED, completion(&self->ring, 1, NULL));
	ASSERT_EQ(3, qk_send(self->p.client, QK_CLIENT_BIDI(0), NEW, "one", 3, 0));
	EXPECT_EQ(3, qk_next(self->p.server, &it, buf, sizeof(buf)));
}

QUIC_TEST_F(uring, a_waiting_request_learns_that_the_peer_closed)
{
	char buf[8];

	request(&self->ring, IORING_OP_RECV, self->p.client, buf, sizeof(buf), 1);
	request(&self->ring, IORING_OP_POLL_ADD, self->p.client, NULL, 0, 2)->poll32_events =
		POLLRDHUP;
	ASSERT_EQ(2, io_uring_submit(&self->ring));
	EXPECT_EQ(true, pending(&self->ring));
	request(&self->ring, IORING_OP_SHUTDOWN, self->p.server, NULL, SHUT_RDWR, 3);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	for (int i = 0, seen = 0; i < 3; i++) {
		struct io_uring_cqe *cqe;

		ASSERT_LT(0, qk_wait(self->ring.ring_fd, POLLIN));
		ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
		seen |= 1 << cqe->user_data;
		EXPECT_EQ(cqe->user_data == 2, cqe->res > 0);
		io_uring_cqe_seen(&self->ring);
		EXPECT_EQ(i == 2, seen == 0xe);
	}
}

/* One request, one completion for each message, until the buffers are used up. */
QUIC_TEST_F(uring, one_request_receives_all_messages)
{
	static char buffers[BUFFERS][SIZE];
	struct io_uring_sqe *sqe;
	__u32 flags = 0;
	int i;

	sqe = request(&self->ring, IORING_OP_PROVIDE_BUFFERS, BUFFERS, buffers, SIZE, 1);
	sqe->buf_group = GROUP;
	ASSERT_EQ(0, done(&self->ring, 1));
	sqe = request(&self->ring, IORING_OP_RECV, self->p.server, NULL, 0, 2);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->ioprio = IORING_RECV_MULTISHOT;
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	for (i = 0; i < BUFFERS; i++) {
		char text[] = "message 0";

		text[8] += i;
		ASSERT_EQ(9, qk_send(self->p.client, QK_CLIENT_UNI(i), NEW | FIN, text, 9, 0));
		ASSERT_EQ(9, completion(&self->ring, 2, &flags));
		ASSERT_EQ(IORING_CQE_F_BUFFER, flags & IORING_CQE_F_BUFFER);
		ASSERT_GT(BUFFERS, flags >> IORING_CQE_BUFFER_SHIFT);
		EXPECT_EQ(0, memcmp(text, buffers[flags >> IORING_CQE_BUFFER_SHIFT], 9));
		EXPECT_EQ(IORING_CQE_F_MORE, flags & IORING_CQE_F_MORE);
	}
	ASSERT_EQ(1, qk_send(self->p.client, QK_CLIENT_UNI(i), NEW | FIN, "x", 1, 0));
	EXPECT_EQ(-ENOBUFS, completion(&self->ring, 2, &flags));
	EXPECT_EQ(0, flags & IORING_CQE_F_MORE);
}

QUIC_TEST_F(uring, options_and_queues_are_reached)
{
	__u8 event[2] = { QUIC_EVENT_STREAM_UPDATE, 1 };
	struct io_uring_sqe *sqe = entry(&self->ring);
	int bytes;

	io_uring_prep_cmd(sqe, SOCKET_URING_OP_SETSOCKOPT, self->p.server, SOL_QUIC,
			  QUIC_SOCKOPT_EVENT, event, sizeof(event));
	sqe->user_data = 1;
	EXPECT_EQ(0, done(&self->ring, 1));
	ASSERT_EQ(16, qk_send(self->p.client, QK_CLIENT_BIDI(0), NEW, "sixteen bytes ..", 16, 0));
	ASSERT_LT(0, qk_wait(self->p.server, POLLIN));
	bytes = qk_queued(self->p.server, SIOCINQ);
	ASSERT_LE(0, bytes);
	sqe = request(&self->ring, IORING_OP_URING_CMD, self->p.server, NULL, 0, 2);
	sqe->cmd_op = SOCKET_URING_OP_SIOCINQ;
	EXPECT_EQ(bytes, done(&self->ring, 2));
}

/* There is no zero copy: a program that asks for it is told so and can do without. */
QUIC_TEST_F(uring, zero_copy_is_refused)
{
	struct io_uring_sqe *sqe = entry(&self->ring);

	io_uring_prep_sendzc(sqe, self->p.client, "bytes", 5, 0, 0);
	sqe->user_data = 1;
	EXPECT_EQ(-EOPNOTSUPP, done(&self->ring, 1));
}

/* A request on @fd that never ends, then a byte to @ready. */
static void wait_for_ever(int fd, int ready)
{
	struct io_uring ring;
	char buf[8];

	if (io_uring_queue_init(8, &ring, 0))
		_exit(1);
	request(&ring, IORING_OP_RECV, fd, buf, sizeof(buf), 1);
	if (io_uring_submit(&ring) != 1 || write(ready, "", 1) != 1)
		_exit(1);
	pause();
	_exit(1);
}

/* A request holds its socket after the last close(), and goes with its ring. */
QUIC_TEST_F(uring, a_killed_process_lets_go_of_its_sockets)
{
	long before = qk_protocol(variant->family == QK_V4 ? "QUIC" : "QUICv6", 2);
	int ready[2];
	pid_t child;
	char byte;

	ASSERT_LT(0, before);
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0)
		wait_for_ever(self->p.server, ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	qk_close(&self->p.server);
	EXPECT_EQ(true, qk_quiet(self->p.client));
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_LT(0, qk_wait(self->p.client, POLLRDHUP | POLLHUP));
	EXPECT_EQ(true, qk_sockets_go(variant->family, before - 1));
	close(ready[0]);
	close(ready[1]);
}

TEST_HARNESS_MAIN
