// SPDX-License-Identifier: GPL-2.0
/*
 * A handshake without TLS: client and server live in one process, exchange
 * messages that no TLS library made, hand each other's transport parameters
 * over directly, and install secrets that follow from level and direction.
 */
#include <string.h>
#include <unistd.h>

#include "quic_ksft.h"

static const char server_hello[] = "\x02\x00\x00\x14selftest ServerHello";
static const char server_flight[] = "\x08\x00\x00\x18selftest EE to Finished.";
static const char client_finished[] = "\x14\x00\x00\x11selftest Finished";

/* sendmsg() with a handshake control message. */
ssize_t qk_hs_send(int fd, __u8 level, const void *buf, size_t len, int flags)
{
	char control[CMSG_SPACE(sizeof(struct quic_handshake_info))] = { };
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct quic_handshake_info info = { .crypto_level = level };
	ssize_t ret;

	qk_cmsg(&msg, QUIC_HANDSHAKE_INFO, &info, sizeof(info));
	ret = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	return ret < 0 ? -errno : ret;
}

/*
 * Receive exactly @len bytes of one level.  Control space is what libquic
 * gives, so that a kernel which adds anything is found out.
 */
int qk_hs_recv(int fd, __u8 level, void *buf, size_t len)
{
	char control[CMSG_SPACE(sizeof(struct quic_handshake_info))];
	size_t done = 0;

	while (done < len) {
		struct iovec iov = { .iov_base = (char *)buf + done, .iov_len = len - done };
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		struct cmsghdr *cmsg;
		ssize_t ret;

		ret = qk_wait(fd, POLLIN);
		if (ret < 0)
			return ret;
		ret = recvmsg(fd, &msg, MSG_DONTWAIT);
		if (ret < 0 && errno == EAGAIN)
			continue;
		if (ret <= 0)
			return ret ? -errno : -ECONNRESET;
		cmsg = CMSG_FIRSTHDR(&msg);
		if ((msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) || !cmsg ||
		    cmsg->cmsg_level != SOL_QUIC || cmsg->cmsg_type != QUIC_HANDSHAKE_INFO ||
		    *(__u8 *)CMSG_DATA(cmsg) != level)
			return -EBADMSG;
		done += ret;
	}
	return 0;
}

/* Install the traffic secret of one level and direction. */
int qk_secret(int fd, __u8 level, bool send, bool from_server, __u32 cipher)
{
	struct quic_crypto_secret s = { .send = send, .level = level };
	size_t i;

	s.type = cipher ? cipher : QK_AES_GCM_128;
	for (i = 0; i < sizeof(s.secret); i++)
		s.secret[i] = 0x40 + level * 16 + from_server * 8 + i * 7;
	return qk_set(fd, QUIC_SOCKOPT_CRYPTO_SECRET, &s, sizeof(s));
}

static int both_secrets(int fd, __u8 level, bool server, __u32 cipher)
{
	int ret = qk_secret(fd, level, true, server, cipher);

	return ret ? ret : qk_secret(fd, level, false, !server, cipher);
}

/* Carry one side's transport parameters to the other. */
int qk_give_params(int from, int to)
{
	__u8 buf[QK_MAX_PARAMS];
	socklen_t len = sizeof(buf);
	int ret = qk_get(from, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, buf, &len);

	return ret ? ret : qk_set(to, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, buf, len);
}

struct writer {
	__u8 *buf;
	size_t size;
	size_t len;
};

static void put(struct writer *w, const void *data, size_t len)
{
	if (w->len + len <= w->size)
		memcpy(w->buf + w->len, data, len);
	w->len += len;
}

static void put16(struct writer *w, size_t value)
{
	__u8 b[2] = { value >> 8, value };

	put(w, b, sizeof(b));
}

/* Every name is as long on the wire as its text and the comma, or the end, behind it. */
static void put_alpn(struct writer *w, const char *alpn)
{
	size_t total = strlen(alpn) + 1;

	put16(w, 16);
	put16(w, total + 2);
	put16(w, total);
	while (total) {
		__u8 len = strcspn(alpn, ",");

		put(w, &len, 1);
		put(w, alpn, len);
		alpn += len + 1;
		total -= len + 1;
	}
}

/* server_name (RFC 6066 section 3) with one host name. */
static void put_server(struct writer *w, const char *server)
{
	size_t len = strlen(server);
	__u8 type = 0;

	put16(w, 0);
	put16(w, len + 5);
	put16(w, len + 3);
	put(w, &type, 1);
	put16(w, len);
	put(w, server, len);
}

/* padding (RFC 7685), to make the message as long as those of real clients. */
static void put_padding(struct writer *w, size_t len)
{
	static const __u8 zeroes[4096];

	put16(w, 21);
	put16(w, len);
	put(w, zeroes, len < sizeof(zeroes) ? len : sizeof(zeroes));
}

size_t qk_client_hello(int fd, const char *alpn, __u8 *buf, size_t size)
{
	return qk_client_hello_for(fd, alpn, NULL, 0, buf, size);
}

/*
 * A ClientHello (RFC 8446 section 4.1.2) with the extensions that a QUIC server
 * looks for: supported_versions, ALPN with names joined by commas, the server's
 * name, and the parameters of @fd; @padding bytes longer than it need be.
 * Returns its length, or 0 if it does not fit or the parameters are not there.
 */
size_t qk_client_hello_for(int fd, const char *alpn, const char *server, size_t padding,
			   __u8 *buf, size_t size)
{
	static const __u8 head[] = { 1, 0, 0, 0, 3, 3 };
	static const __u8 tail[] = { 0, 0, 2, 0x13, 0x01, 1, 0 };
	static const __u8 versions[] = { 0, 43, 0, 3, 2, 3, 4 };
	__u8 random[32], params[QK_MAX_PARAMS];
	socklen_t params_len = sizeof(params);
	struct writer w = { .buf = buf, .size = size };
	size_t ext;

	if (qk_get(fd, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, params, &params_len))
		return 0;
	memset(random, 0x5a, sizeof(random));
	put(&w, head, sizeof(head));
	put(&w, random, sizeof(random));
	put(&w, tail, sizeof(tail));
	ext = w.len;
	put16(&w, 0);
	put(&w, versions, sizeof(versions));
	if (padding)
		put_padding(&w, padding);
	if (server)
		put_server(&w, server);
	if (alpn)
		put_alpn(&w, alpn);
	put16(&w, 0x39);
	put16(&w, params_len);
	put(&w, params, params_len);
	if (w.len > size)
		return 0;
	buf[2] = (w.len - 4) >> 8;
	buf[3] = w.len - 4;
	buf[ext] = (w.len - ext - 2) >> 8;
	buf[ext + 1] = w.len - ext - 2;
	return w.len;
}

/* The ClientHello of a connecting client, carried over to an accepted socket. */
int qk_hs_hello(struct qk_pair *p, const struct qk_opts *opts)
{
	__u8 hello[1024], got[1024];
	size_t len = qk_client_hello(p->client, opts->alpn, hello, sizeof(hello));
	int ret;

	if (!len)
		return -EMSGSIZE;
	ret = qk_hs_send(p->client, QUIC_CRYPTO_INITIAL, hello, len, 0);
	if (ret != (int)len)
		return ret < 0 ? ret : -EMSGSIZE;
	p->server = qk_accept(p->listener);
	if (p->server < 0)
		return p->server;
	ret = qk_hs_recv(p->server, QUIC_CRYPTO_INITIAL, got, len);
	if (ret)
		return ret;
	return memcmp(hello, got, len) ? -EBADMSG : 0;
}

/*
 * A client that says hello, in as many packets as @padding takes; @len, unless
 * NULL, becomes the length of that.
 */
int qk_hs_client(const struct qk_opts *opts, __u16 port, size_t padding, size_t *len)
{
	int fd = qk_connect(opts, port);
	__u8 hello[8192];
	ssize_t ret;
	size_t n;

	if (fd < 0)
		return fd;
	n = qk_client_hello_for(fd, NULL, NULL, padding, hello, sizeof(hello));
	if (len)
		*len = n;
	ret = n ? qk_hs_send(fd, QUIC_CRYPTO_INITIAL, hello, n, 0) : -EMSGSIZE;
	if (ret != (ssize_t)n) {
		close(fd);
		return ret < 0 ? ret : -EMSGSIZE;
	}
	return fd;
}

/* Listener, client and accepted socket with the ClientHello carried over. */
int qk_hs_start(struct qk_pair *p, const struct qk_opts *opts)
{
	p->client = -1;
	p->server = -1;
	p->listener = qk_listen(opts);
	if (p->listener < 0)
		return p->listener;
	p->client = qk_connect(opts, qk_port(p->listener));
	if (p->client < 0)
		return p->client;
	return qk_hs_hello(p, opts);
}

static int server_answers(int server, __u32 cipher)
{
	ssize_t ret = both_secrets(server, QUIC_CRYPTO_HANDSHAKE, true, cipher);

	if (!ret)
		ret = qk_secret(server, QUIC_CRYPTO_APP, true, true, cipher);
	if (!ret)
		ret = qk_hs_send(server, QUIC_CRYPTO_INITIAL, server_hello,
				 sizeof(server_hello), MSG_MORE);
	if (ret >= 0)
		ret = qk_hs_send(server, QUIC_CRYPTO_HANDSHAKE, server_flight,
				 sizeof(server_flight), 0);
	return ret < 0 ? ret : 0;
}

static int client_answers(int client, int server, __u32 cipher)
{
	char got[sizeof(server_flight) + sizeof(server_hello)];
	int ret = qk_hs_recv(client, QUIC_CRYPTO_INITIAL, got, sizeof(server_hello));

	if (!ret && memcmp(got, server_hello, sizeof(server_hello)))
		ret = -EBADMSG;
	if (!ret)
		ret = both_secrets(client, QUIC_CRYPTO_HANDSHAKE, false, cipher);
	if (!ret)
		ret = qk_hs_recv(client, QUIC_CRYPTO_HANDSHAKE, got, sizeof(server_flight));
	if (!ret && memcmp(got, server_flight, sizeof(server_flight)))
		ret = -EBADMSG;
	if (!ret)
		ret = qk_give_params(server, client);
	if (!ret)
		ret = both_secrets(client, QUIC_CRYPTO_APP, false, cipher);
	if (!ret)
		ret = qk_hs_send(client, QUIC_CRYPTO_HANDSHAKE, client_finished,
				 sizeof(client_finished), 0);
	return ret < 0 ? ret : 0;
}

/* The rest of the handshake, in the order that GnuTLS gives to libquic. */
int qk_hs_finish(struct qk_pair *p, __u32 cipher)
{
	char got[sizeof(client_finished)];
	int ret = qk_give_params(p->client, p->server);

	if (!ret)
		ret = server_answers(p->server, cipher);
	if (!ret)
		ret = client_answers(p->client, p->server, cipher);
	if (!ret)
		ret = qk_hs_recv(p->server, QUIC_CRYPTO_HANDSHAKE, got, sizeof(got));
	if (!ret && memcmp(got, client_finished, sizeof(got)))
		ret = -EBADMSG;
	if (!ret)
		ret = qk_secret(p->server, QUIC_CRYPTO_APP, false, false, cipher);
	return ret;
}

/* An established connection; on failure nothing is left open. */
int qk_pair_open(struct qk_pair *p, const struct qk_opts *opts)
{
	int ret = qk_hs_start(p, opts);

	if (!ret)
		ret = qk_hs_finish(p, opts->cipher);
	if (ret)
		qk_pair_close(p);
	return ret;
}

void qk_pair_close(struct qk_pair *p)
{
	qk_close(&p->client);
	qk_close(&p->server);
	qk_close(&p->listener);
}
