// SPDX-License-Identifier: GPL-2.0
/*
 * QUIC sockets used by a module: both ends of a connection over the loopback
 * device, with a handshake without TLS and fixed secrets.  Loading the module
 * runs the tests in the network namespace of the loader.  They print TAP to
 * the log; the module fails to load (EIO) if one of them failed.
 */
#define pr_fmt(fmt) "quic_kernel_test: " fmt

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/in.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/nsproxy.h>
#include <linux/quic.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#define AES_GCM_128	51	/* TLS_CIPHER_AES_GCM_128 of <linux/tls.h> */
#define MAX_PARAMS	512
#define TRANSFER	100000

struct pair {
	struct socket *listener;
	struct socket *client;
	struct socket *server;
};

static struct net *net;
static int number, failures;

static void result(int err, const char *what)
{
	number++;
	if (err) {
		failures++;
		pr_info("not ok %d - %s (%d)\n", number, what, err);
	} else {
		pr_info("ok %d - %s\n", number, what);
	}
}

static int set(struct socket *sock, int opt, void *val, unsigned int len)
{
	return quic_kernel_setsockopt(sock->sk, opt, KERNEL_SOCKPTR(val), len);
}

static int get(struct socket *sock, int opt, void *val, int *len)
{
	return quic_kernel_getsockopt(sock->sk, opt, KERNEL_SOCKPTR(val), KERNEL_SOCKPTR(len));
}

/* A message of one level with its control message. */
static int send_level(struct socket *sock, u8 level, const void *data, size_t len, int flags)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(struct quic_handshake_info))];
	} control = { };
	struct kvec vec = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = {
		.msg_flags = flags,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int ret;

	control.hdr.cmsg_level = SOL_QUIC;
	control.hdr.cmsg_type = QUIC_HANDSHAKE_INFO;
	control.hdr.cmsg_len = CMSG_LEN(sizeof(struct quic_handshake_info));
	*(u8 *)CMSG_DATA(&control.hdr) = level;
	ret = kernel_sendmsg(sock, &msg, &vec, 1, len);
	if (ret < 0)
		return ret;
	return ret == len ? 0 : -EMSGSIZE;
}

static int receive_level(struct socket *sock, u8 level, const void *want, size_t len)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(struct quic_handshake_info))];
	} control = { };
	char got[64] = { };
	struct kvec vec = { .iov_base = got, .iov_len = sizeof(got) };
	struct msghdr msg = {
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int ret = kernel_recvmsg(sock, &msg, &vec, 1, sizeof(got), 0);

	if (ret < 0)
		return ret;
	if (ret != len || memcmp(got, want, len))
		return -EBADMSG;
	if (control.hdr.cmsg_level != SOL_QUIC || control.hdr.cmsg_type != QUIC_HANDSHAKE_INFO ||
	    *(u8 *)CMSG_DATA(&control.hdr) != level)
		return -ENOMSG;
	return 0;
}

static int install(struct socket *sock, u8 level, bool send, bool from_server)
{
	struct quic_crypto_secret secret = { .send = send, .level = level, .type = AES_GCM_128 };
	int i;

	for (i = 0; i < sizeof(secret.secret); i++)
		secret.secret[i] = 0x40 + level * 16 + from_server * 8 + i * 7;
	return set(sock, QUIC_SOCKOPT_CRYPTO_SECRET, &secret, sizeof(secret));
}

static int give_params(struct socket *from, struct socket *to)
{
	int len = MAX_PARAMS, ret;
	u8 *buf = kmalloc(MAX_PARAMS, GFP_KERNEL);

	if (!buf)
		return -ENOMEM;
	ret = get(from, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, buf, &len);
	if (!ret)
		ret = set(to, QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, buf, len);
	kfree(buf);
	return ret;
}

static void release_pair(struct pair *p)
{
	struct socket **all[] = { &p->client, &p->server, &p->listener };
	int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		if (*all[i])
			sock_release(*all[i]);
		*all[i] = NULL;
	}
}

static int connect_pair(struct pair *p)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int ret;

	ret = sock_create_kern(net, AF_INET, SOCK_STREAM, IPPROTO_QUIC, &p->listener);
	if (!ret)
		ret = kernel_bind(p->listener, (struct sockaddr_unsized *)&addr, sizeof(addr));
	if (!ret)
		ret = kernel_listen(p->listener, 4);
	if (!ret)
		ret = kernel_getsockname(p->listener, (struct sockaddr *)&addr);
	if (ret < 0)
		return ret;
	ret = sock_create_kern(net, AF_INET, SOCK_STREAM, IPPROTO_QUIC, &p->client);
	if (!ret)
		ret = kernel_connect(p->client, (struct sockaddr_unsized *)&addr, sizeof(addr), 0);
	return ret;
}

/* What TLS would do, in the order of GnuTLS. */
static int handshake(struct pair *p)
{
	static const char hello[] = "\1\0\0\1h", answer[] = "\2\0\0\1s";
	static const char flight[] = "\10\0\0\1f", finished[] = "\24\0\0\1c";
	int ret;

	ret = send_level(p->client, QUIC_CRYPTO_INITIAL, hello, 5, 0);
	if (!ret)
		ret = kernel_accept(p->listener, &p->server, 0);
	if (!ret)
		ret = receive_level(p->server, QUIC_CRYPTO_INITIAL, hello, 5);
	if (!ret)
		ret = give_params(p->client, p->server);
	if (!ret)
		ret = install(p->server, QUIC_CRYPTO_HANDSHAKE, true, true);
	if (!ret)
		ret = install(p->server, QUIC_CRYPTO_HANDSHAKE, false, false);
	if (!ret)
		ret = install(p->server, QUIC_CRYPTO_APP, true, true);
	if (!ret)
		ret = send_level(p->server, QUIC_CRYPTO_INITIAL, answer, 5, MSG_MORE);
	if (!ret)
		ret = send_level(p->server, QUIC_CRYPTO_HANDSHAKE, flight, 5, 0);
	if (!ret)
		ret = receive_level(p->client, QUIC_CRYPTO_INITIAL, answer, 5);
	if (!ret)
		ret = install(p->client, QUIC_CRYPTO_HANDSHAKE, true, false);
	if (!ret)
		ret = install(p->client, QUIC_CRYPTO_HANDSHAKE, false, true);
	if (!ret)
		ret = receive_level(p->client, QUIC_CRYPTO_HANDSHAKE, flight, 5);
	if (!ret)
		ret = give_params(p->server, p->client);
	if (!ret)
		ret = install(p->client, QUIC_CRYPTO_APP, true, false);
	if (!ret)
		ret = install(p->client, QUIC_CRYPTO_APP, false, true);
	if (!ret)
		ret = send_level(p->client, QUIC_CRYPTO_HANDSHAKE, finished, 5, 0);
	if (!ret)
		ret = receive_level(p->server, QUIC_CRYPTO_HANDSHAKE, finished, 5);
	if (!ret)
		ret = install(p->server, QUIC_CRYPTO_APP, false, false);
	return ret;
}

static u8 pattern(size_t at)
{
	return at * 31 + (at >> 8);
}

/* Send a part and receive it, until all has arrived on one stream. */
static int transfer(struct socket *from, struct socket *to, int flags)
{
	size_t sent = 0, received = 0, i;
	u8 *buf = kmalloc(8192, GFP_KERNEL);
	int ret = buf ? 0 : -ENOMEM;

	while (!ret && received < TRANSFER) {
		struct msghdr out = { .msg_flags = flags }, in = { };
		size_t len = min_t(size_t, 8192, TRANSFER - sent);
		struct kvec vec = { .iov_base = buf, .iov_len = len };

		for (i = 0; i < len; i++)
			buf[i] = pattern(sent + i);
		if (len) {
			ret = kernel_sendmsg(from, &out, &vec, 1, len);
			if (ret < 0)
				break;
			sent += ret;
			flags &= ~MSG_QUIC_STREAM_NEW;
		}
		vec = (struct kvec){ .iov_base = buf, .iov_len = 8192 };
		ret = kernel_recvmsg(to, &in, &vec, 1, 8192, 0);
		if (ret < 0)
			break;
		for (i = 0; i < ret && buf[i] == pattern(received + i); i++)
			;
		received += i;
		ret = i == ret ? 0 : -EBADMSG;
	}
	kfree(buf);
	return ret;
}

static DECLARE_COMPLETION(readable);
static DECLARE_COMPLETION(writable);
static void (*default_data_ready)(struct sock *sk);
static void (*default_write_space)(struct sock *sk);

static void data_ready(struct sock *sk)
{
	default_data_ready(sk);
	complete(&readable);
}

static void write_space(struct sock *sk)
{
	default_write_space(sk);
	complete(&writable);
}

/* Fill the send buffer; the other end reads all of it. Callbacks tell both. */
static int calls_back(struct socket *from, struct socket *to)
{
	struct msghdr in = { .msg_flags = MSG_DONTWAIT };
	size_t sent = 0, received = 0;
	u8 *buf = kzalloc(8192, GFP_KERNEL);
	int ret = buf ? 0 : -ENOMEM;

	default_data_ready = to->sk->sk_data_ready;
	default_write_space = from->sk->sk_write_space;
	WRITE_ONCE(to->sk->sk_data_ready, data_ready);
	WRITE_ONCE(from->sk->sk_write_space, write_space);
	while (ret >= 0) {
		struct msghdr out = { .msg_flags = MSG_DONTWAIT };
		struct kvec vec = { .iov_base = buf, .iov_len = 8192 };

		reinit_completion(&writable);
		ret = kernel_sendmsg(from, &out, &vec, 1, 8192);
		sent += max(ret, 0);
	}
	if (ret == -EAGAIN)
		ret = wait_for_completion_timeout(&readable, 30 * HZ) ? 0 : -ETIMEDOUT;
	while (ret >= 0 && received < sent) {
		struct kvec vec = { .iov_base = buf, .iov_len = 8192 };

		reinit_completion(&readable);
		ret = kernel_recvmsg(to, &in, &vec, 1, 8192, MSG_DONTWAIT);
		received += max(ret, 0);
		if (ret == -EAGAIN)
			ret = wait_for_completion_timeout(&readable, 30 * HZ) ? 0 : -ETIMEDOUT;
	}
	if (ret >= 0)
		ret = wait_for_completion_timeout(&writable, 30 * HZ) ? 0 : -ETIME;
	WRITE_ONCE(to->sk->sk_data_ready, default_data_ready);
	WRITE_ONCE(from->sk->sk_write_space, default_write_space);
	kfree(buf);
	return ret;
}

static int tells_its_state(struct socket *sock)
{
	struct quic_info info = { };
	struct quic_config config = { };
	int len = sizeof(info), short_len = 8;
	int ret = get(sock, QUIC_SOCKOPT_INFO, &info, &len);

	if (ret)
		return ret;
	if (len != sizeof(info) || info.cipher_type != AES_GCM_128 || !info.packets_sent)
		return -EBADMSG;
	/* A shorter buffer gets as much as it has room for. */
	ret = get(sock, QUIC_SOCKOPT_CONFIG, &config, &short_len);
	if (ret)
		return ret;
	return short_len == 8 && !config.initial_smoothed_rtt ? 0 : -EBADMSG;
}

/* Sockets of others, among them a raw one of the same number. */
static int is_refused(int type, int protocol)
{
	struct quic_config config = { };
	int len = sizeof(config), ret;
	struct socket *sock;

	ret = sock_create_kern(net, AF_INET, type, protocol, &sock);
	if (ret)
		return ret;
	if (set(sock, QUIC_SOCKOPT_CONFIG, &config, sizeof(config)) != -ENOTSOCK ||
	    get(sock, QUIC_SOCKOPT_CONFIG, &config, &len) != -ENOTSOCK)
		ret = -EBADMSG;
	sock_release(sock);
	return ret;
}

static int refuses(struct socket *sock)
{
	struct quic_config config = { .congestion_control_algo = 9 };
	int len = -1;
	int ret;

	if (set(sock, QUIC_SOCKOPT_CONFIG, &config, sizeof(config)) != -EINVAL)
		return -EBADMSG;
	if (set(sock, 63, &config, sizeof(config)) != -ENOPROTOOPT)
		return -EBADMSG;
	if (get(sock, QUIC_SOCKOPT_CONFIG, &config, &len) != -EINVAL)
		return -EBADMSG;
	ret = is_refused(SOCK_DGRAM, IPPROTO_UDP);
	return ret ? ret : is_refused(SOCK_RAW, IPPROTO_QUIC);
}

static int tells_the_end(struct pair *p)
{
	struct quic_connection_close close = { .errcode = 42, .phrase = "done" };
	struct quic_event_option event = { .type = QUIC_EVENT_CONNECTION_CLOSE, .on = 1 };
	u8 buf[128];
	struct kvec vec = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { };
	u32 code;
	int ret;

	ret = set(p->server, QUIC_SOCKOPT_EVENT, &event, sizeof(event));
	if (!ret)
		ret = set(p->client, QUIC_SOCKOPT_CONNECTION_CLOSE, &close, sizeof(close));
	if (!ret)
		ret = kernel_sock_shutdown(p->client, SHUT_RDWR);
	if (ret)
		return ret;
	ret = kernel_recvmsg(p->server, &msg, &vec, 1, sizeof(buf), 0);
	if (ret < 0)
		return ret;
	memcpy(&code, buf + 1, sizeof(code));
	if (!(msg.msg_flags & MSG_QUIC_NOTIFICATION) || buf[0] != QUIC_EVENT_CONNECTION_CLOSE)
		return -EBADMSG;
	return code == 42 ? 0 : -EBADMSG;
}

/*
 * The namespace may go as soon as the socket is released: nothing may run after
 * that.  With so long a round trip the closing period would be 45 s.
 */
static int ends_at_once(void)
{
	static const char hello[] = "\1\0\0\1h";
	struct quic_config config = { .initial_smoothed_rtt = 5 * USEC_PER_SEC };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(4433),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	unsigned long end = jiffies + 20 * HZ;
	struct socket *sock;
	struct sock *sk;
	int ret;

	ret = sock_create_kern(net, AF_INET, SOCK_STREAM, IPPROTO_QUIC, &sock);
	if (ret)
		return ret;
	ret = set(sock, QUIC_SOCKOPT_CONFIG, &config, sizeof(config));
	if (!ret)
		ret = kernel_connect(sock, (struct sockaddr_unsized *)&addr, sizeof(addr), 0);
	if (!ret)
		ret = send_level(sock, QUIC_CRYPTO_INITIAL, hello, 5, 0);
	sk = sock->sk;
	sock_hold(sk);
	sock_release(sock);
	/* Who looked it up before has it for a moment. */
	while (!ret && refcount_read(&sk->sk_refcnt) > 1 && time_before(jiffies, end))
		usleep_range(1000, 2000);
	if (!ret && refcount_read(&sk->sk_refcnt) > 1)
		ret = -ETIMEDOUT;
	sock_put(sk);
	return ret;
}

static int __init quic_kernel_test_init(void)
{
	struct pair p = { };
	int ret;

	net = current->nsproxy->net_ns;
	result(connect_pair(&p), "a module binds, listens and connects");
	ret = p.client ? handshake(&p) : -ENOTCONN;
	result(ret, "a handshake with fixed secrets");
	if (!ret) {
		result(transfer(p.client, p.server, MSG_QUIC_STREAM_NEW), "data to the server");
		result(transfer(p.server, p.client, 0), "data to the client, on the same stream");
		result(calls_back(p.client, p.server), "callbacks tell of data and of space");
		result(tells_its_state(p.client), "options are read into kernel memory");
		result(refuses(p.client), "what is refused to programs is refused here");
		result(tells_the_end(&p), "the peer's close is told with its code");
	}
	release_pair(&p);
	if (!net_eq(net, &init_net))
		result(ends_at_once(), "a closed socket does not outlive its namespace");
	pr_info("1..%d\n", number);
	return failures ? -EIO : 0;
}

static void __exit quic_kernel_test_exit(void)
{
}

module_init(quic_kernel_test_init);
module_exit(quic_kernel_test_exit);
MODULE_DESCRIPTION("Test of QUIC sockets used in the kernel");
MODULE_LICENSE("GPL");
