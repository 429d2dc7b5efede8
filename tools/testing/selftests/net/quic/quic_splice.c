// SPDX-License-Identifier: GPL-2.0
/* Files and pipes into a connection and out of it: sendfile(2), splice(2), tee(2), vmsplice(2). */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define PIECE	65536
#define SEED	11

FIXTURE(splice) {
	struct qk_pair p;
	int file;
	int pipe[2];
};

FIXTURE_VARIANT(splice) {
	enum qk_family family;
	int type;
};

FIXTURE_VARIANT_ADD(splice, v4_stream) { QK_V4, SOCK_STREAM };
FIXTURE_VARIANT_ADD(splice, v6_dgram) { QK_V6, SOCK_DGRAM };

FIXTURE_SETUP(splice)
{
	struct qk_opts opts = { .family = variant->family, .type = variant->type };
	__s64 id = -1;
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
	ASSERT_EQ(0, qk_open(self->p.client, &id, 0));
	self->file = memfd_create("pattern", MFD_CLOEXEC);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
}

FIXTURE_TEARDOWN(splice)
{
	qk_pair_close(&self->p);
	close(self->file);
	close(self->pipe[0]);
	close(self->pipe[1]);
}

/* Write the pattern's bytes [@from, @to) to @fd, which takes all of them. */
static int fill(int fd, size_t from, size_t to, __u64 seed)
{
	static __u8 buf[PIECE];

	while (from < to) {
		size_t n = to - from < PIECE ? to - from : PIECE;

		qk_pattern(buf, n, seed, from);
		if (write(fd, buf, n) != (ssize_t)n)
			return -EIO;
		from += n;
	}
	return 0;
}

/* Read @size bytes from @fd and compare them with the pattern. */
static int check(int fd, size_t size, __u64 seed)
{
	static __u8 got[PIECE], want[PIECE];
	size_t done = 0;

	while (done < size) {
		size_t left = size - done;
		ssize_t n;
		int ret = qk_wait(fd, POLLIN);

		if (ret < 0)
			return ret;
		n = read(fd, got, left < PIECE ? left : PIECE);
		if (n <= 0)
			return n ? -errno : -EPIPE;
		qk_pattern(want, n, seed, done);
		if (memcmp(got, want, n))
			return -EILSEQ;
		done += n;
	}
	return 0;
}

/* What a child does beside the receiver; the result is its exit status. */
static pid_t beside(int (*work)(int from, int to, size_t size), int from, int to, size_t size)
{
	pid_t child = fork();

	if (child == 0)
		_exit(work(from, to, size) ? 1 : 0);
	return child;
}

static int ended_well(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child)
		return -ECHILD;
	return status ? -EIO : 0;
}

static int send_file(int from, int to, size_t size)
{
	off_t at = 0;

	while ((size_t)at < size) {
		if (sendfile(to, from, &at, size - at) <= 0)
			return -errno;
	}
	return 0;
}

/* Larger than all windows, so that the sender has to wait; not a whole number of pages. */
TEST_F_TIMEOUT(splice, a_file_arrives_whole, 4 * qk_test_seconds())
{
	const size_t size = (4u << 20) + 123;
	pid_t child;

	ASSERT_EQ(0, fill(self->file, 0, size, SEED));
	child = beside(send_file, self->file, self->p.client, size);
	EXPECT_EQ(0, check(self->p.server, size, SEED));
	EXPECT_EQ(0, ended_well(child));
}

QUIC_TEST_F(splice, a_part_of_a_file_arrives_by_table)
{
	static const struct {
		off_t at;
		size_t len;
	} rows[] = {
		{ 0, 1 }, { 4095, 2 }, { 1, 4095 }, { 4096, 4096 }, { 777, 20000 }, { 65535, 1 },
	};
	static __u8 got[PIECE], want[PIECE];
	size_t i;

	ASSERT_EQ(0, fill(self->file, 0, PIECE, SEED));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		off_t at = rows[i].at;
		size_t done = 0;

		ASSERT_EQ(rows[i].len, sendfile(self->p.client, self->file, &at, rows[i].len));
		EXPECT_EQ(rows[i].at + (off_t)rows[i].len, at);
		while (done < rows[i].len) {
			ssize_t n = read(self->p.server, got + done, rows[i].len - done);

			ASSERT_LT(0, n);
			done += n;
		}
		qk_pattern(want, done, SEED, rows[i].at);
		EXPECT_EQ(0, memcmp(got, want, done));
		EXPECT_EQ(true, qk_quiet(self->p.server));
	}
}

/* The pages are copied: what is written afterwards is not seen, not even by what is sent again. */
QUIC_TEST_F(splice, a_file_that_changes_after_the_call_arrives_as_it_was)
{
	off_t at = 0;

	ASSERT_EQ(0, fill(self->file, 0, PIECE / 2, SEED));
	ASSERT_EQ(PIECE / 2, sendfile(self->p.client, self->file, &at, PIECE / 2));
	ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
	ASSERT_EQ(0, fill(self->file, 0, PIECE / 2, SEED + 1));
	EXPECT_EQ(0, check(self->p.server, PIECE / 2, SEED));
}

QUIC_TEST_F(splice, a_sender_that_must_not_wait_is_told_so)
{
	const size_t size = 64u << 20;
	off_t at = 0;
	ssize_t n;

	ASSERT_EQ(0, ftruncate(self->file, size));
	ASSERT_EQ(0, fcntl(self->p.client, F_SETFL, O_NONBLOCK));
	do {
		n = sendfile(self->p.client, self->file, &at, size - at);
	} while (n > 0);
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LT(0, at);
	EXPECT_GT((off_t)size, at);
}

static int pipe_to_socket(int from, int to, size_t size)
{
	while (size) {
		ssize_t n = splice(from, NULL, to, NULL, size, SPLICE_F_MORE);

		if (n <= 0)
			return n ? -errno : -EPIPE;
		size -= n;
	}
	return 0;
}

static int write_pattern(int from, int to, size_t size)
{
	(void)from;
	return fill(to, 0, size, SEED);
}

TEST_F_TIMEOUT(splice, a_pipe_empties_into_the_connection, 4 * qk_test_seconds())
{
	const size_t size = (1u << 20) + 77;
	pid_t writer = beside(write_pattern, -1, self->pipe[1], size);
	pid_t mover = beside(pipe_to_socket, self->pipe[0], self->p.client, size);

	EXPECT_EQ(0, check(self->p.server, size, SEED));
	EXPECT_EQ(0, ended_well(writer));
	EXPECT_EQ(0, ended_well(mover));
}

TEST_F_TIMEOUT(splice, the_connection_empties_into_a_pipe, 4 * qk_test_seconds())
{
	const size_t size = (1u << 20) + 77;
	pid_t writer = beside(write_pattern, -1, self->p.client, size);
	pid_t mover = beside(pipe_to_socket, self->p.server, self->pipe[1], size);

	EXPECT_EQ(0, check(self->pipe[0], size, SEED));
	EXPECT_EQ(0, ended_well(writer));
	EXPECT_EQ(0, ended_well(mover));
}

QUIC_TEST_F(splice, a_splice_that_must_not_wait_finds_nothing)
{
	/* SPLICE_F_NONBLOCK is about the pipe. */
	ASSERT_EQ(0, fcntl(self->p.server, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, splice(self->p.server, NULL, self->pipe[1], NULL, PIECE, 0));
	EXPECT_EQ(EAGAIN, errno);
}

/* tee() leaves the bytes in the first pipe: the pages have two users, and both connections copy. */
QUIC_TEST_F(splice, what_a_tee_doubled_arrives_twice)
{
	const size_t size = 3 * 4096 + 5;
	int second[2];

	ASSERT_EQ(0, pipe2(second, O_CLOEXEC));
	ASSERT_EQ(0, fill(self->pipe[1], 0, size, SEED));
	ASSERT_EQ(size, tee(self->pipe[0], second[1], size, 0));
	EXPECT_EQ(0, pipe_to_socket(self->pipe[0], self->p.client, size));
	EXPECT_EQ(0, check(self->p.server, size, SEED));
	EXPECT_EQ(0, pipe_to_socket(second[0], self->p.client, size));
	EXPECT_EQ(0, check(self->p.server, size, SEED));
	close(second[0]);
	close(second[1]);
}

QUIC_TEST_F(splice, pages_given_to_a_pipe_arrive)
{
	const size_t size = 8 * 4096;
	__u8 *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { .iov_base = pages, .iov_len = size };

	ASSERT_NE(MAP_FAILED, pages);
	qk_pattern(pages, size, SEED, 0);
	ASSERT_EQ(size, vmsplice(self->pipe[1], &iov, 1, SPLICE_F_GIFT));
	EXPECT_EQ(0, pipe_to_socket(self->pipe[0], self->p.client, size));
	memset(pages, 0, size);
	EXPECT_EQ(0, check(self->p.server, size, SEED));
	EXPECT_EQ(0, munmap(pages, size));
}

QUIC_TEST_F(splice, a_closed_connection_takes_no_file)
{
	off_t at = 0;

	ASSERT_NE(SIG_ERR, signal(SIGPIPE, SIG_IGN));
	ASSERT_EQ(0, fill(self->file, 0, PIECE, SEED));
	qk_close(&self->p.server);
	ASSERT_LT(0, qk_wait(self->p.client, POLLRDHUP | POLLHUP));
	EXPECT_EQ(-1, sendfile(self->p.client, self->file, &at, PIECE));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(0, at);
}

TEST_HARNESS_MAIN
