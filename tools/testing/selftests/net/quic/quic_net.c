// SPDX-License-Identifier: GPL-2.0
/* Connections across the network of quic_net.sh. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quic_net.h"

static const char *const ns_names[] = { "QN_CLIENT", "QN_SERVER" };

/* Go to the network namespace of one side. */
int qn_enter(enum qn_side side)
{
	const char *name = getenv(ns_names[side]);
	char path[128];
	int fd, ret;

	if (!name)
		return -ENOENT;
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = setns(fd, CLONE_NEWNET) ? -errno : 0;
	close(fd);
	return ret;
}

/* Change the network, see quic_net.sh. */
int qn(const char *verb)
{
	const char *script = getenv("QN_SCRIPT");
	char cmd[256];
	int status;

	if (!script)
		return -ENOENT;
	snprintf(cmd, sizeof(cmd), "%s %s", script, verb);
	status = system(cmd);
	return status ? -EIO : 0;
}

/* The network as quic_net.sh made it, with everything that tests do to it undone. */
int qn_setup(void)
{
	char port[16];
	int fd, ret;

	snprintf(port, sizeof(port), "%d", QN_CLIENT_PORT);
	setenv("QN_PORT", port, 1);
	ret = qn_enter(QN_CLIENT);
	if (ret)
		return ret;
	/* The first socket of all loads the module, and so makes the counters. */
	fd = qk_socket(QK_V4, 0);
	if (fd < 0)
		return fd;
	close(fd);
	return qn("plain");
}

__s64 qn_snmp(enum qn_side side, const char *name)
{
	int ret = qn_enter(side);

	return ret ? ret : qk_snmp(name);
}

int qn_count(enum qn_side side, struct qn_count *count)
{
	const char *want = side == QN_CLIENT ? "client_" : "server_";
	char cmd[256], name[64];
	__s64 value;
	FILE *f;

	memset(count, 0, sizeof(*count));
	snprintf(cmd, sizeof(cmd), "%s count", getenv("QN_SCRIPT"));
	f = popen(cmd, "r");
	if (!f)
		return -errno;
	while (fscanf(f, "%63s %lld", name, &value) == 2) {
		if (strncmp(name, want, strlen(want)))
			continue;
		if (!strcmp(name + strlen(want), "ect0"))
			count->ect0 = value;
		else
			count->other = value;
	}
	return pclose(f) ? -EIO : 0;
}

/* Address number @host (2 or 3) of one side. */
socklen_t qn_addr(struct sockaddr_storage *ss, enum qn_side side, enum qk_family family,
		  int host, __u16 port)
{
	static const char * const format[] = {
		[QK_V4] = "10.11.%d.%d",
		[QK_V6] = "fd00:11:%d::%d",
		[QK_MAPPED] = "::ffff:10.11.%d.%d",
	};
	char text[64];

	snprintf(text, sizeof(text), format[family], side == QN_CLIENT ? 1 : 2, host);
	return qk_address(ss, family == QK_V4 ? AF_INET : AF_INET6, text, port);
}

/* Waits for the event of a migration; whether it was this side's. */
int qn_migrated(int fd)
{
	union quic_event ev;
	int ret = qk_next_event(fd, QUIC_EVENT_CONNECTION_MIGRATION, &ev);

	return ret < 0 ? ret : ev.local_migration;
}

/* The socket of the test before this one gives its address up asynchronously. */
static int bind_patiently(int fd, const struct sockaddr *addr, socklen_t len)
{
	__s64 start = qk_now_ms();
	int ret;

	do {
		ret = bind(fd, addr, len) ? -errno : 0;
		if (ret != -EAGAIN && ret != -EADDRINUSE)
			return ret;
		poll(NULL, 0, 2);
	} while (qk_now_ms() - start < qk_wait_ms());
	return ret;
}

/* A socket of one side, bound to its first address, with the options of that side. */
static int open_bound(const struct qk_opts *opts, enum qn_side side)
{
	__u16 port = side == QN_CLIENT ? QN_CLIENT_PORT : QN_SERVER_PORT;
	struct sockaddr_storage ss;
	socklen_t len = qn_addr(&ss, side, opts->family, 2, port);
	int ret = qn_enter(side);
	int fd;

	if (ret)
		return ret;
	fd = qk_socket(opts->family, opts->type);
	if (fd < 0)
		return fd;
	ret = bind_patiently(fd, (struct sockaddr *)&ss, len);
	if (!ret)
		ret = qk_apply(fd, opts, side == QN_SERVER);
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

int qn_listen(const struct qk_opts *opts)
{
	int fd = open_bound(opts, QN_SERVER);

	if (fd >= 0 && listen(fd, 16)) {
		close(fd);
		return -errno;
	}
	return fd;
}

int qn_connect(const struct qk_opts *opts)
{
	int fd = open_bound(opts, QN_CLIENT);
	struct sockaddr_storage ss;
	socklen_t len = qn_addr(&ss, QN_SERVER, opts->family, 2, QN_SERVER_PORT);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&ss, len)) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* Listener, client and accepted socket with the ClientHello carried over. */
int qn_hs_start(struct qk_pair *p, const struct qk_opts *opts)
{
	if (p->listener < 0)
		p->listener = qn_listen(opts);
	if (p->listener < 0)
		return p->listener;
	p->client = qn_connect(opts);
	if (p->client < 0)
		return p->client;
	return qk_hs_hello(p, opts);
}

/* An established connection whose handshake both sides know to be confirmed. */
int qn_pair_open(struct qk_pair *p, const struct qk_opts *opts)
{
	int ret = qn_hs_start(p, opts);

	if (!ret)
		ret = qk_hs_finish(p, opts->cipher);
	if (!ret)
		ret = qn_echo(p, "confirmed");
	if (ret)
		qk_pair_close(p);
	return ret;
}

/* Move @size bytes of the pattern over a stream that is opened for it. */
int qn_transfer(struct qk_pair *p, __s64 id, bool to_server, size_t size)
{
	struct qk_flow flow = {
		.from = to_server ? p->client : p->server,
		.to = to_server ? p->server : p->client,
		.id = id,
		.size = size,
		.seed = id + 1,
	};

	return qk_flow_run(&flow, 1);
}

static int say(int from, int to, __s64 id, const char *text)
{
	size_t len = strlen(text), got = 0;
	char buf[64];
	ssize_t ret = qk_send(from, id, MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN, text, len, 0);

	if (ret < 0)
		return ret;
	while (got < len) {
		struct qk_item it;

		ret = qk_next(to, &it, buf + got, sizeof(buf) - got);
		if (ret < 0)
			return ret;
		if (it.kind == QK_STREAM && it.stream_id == id)
			got += ret;
	}
	return memcmp(buf, text, len) ? -EILSEQ : 0;
}

/*
 * One short message each way, on new unidirectional streams.  Events that come
 * meanwhile are dropped.
 */
int qn_echo(struct qk_pair *p, const char *text)
{
	__s64 up = -1, down = -1;
	int ret = qk_open(p->client, &up, MSG_QUIC_STREAM_UNI);

	if (!ret)
		ret = qk_open(p->server, &down, MSG_QUIC_STREAM_UNI);
	if (!ret)
		ret = say(p->client, p->server, up, text);
	return ret ? ret : say(p->server, p->client, down, text);
}

int qn_migrate(int fd, enum qn_side side, enum qk_family family, int host, __u16 port)
{
	struct sockaddr_storage ss;
	socklen_t len = qn_addr(&ss, side, family, host, port);
	int ret = qn_enter(side);

	return ret ? ret : qk_set(fd, QUIC_SOCKOPT_CONNECTION_MIGRATION, &ss, len);
}

int qn_info(int fd, struct quic_info *info)
{
	socklen_t len = sizeof(*info);

	return qk_get(fd, QUIC_SOCKOPT_INFO, info, &len);
}

/* "ADDRESS PORT" of a socket's own or its peer's address. */
int qn_name(int fd, bool peer, char *buf, size_t size)
{
	struct sockaddr_storage ss = { };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	socklen_t len = sizeof(ss);
	char text[INET6_ADDRSTRLEN];
	bool v4;

	if (peer ? getpeername(fd, (struct sockaddr *)&ss, &len) :
		   getsockname(fd, (struct sockaddr *)&ss, &len))
		return -errno;
	v4 = ss.ss_family == AF_INET;
	inet_ntop(ss.ss_family, v4 ? (void *)&in->sin_addr : (void *)&in6->sin6_addr, text,
		  sizeof(text));
	snprintf(buf, size, "%s %u", text, ntohs(v4 ? in->sin_port : in6->sin6_port));
	return 0;
}

/* Wait until the counters of a connection satisfy @done. */
int qn_await(int fd, bool (*done)(const struct quic_info *info, __u64 arg), __u64 arg)
{
	__s64 start = qk_now_ms();
	struct quic_info info;
	int ret;

	for (;;) {
		ret = qn_info(fd, &info);
		if (ret || done(&info, arg))
			return ret;
		if (qk_now_ms() - start > qk_wait_ms())
			return -ETIMEDOUT;
		poll(NULL, 0, 10);
	}
}
