// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Two sessions in one process, run in steps through <netinet/quic.h>. The socket calls that the
 * library makes are answered here, so no kernel with QUIC is needed: the program's own getsockopt()
 * and setsockopt() come before those of the C library.
 *
 * usage: steps CA CHAIN KEY
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/quic.h>

#define CLIENT_FD	1000
#define SERVER_FD	1001

/* Fixed sizes that programs rely on. */
_Static_assert(sizeof(struct quic_handshake_step) == 32, "step");
_Static_assert(offsetof(struct quic_handshake_step, s_sendmsg.retval) == 24, "retval");

struct end {
	gnutls_session_t session;
	struct quic_handshake_step *step;
	int done;
	/* Messages to this end: level, length, bytes. */
	struct { unsigned char level; size_t len; unsigned char bytes[65536]; } queue[32];
	int head, tail;
	/* Last secrets, by direction and level. */
	struct quic_crypto_secret secrets[2][4];
	int params;
	struct quic_connection_close close;
};

static struct end ends[2];

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct end *end = &ends[fd - CLIENT_FD];
	struct quic_crypto_secret secret;

	assert(level == SOL_QUIC);
	switch (name) {
	case QUIC_SOCKOPT_CRYPTO_SECRET:
		assert(len == sizeof(secret));
		memcpy(&secret, value, len);
		end->secrets[secret.send][secret.level] = secret;
		return 0;
	case QUIC_SOCKOPT_TRANSPORT_PARAM_EXT:
		assert(len == 6 && memcmp(value, "params", 6) == 0);
		end->params = 1;
		return 0;
	case QUIC_SOCKOPT_CONNECTION_CLOSE:
		assert(len == sizeof(end->close));
		memcpy(&end->close, value, len);
		return 0;
	}
	errno = ENOPROTOOPT;
	return -1;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	assert(level == SOL_QUIC || level == SOL_SOCKET);
	if (level == SOL_QUIC && name == QUIC_SOCKOPT_TOKEN && fd == CLIENT_FD) {
		*len = 0;
		return 0;
	}
	if (level == SOL_QUIC && name == QUIC_SOCKOPT_TRANSPORT_PARAM_EXT) {
		assert(*len >= 6);
		memcpy(value, "params", 6);
		*len = 6;
		return 0;
	}
	errno = EINVAL;
	return -1;
}

static void do_send(struct end *end, struct end *peer)
{
	const struct msghdr *msg = end->step->s_sendmsg.msg;
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	size_t len = msg->msg_iov->iov_len;

	assert(msg->msg_iovlen == 1 && msg->msg_controllen == 24);
	assert(cmsg->cmsg_level == SOL_QUIC && cmsg->cmsg_type == QUIC_HANDSHAKE_INFO);
	assert(end->step->s_sendmsg.flags & MSG_NOSIGNAL);
	/* Tickets do not come through recvmsg(). */
	if (*CMSG_DATA(cmsg) != QUIC_CRYPTO_APP) {
		peer->queue[peer->tail].level = *CMSG_DATA(cmsg);
		peer->queue[peer->tail].len = len;
		memcpy(peer->queue[peer->tail].bytes, msg->msg_iov->iov_base, len);
		peer->tail++;
	}
	end->step->s_sendmsg.retval = len;
}

static void do_recv(struct end *end)
{
	struct msghdr *msg = end->step->s_recvmsg.msg;
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	assert(msg->msg_iov->iov_len >= 65536 && msg->msg_controllen == 24);
	cmsg->cmsg_level = SOL_QUIC;
	cmsg->cmsg_type = QUIC_HANDSHAKE_INFO;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = end->queue[end->head].level;
	msg->msg_flags = MSG_EOR;
	memcpy(msg->msg_iov->iov_base, end->queue[end->head].bytes, end->queue[end->head].len);
	end->step->s_recvmsg.retval = end->queue[end->head].len;
	end->head++;
}

static int advance(struct end *end)
{
	int ret = quic_handshake_step(end->session, &end->step);

	if (ret == 0 && !end->step)
		end->done = 1;
	return ret;
}

/* Runs both ends as far as they get. Returns the first error. */
static int run(void)
{
	for (int idle = 0; idle < 2 && !(ends[0].done && ends[1].done);) {
		idle++;
		for (int nr = 0; nr < 2; nr++) {
			struct end *end = &ends[nr];

			if (end->done)
				continue;
			if (end->step->op == QUIC_HANDSHAKE_STEP_OP_SENDMSG)
				do_send(end, &ends[!nr]);
			else if (end->head < end->tail)
				do_recv(end);
			else
				continue;
			idle = 0;
			if (advance(end))
				return nr ? -2 : -1;
		}
	}
	return 0;
}

static void start(gnutls_certificate_credentials_t client, gnutls_certificate_credentials_t server,
		  const char *name, const char *alpns)
{
	memset(ends, 0, sizeof(ends));
	for (int nr = 0; nr < 2; nr++) {
		gnutls_session_t session;
		int flags = nr ? GNUTLS_SERVER : GNUTLS_CLIENT;

		assert(gnutls_init(&session, flags | GNUTLS_NO_AUTO_SEND_TICKET) == 0);
		assert(gnutls_priority_set_direct(session, QUIC_PRIORITY, NULL) == 0);
		gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, nr ? server : client);
		gnutls_transport_set_int(session, CLIENT_FD + nr);
		if (!nr)
			gnutls_session_set_verify_cert(session, name, 0);
		assert(quic_session_set_alpn(session, nr ? "b,a" : alpns, nr ? 3 : strlen(alpns)) == 0);
		ends[nr].session = session;
		assert(quic_handshake_init(session, &ends[nr].step) == 0);
		assert(ends[nr].step);
	}
}

static void stop(void)
{
	for (int nr = 0; nr < 2; nr++) {
		quic_handshake_deinit(ends[nr].session);
		gnutls_deinit(ends[nr].session);
	}
}

static void compare_secrets(int level)
{
	for (int send = 0; send < 2; send++) {
		struct quic_crypto_secret *one = &ends[0].secrets[send][level];
		struct quic_crypto_secret *two = &ends[1].secrets[!send][level];

		assert(one->type == two->type && one->type >= 51 && one->type <= 54);
		assert(memcmp(one->secret, two->secret, sizeof(one->secret)) == 0);
	}
}

int main(int argc, char **argv)
{
	gnutls_certificate_credentials_t client, server;
	char alpn[8];
	size_t size = sizeof(alpn);

	assert(argc == 4);
	gnutls_certificate_allocate_credentials(&client);
	gnutls_certificate_allocate_credentials(&server);
	assert(gnutls_certificate_set_x509_trust_file(client, argv[1], GNUTLS_X509_FMT_PEM) == 1);
	assert(gnutls_certificate_set_x509_key_file(server, argv[2], argv[3],
						     GNUTLS_X509_FMT_PEM) == 0);

	/* A handshake that works. */
	start(client, server, "server.test", "a, c");
	assert(run() == 0 && ends[0].done && ends[1].done);
	compare_secrets(QUIC_CRYPTO_HANDSHAKE);
	compare_secrets(QUIC_CRYPTO_APP);
	assert(ends[0].params && ends[1].params);
	assert(quic_session_get_alpn(ends[0].session, alpn, &size) == 0);
	assert(size == 1 && alpn[0] == 'a');
	size = 0;
	assert(quic_session_get_alpn(ends[0].session, alpn, &size) == -ENOBUFS && size == 1);
	/* The library can be used again on the same session, and refuses steps when it is done. */
	assert(quic_handshake_step(ends[0].session, &ends[0].step) == -EINVAL);
	stop();

	/* A certificate for another name: the client says why, and what its close will tell. */
	start(client, server, "wrong.test", "a");
	assert(run() == -1);
	assert(quic_handshake_step(ends[0].session, &ends[0].step) == -EPROTO ||
	       strlen(quic_last_error()) > 0);
	assert(ends[0].close.errcode == 0x100 + GNUTLS_A_BAD_CERTIFICATE);
	stop();

	/* No common protocol: the server tells. */
	start(client, server, "server.test", "z");
	assert(run() == -2);
	assert(strstr(quic_last_error(), "no application protocol"));
	assert(ends[1].close.errcode == 0x178);
	stop();

	/* Given up halfway: nothing leaks and nothing is used after it was freed. */
	start(client, server, "server.test", "a");
	stop();
	start(client, server, "server.test", "a");
	gnutls_deinit(ends[0].session);
	gnutls_deinit(ends[1].session);

	/* Misuse. */
	struct quic_handshake_step *step = NULL;

	assert(quic_handshake_init(NULL, &step) == -EINVAL);
	assert(quic_handshake_step(NULL, NULL) == -EINVAL);
	quic_handshake_deinit(NULL);
	assert(quic_sendmsg(-1, "x", 1, 0, 0) == -1 && errno == EBADF);
	assert(quic_recvmsg(-1, alpn, sizeof(alpn), NULL, NULL) == -1 && errno == EBADF);
	assert(quic_set_log_level(3) == -1 && quic_set_log_level(-1) == 3);

	gnutls_certificate_free_credentials(client);
	gnutls_certificate_free_credentials(server);
	puts("ok");
	return 0;
}
