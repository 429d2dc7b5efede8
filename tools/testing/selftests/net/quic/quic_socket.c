// SPDX-License-Identifier: GPL-2.0
/* Creation, bind and connect: which calls work in which state, and the errno. */
#include <fcntl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

FIXTURE(sock) {
	int fd;
	int other;
};

FIXTURE_VARIANT(sock) {
	enum qk_family family;
	int type;
};

FIXTURE_VARIANT_ADD(sock, v4_dgram) { QK_V4, SOCK_DGRAM };
FIXTURE_VARIANT_ADD(sock, v4_stream) { QK_V4, SOCK_STREAM };
FIXTURE_VARIANT_ADD(sock, v6_dgram) { QK_V6, SOCK_DGRAM };
FIXTURE_VARIANT_ADD(sock, v6_stream) { QK_V6, SOCK_STREAM };

FIXTURE_SETUP(sock)
{
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->other = -1;
	self->fd = qk_socket(variant->family, variant->type);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(sock)
{
	qk_close(&self->fd);
	qk_close(&self->other);
}

static int do_bind(int fd, enum qk_family family, __u16 port)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, family, port);

	return bind(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

static int do_connect(int fd, enum qk_family family, __u16 port)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, family, port);

	return connect(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

static int int_option(int fd, int opt)
{
	int val = -1;
	socklen_t len = sizeof(val);

	return getsockopt(fd, SOL_SOCKET, opt, &val, &len) ? -errno : val;
}

QUIC_TEST_F(sock, tells_what_it_is)
{
	EXPECT_EQ(IPPROTO_QUIC, int_option(self->fd, SO_PROTOCOL));
	EXPECT_EQ(variant->type, int_option(self->fd, SO_TYPE));
	EXPECT_EQ(variant->family == QK_V4 ? AF_INET : AF_INET6,
		  int_option(self->fd, SO_DOMAIN));
	EXPECT_EQ(0, int_option(self->fd, SO_ERROR));
}

QUIC_TEST_F(sock, takes_the_creation_flags)
{
	self->other = socket(int_option(self->fd, SO_DOMAIN),
			     variant->type | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_QUIC);
	ASSERT_LE(0, self->other);
	EXPECT_EQ(O_NONBLOCK, fcntl(self->other, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->other, F_GETFD));
}

QUIC_TEST_F(sock, seqpacket_is_no_type_of_it)
{
	EXPECT_EQ(-1, socket(int_option(self->fd, SO_DOMAIN), SOCK_SEQPACKET, IPPROTO_QUIC));
	EXPECT_TRUE(errno == ESOCKTNOSUPPORT || errno == EPROTONOSUPPORT) {
		TH_LOG("errno %d", errno);
	}
}

QUIC_TEST_F(sock, a_fresh_socket_has_no_connection)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char c = 0;

	EXPECT_EQ(-1, getpeername(self->fd, (struct sockaddr *)&ss, &len));
	EXPECT_EQ(ENOTCONN, errno);
	EXPECT_EQ(-1, recv(self->fd, &c, 1, MSG_DONTWAIT));
	EXPECT_EQ(ENOTCONN, errno);
	EXPECT_EQ(-1, send(self->fd, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(-1, accept(self->fd, NULL, NULL));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-EPIPE, qk_hs_send(self->fd, QUIC_CRYPTO_INITIAL, "x", 1, 0));
}

QUIC_TEST_F(sock, getsockname_of_a_fresh_socket_is_the_zero_address)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	ASSERT_EQ(0, getsockname(self->fd, (struct sockaddr *)&ss, &len));
	EXPECT_EQ(variant->family == QK_V4 ? AF_INET : AF_INET6, ss.ss_family);
	EXPECT_EQ(variant->family == QK_V4 ? sizeof(struct sockaddr_in) :
		  sizeof(struct sockaddr_in6), len);
	EXPECT_EQ(0, qk_port(self->fd));
}

QUIC_TEST_F(sock, bind_works_once)
{
	ASSERT_EQ(0, do_bind(self->fd, variant->family, 0));
	EXPECT_NE(0, qk_port(self->fd));
	EXPECT_EQ(-EINVAL, do_bind(self->fd, variant->family, 0));
	EXPECT_EQ(-EINVAL, do_bind(self->fd, variant->family, 4433));
}

QUIC_TEST_F(sock, bind_takes_the_port_asked_for)
{
	ASSERT_EQ(0, do_bind(self->fd, variant->family, 4433));
	EXPECT_EQ(4433, qk_port(self->fd));
}

QUIC_TEST_F(sock, quic_sockets_share_a_port)
{
	ASSERT_EQ(0, do_bind(self->fd, variant->family, 4433));
	self->other = qk_socket(variant->family, variant->type);
	ASSERT_LE(0, self->other);
	EXPECT_EQ(0, do_bind(self->other, variant->family, 4433));
}

QUIC_TEST_F(sock, a_port_of_a_udp_program_is_in_use)
{
	self->other = socket(int_option(self->fd, SO_DOMAIN), SOCK_DGRAM, IPPROTO_UDP);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, do_bind(self->other, variant->family, 4433));
	EXPECT_EQ(-EADDRINUSE, do_bind(self->fd, variant->family, 4433));
	/* The failure leaves the socket as it was. */
	EXPECT_EQ(0, do_bind(self->fd, variant->family, 4434));
}

QUIC_TEST_F(sock, a_port_is_free_again_after_close)
{
	int i;

	ASSERT_EQ(0, do_bind(self->fd, variant->family, 4433));
	qk_close(&self->fd);
	for (i = 0; i < 2; i++) {
		int ret;

		self->other = qk_socket(variant->family, variant->type);
		ASSERT_LE(0, self->other);
		/* EAGAIN: the shared UDP socket is still being torn down. */
		do {
			ret = do_bind(self->other, variant->family, 4433);
		} while (ret == -EAGAIN);
		EXPECT_EQ(0, ret);
		qk_close(&self->other);
	}
}

QUIC_TEST_F(sock, connect_works_once)
{
	ASSERT_EQ(0, do_connect(self->fd, variant->family, 4433));
	EXPECT_NE(0, qk_port(self->fd));
	EXPECT_EQ(-EINVAL, do_connect(self->fd, variant->family, 4433));
	EXPECT_EQ(-EINVAL, do_connect(self->fd, variant->family, 4434));
	EXPECT_EQ(-EINVAL, do_bind(self->fd, variant->family, 0));
	EXPECT_EQ(-1, listen(self->fd, 1));
	EXPECT_EQ(EINVAL, errno);
}

QUIC_TEST_F(sock, connect_sets_the_peer_address_and_keeps_the_local_one)
{
	struct sockaddr_storage want, ss;
	socklen_t len = sizeof(ss), want_len = qk_loopback(&want, variant->family, 4433);
	__u16 port;

	ASSERT_EQ(0, do_bind(self->fd, variant->family, 0));
	port = qk_port(self->fd);
	ASSERT_EQ(0, do_connect(self->fd, variant->family, 4433));
	EXPECT_EQ(port, qk_port(self->fd));
	memset(&ss, 0, sizeof(ss));
	ASSERT_EQ(0, getpeername(self->fd, (struct sockaddr *)&ss, &len));
	EXPECT_EQ(want_len, len);
	EXPECT_EQ(0, memcmp(&want, &ss, want_len));
}

QUIC_TEST_F(sock, connect_sends_nothing_and_does_not_wait)
{
	char buf[2048];

	self->other = socket(int_option(self->fd, SO_DOMAIN), SOCK_DGRAM, IPPROTO_UDP);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, do_bind(self->other, variant->family, 4433));
	ASSERT_EQ(0, do_connect(self->fd, variant->family, 4433));
	EXPECT_EQ(-1, recv(self->other, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	/* RFC 9000 14.1: the datagram with the first Initial has 1200 bytes. */
	ASSERT_EQ(5, qk_hs_send(self->fd, QUIC_CRYPTO_INITIAL, "\1\0\0\1x", 5, 0));
	ASSERT_LE(0, qk_wait(self->other, POLLIN));
	EXPECT_LE(1200, recv(self->other, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_EQ(0xc0, buf[0] & 0xc0);
}

QUIC_TEST_F(sock, connect_does_not_undo)
{
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };

	ASSERT_EQ(0, do_connect(self->fd, variant->family, 4433));
	EXPECT_EQ(-1, connect(self->fd, &unspec, sizeof(unspec)));
	EXPECT_TRUE(errno == EINVAL || errno == EOPNOTSUPP) {
		TH_LOG("errno %d", errno);
	}
}

QUIC_TEST_F(sock, what_a_quic_socket_cannot_do_is_refused)
{
	int sv[2];

	EXPECT_EQ(-1, socketpair(int_option(self->fd, SO_DOMAIN), variant->type,
				 IPPROTO_QUIC, sv));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, 0));
}

TEST_HARNESS_MAIN
