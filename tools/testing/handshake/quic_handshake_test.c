// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel consumer of QUIC, for tests: it opens a listener and a client on the loopback device,
 * asks the handshake agent in user space for both handshakes (net/handshake), checks how they end,
 * and moves data.  Everything happens when it is loaded; loading fails if something is not as the
 * module's parameters say, and the kernel's log has the reason.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/file.h>
#include <linux/in.h>
#include <linux/key.h>
#include <linux/mman.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/uaccess.h>
#include <net/handshake.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include <linux/quic.h>

#define ALPN		"kernel"
#define TICKET_LEN	4096
/* Longer than any handshake may take: the agent's own limit comes first. */
#define PATIENCE	(120 * HZ)

static char *mode = "x509";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "x509, psk or anon");
static char *name = "server.test";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "whom the server's certificate must be for; empty: by the address");
static int keyring;
module_param(keyring, int, 0444);
MODULE_PARM_DESC(keyring, "serial number of a keyring with the keys");
static int client_keys[2];
module_param_array(client_keys, int, NULL, 0444);
MODULE_PARM_DESC(client_keys, "certificate and private key, or pre-shared key, of the client");
static int server_keys[2];
module_param_array(server_keys, int, NULL, 0444);
MODULE_PARM_DESC(server_keys, "certificate and private key, or pre-shared key, of the server");
static int client_status;
module_param(client_status, int, 0444);
MODULE_PARM_DESC(client_status, "errno expected for the client's handshake");
static int server_status;
module_param(server_status, int, 0444);
MODULE_PARM_DESC(server_status, "errno expected for the server's handshake");
static int submit_status;
module_param(submit_status, int, 0444);
MODULE_PARM_DESC(submit_status, "errno expected when the client asks for its handshake");
static bool silent;
module_param(silent, bool, 0444);
MODULE_PARM_DESC(silent, "the server does not answer");
static int timeout_ms = 60000;
module_param(timeout_ms, int, 0444);
MODULE_PARM_DESC(timeout_ms, "time for the client's handshake");
static int cipher;
module_param(cipher, int, 0444);
MODULE_PARM_DESC(cipher, "TLS_CIPHER_* wanted, 0 for any");
static int client_cert_request;
module_param(client_cert_request, int, 0444);
MODULE_PARM_DESC(client_cert_request, "quic_config.certificate_request of the client");
static int server_cert_request;
module_param(server_cert_request, int, 0444);
MODULE_PARM_DESC(server_cert_request, "quic_config.certificate_request of the server");
static bool peerid;
module_param(peerid, bool, 0444);
MODULE_PARM_DESC(peerid, "the server expects a key that says who the client is");
static bool resume;
module_param(resume, bool, 0444);
MODULE_PARM_DESC(resume, "a second connection continues the first, with early data");

struct end {
	struct socket		*sock;
	struct file		*file;
	/* Of both ends: one more is done. */
	struct completion	*news;
	int			status;
	key_serial_t		peer;
};

static int set(struct socket *sock, int opt, void *value, unsigned int len)
{
	return sock->ops->setsockopt(sock, SOL_QUIC, opt, KERNEL_SOCKPTR(value), len);
}

/* The option wants memory of the process that loads the module: @user has room for it. */
static int get(struct socket *sock, int opt, void *value, int len, unsigned long user)
{
	void __user *data = (void __user *)(user + sizeof(int));
	int __user *size = (int __user *)user;
	int err, got;

	if (put_user(len, size) || copy_to_user(data, value, len))
		return -EFAULT;
	err = sock->ops->getsockopt(sock, SOL_QUIC, opt, data, size);
	if (err)
		return err;
	if (get_user(got, size) || copy_from_user(value, data, min(got, len)))
		return -EFAULT;
	return got;
}

/* The agent gets the socket as a file. */
static int end_open_file(struct end *end)
{
	end->file = sock_alloc_file(end->sock, O_NONBLOCK, NULL);
	if (!IS_ERR(end->file))
		return 0;
	/* It has released the socket. */
	end->sock = NULL;
	return PTR_ERR_OR_ZERO(end->file);
}

static void end_close(struct end *end)
{
	if (end->sock && end->sock->sk)
		tls_handshake_cancel(end->sock->sk);
	if (!IS_ERR_OR_NULL(end->file))
		fput(end->file);
	else if (end->sock)
		sock_release(end->sock);
	end->file = NULL;
	end->sock = NULL;
}

static void on_done(void *data, int status, key_serial_t peer)
{
	struct end *end = data;

	end->status = status;
	end->peer = peer;
	complete(end->news);
}

static int hello(struct end *end, bool server)
{
	int *keys = server ? server_keys : client_keys;
	struct tls_handshake_args args = {
		.ta_sock	= end->sock,
		.ta_done	= on_done,
		.ta_data	= end,
		.ta_timeout_ms	= server ? 60000 : timeout_ms,
		.ta_keyring	= keyring,
	};

	if (!server && name[0])
		args.ta_peername = name;
	if (!strcmp(mode, "psk")) {
		args.ta_num_peerids = 1;
		args.ta_my_peerids[0] = keys[0];
		return server ? tls_server_hello_psk(&args, GFP_KERNEL) :
				tls_client_hello_psk(&args, GFP_KERNEL);
	}
	args.ta_my_cert = keys[0];
	args.ta_my_privkey = keys[1];
	if (server)
		return tls_server_hello_x509(&args, GFP_KERNEL);
	if (!strcmp(mode, "anon"))
		return tls_client_hello_anon(&args, GFP_KERNEL);
	return tls_client_hello_x509(&args, GFP_KERNEL);
}

static int compare(struct end *end, const char *who, int expected)
{
	if (end->status == -expected)
		return 0;
	pr_err("%s: the handshake ends with %d, not %d\n", who, end->status, -expected);
	return -EPROTO;
}

/* Waits for @count ends.  Closes none: that one has failed the other learns by the agent. */
static int wait_for(struct completion *news, int count)
{
	while (count--) {
		if (!wait_for_completion_timeout(news, PATIENCE)) {
			pr_err("a handshake is not reported\n");
			return -ETIMEDOUT;
		}
	}
	return 0;
}

static int send_text(struct socket *sock, const char *text)
{
	struct msghdr msg = {
		.msg_flags = MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN | MSG_NOSIGNAL,
	};
	struct kvec vec = { .iov_base = (void *)text, .iov_len = strlen(text) };
	int len = kernel_sendmsg(sock, &msg, &vec, 1, vec.iov_len);

	if (len == strlen(text))
		return 0;
	pr_err("sending returns %d\n", len);
	return len < 0 ? len : -EMSGSIZE;
}

/* Receives the whole of stream 0, which must be @text. */
static int expect_text(struct socket *sock, const char *text)
{
	char control[CMSG_SPACE(sizeof(struct quic_stream_info))];
	struct quic_stream_info *info;
	struct cmsghdr *cmsg;
	char buf[64];
	int got = 0;

	for (;;) {
		struct msghdr msg = {
			.msg_control	= control,
			.msg_controllen	= sizeof(control),
		};
		struct kvec vec = { .iov_base = buf + got, .iov_len = sizeof(buf) - got };
		int len;

		memset(control, 0, sizeof(control));
		sock->sk->sk_rcvtimeo = PATIENCE;
		len = kernel_recvmsg(sock, &msg, &vec, 1, vec.iov_len, 0);
		if (len < 0) {
			pr_err("receiving returns %d\n", len);
			return len;
		}
		got += len;
		cmsg = (struct cmsghdr *)control;
		if (cmsg->cmsg_level != SOL_QUIC || cmsg->cmsg_type != QUIC_STREAM_INFO) {
			pr_err("no stream information\n");
			return -EBADMSG;
		}
		info = (struct quic_stream_info *)CMSG_DATA(cmsg);
		if (info->stream_flags & MSG_QUIC_STREAM_FIN)
			break;
	}
	if (got == strlen(text) && !memcmp(buf, text, got) && info->stream_id == 0)
		return 0;
	pr_err("received %d bytes of stream %lld: %.*s\n", got, info->stream_id, got, buf);
	return -EBADMSG;
}

static int echo(struct end *client, struct end *server, bool early)
{
	int err = early ? 0 : send_text(client->sock, "ping of the kernel");

	err = err ?: expect_text(server->sock, "ping of the kernel");
	/* The stream has become the active one of this side. */
	if (!err) {
		struct msghdr msg = { .msg_flags = MSG_QUIC_STREAM_FIN | MSG_NOSIGNAL };
		struct kvec vec = { .iov_base = "pong", .iov_len = 4 };

		err = kernel_sendmsg(server->sock, &msg, &vec, 1, 4);
		err = err == 4 ? 0 : err < 0 ? err : -EMSGSIZE;
	}
	return err ?: expect_text(client->sock, "pong");
}

static int configure(struct socket *sock, bool server)
{
	struct quic_config config = {
		.payload_cipher_type	= cipher,
		.certificate_request	= server ? server_cert_request : client_cert_request,
		.receive_session_ticket	= !server && resume ? 20 : 0,
	};

	return set(sock, QUIC_SOCKOPT_ALPN, ALPN, strlen(ALPN)) ?:
	       set(sock, QUIC_SOCKOPT_CONFIG, &config, sizeof(config));
}

static int make_listener(struct socket **listener, struct sockaddr_in *addr)
{
	int err;

	*addr = (struct sockaddr_in) {
		.sin_family		= AF_INET,
		.sin_addr.s_addr	= htonl(INADDR_LOOPBACK),
	};
	err = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_QUIC, listener);
	if (err) {
		*listener = NULL;
		return err;
	}
	err = configure(*listener, true) ?:
	      kernel_bind(*listener, (struct sockaddr_unsized *)addr, sizeof(*addr)) ?:
	      kernel_listen(*listener, 4);
	if (err)
		return err;
	err = kernel_getsockname(*listener, (struct sockaddr *)addr);
	return err < 0 ? err : 0;
}

/* What a first connection leaves for a second. */
struct memory {
	unsigned long			user;
	u8				ticket[TICKET_LEN];
	int				ticket_len;
	struct quic_transport_param	limits;
};

static int remember(struct end *client, struct memory *memory)
{
	int len = get(client->sock, QUIC_SOCKOPT_SESSION_TICKET, memory->ticket, TICKET_LEN,
		      memory->user);

	if (len < 64) {
		pr_err("the agent has left no resumption data: %d\n", len);
		return len < 0 ? len : -ENODATA;
	}
	memory->ticket_len = len;
	memory->limits.remote = 1;
	len = get(client->sock, QUIC_SOCKOPT_TRANSPORT_PARAM, &memory->limits,
		  sizeof(memory->limits), memory->user);
	memory->limits.remote = 1;
	return len < 0 ? len : 0;
}

static int connect(struct end *client, struct sockaddr_in *addr, struct memory *memory)
{
	bool early = memory && memory->ticket_len;
	int err;

	err = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_QUIC, &client->sock);
	if (err) {
		client->sock = NULL;
		return err;
	}
	err = end_open_file(client) ?: configure(client->sock, false) ?:
	      kernel_connect(client->sock, (struct sockaddr_unsized *)addr, sizeof(*addr), 0);
	if (err || !early)
		return err;
	return set(client->sock, QUIC_SOCKOPT_SESSION_TICKET, memory->ticket,
		   memory->ticket_len) ?:
	       set(client->sock, QUIC_SOCKOPT_TRANSPORT_PARAM, &memory->limits,
		   sizeof(memory->limits)) ?:
	       send_text(client->sock, "ping of the kernel");
}

static int one_connection(struct socket *listener, struct sockaddr_in *addr,
			  struct memory *memory)
{
	bool early = memory && memory->ticket_len;
	DECLARE_COMPLETION_ONSTACK(news);
	struct end client = { .news = &news }, server = { .news = &news };
	int err;

	err = connect(&client, addr, memory);
	if (err) {
		pr_err("connecting returns %d\n", err);
		goto out;
	}
	err = hello(&client, false);
	if (err != -submit_status) {
		pr_err("asking for the client's handshake returns %d\n", err);
		err = err ?: -EPROTO;
		goto out;
	}
	if (err) {
		err = 0;
		goto out;
	}
	if (silent) {
		err = wait_for(&news, 1) ?:
		      compare(&client, "client", client_status);
		goto out;
	}
	listener->sk->sk_rcvtimeo = PATIENCE;
	err = kernel_accept(listener, &server.sock, 0);
	if (err) {
		server.sock = NULL;
		pr_err("accepting returns %d\n", err);
		goto out;
	}
	err = end_open_file(&server) ?: hello(&server, true);
	if (err) {
		pr_err("asking for the server's handshake returns %d\n", err);
		goto out;
	}
	err = wait_for(&news, 2) ?:
	      compare(&server, "server", server_status) ?:
	      compare(&client, "client", client_status);
	if (err || client_status || server_status)
		goto out;
	if (peerid == !server.peer) {
		pr_err("server: the client's key is %d\n", server.peer);
		err = -ENOKEY;
		goto out;
	}
	err = echo(&client, &server, early);
	if (!err && memory && !early)
		err = remember(&client, memory);
out:
	end_close(&client);
	end_close(&server);
	return err;
}

static int __init quic_handshake_test_init(void)
{
	struct memory *memory = NULL;
	struct socket *listener = NULL;
	struct sockaddr_in addr;
	int err;

	if (resume) {
		memory = kzalloc_obj(*memory);
		if (!memory)
			return -ENOMEM;
		memory->user = vm_mmap(NULL, 0, 2 * TICKET_LEN, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, 0);
		if (IS_ERR_VALUE(memory->user)) {
			err = (int)memory->user;
			goto out;
		}
	}
	err = make_listener(&listener, &addr);
	if (err) {
		pr_err("listening returns %d\n", err);
		goto out;
	}
	err = one_connection(listener, &addr, memory);
	if (!err && memory)
		err = one_connection(listener, &addr, memory);
out:
	if (listener)
		sock_release(listener);
	if (memory && memory->user && !IS_ERR_VALUE(memory->user))
		vm_munmap(memory->user, 2 * TICKET_LEN);
	kfree(memory);
	return err;
}

static void __exit quic_handshake_test_exit(void)
{
}

module_init(quic_handshake_test_init);
module_exit(quic_handshake_test_exit);
MODULE_DESCRIPTION("Test: a kernel consumer of QUIC");
MODULE_LICENSE("GPL");
