// SPDX-License-Identifier: GPL-2.0
/* The calls of the random tester: each is made, judged, and followed in the model. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "quic_random.h"

#define SIOCOUTQNSD	0x894B

static void __attribute__((format(printf, 2, 3))) say(struct rd *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->what, sizeof(r->what), format, args);
	va_end(args);
}

/* What the kernel may answer because of a bad pointer comes on top of the model. */
static bool judge(struct rd *r, struct rd_slot *s, enum rd_op op, int opt, long ret, bool bad)
{
	int err = ret < 0 ? errno : 0;
	size_t used = strlen(r->what);

	snprintf(r->what + used, sizeof(r->what) - used, " = %ld, errno %d; fd %d, states 0x%x",
		 ret, err, s->fd, s->sock->may);
	if (getenv("QUIC_RANDOM_VERBOSE"))
		printf("# %llu: %s\n", (unsigned long long)r->step, r->what);
	return (bad && err == EFAULT) || rd_allows(r, s->sock->may, op, opt, err);
}

static struct rd_slot *any_slot(struct rd *r)
{
	unsigned int i, from = rd_below(r, RD_SLOTS);

	for (i = 0; i < RD_SLOTS; i++) {
		struct rd_slot *s = &r->slot[(from + i) % RD_SLOTS];

		if (s->sock)
			return s;
	}
	return NULL;
}

static struct rd_slot *free_slot(struct rd *r)
{
	unsigned int i;

	for (i = 0; i < RD_SLOTS; i++) {
		if (!r->slot[i].sock)
			return &r->slot[i];
	}
	return NULL;
}

/* Short time-outs, so that a call that waits comes back. */
static void put_slot(struct rd_slot *s, int fd, enum qk_family family, unsigned int may)
{
	struct timeval tv = { .tv_usec = 2000 };

	s->fd = fd;
	s->sock = calloc(1, sizeof(*s->sock));
	if (!s->sock)
		abort();
	*s->sock = (struct rd_sock){ .refs = 1, .may = may, .family = family };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void drop_slot(struct rd_slot *s)
{
	close(s->fd);
	if (--s->sock->refs == 0)
		free(s->sock);
	s->sock = NULL;
}

void rd_close_all(struct rd *r)
{
	unsigned int i;

	for (i = 0; i < RD_SLOTS; i++) {
		if (r->slot[i].sock)
			drop_slot(&r->slot[i]);
	}
}

static bool do_socket(struct rd *r)
{
	struct rd_slot *s = free_slot(r);
	enum qk_family family = rd_below(r, 2);
	int fd;

	if (!s)
		return true;
	fd = qk_socket(family, rd_chance(r, 50) ? SOCK_STREAM : SOCK_DGRAM);
	say(r, "socket family %d = %d", family, fd);
	if (fd >= 0)
		put_slot(s, fd, family, RD_FRESH);
	return fd >= 0 || r->faults;
}

/* An established connection or one in the handshake: the deeper states by the short way. */
bool rd_open_pair(struct rd *r)
{
	const struct quic_transport_param param = {
		.max_datagram_frame_size = rd_chance(r, 50) ? 1200 : 0,
		.max_data = rd_chance(r, 50) ? 5000 : 0,
		.max_streams_bidi = rd_chance(r, 50) ? 2 : 0,
	};
	struct qk_opts opts = { .family = rd_below(r, 3), .server_param = &param,
				.client_param = &param };
	struct rd_slot *a = free_slot(r), *b;
	bool whole = rd_chance(r, 80);
	unsigned int may = whole ? RD_ESTABLISHED | RD_CLOSED : RD_HANDSHAKE | RD_CLOSED;
	struct qk_pair p;
	int ret;

	if (!a)
		return true;
	ret = whole ? qk_pair_open(&p, &opts) : qk_hs_start(&p, &opts);
	say(r, "a pair, established %d = %d", whole, ret);
	if (ret) {
		if (!whole)
			qk_pair_close(&p);
		return r->faults;
	}
	put_slot(a, p.client, opts.family, may);
	b = free_slot(r);
	if (b)
		put_slot(b, p.server, opts.family, may);
	else
		close(p.server);
	b = free_slot(r);
	if (b)
		put_slot(b, p.listener, opts.family, RD_LISTENING);
	else
		close(p.listener);
	return true;
}

static bool do_bind(struct rd *r, struct rd_slot *s)
{
	struct sockaddr_storage ss;
	socklen_t len = rd_address(r, &ss);
	struct rd_buf b = rd_buffer(r, sizeof(ss));
	int ret;

	if (!b.bad)
		memcpy(b.ptr, &ss, sizeof(ss));
	ret = bind(s->fd, b.ptr, len);
	say(r, "bind family %d length %u", ss.ss_family, len);
	if (!judge(r, s, RD_BIND, 0, ret, b.bad))
		return false;
	if (!ret)
		s->sock->may = RD_BOUND;
	return true;
}

static bool do_listen(struct rd *r, struct rd_slot *s)
{
	static const int lengths[] = { 0, 1, 2, 16, -1, 0x7fffffff };
	int backlog = lengths[rd_below(r, 6)];
	int ret = listen(s->fd, backlog);

	say(r, "listen %d", backlog);
	if (!judge(r, s, backlog ? RD_LISTEN : RD_LISTEN_0, 0, ret, false))
		return false;
	if (!ret)
		s->sock->may = backlog ? RD_LISTENING : RD_BOUND;
	else if (s->sock->may & RD_FRESH)
		s->sock->may |= RD_BOUND;
	return true;
}

static bool do_connect(struct rd *r, struct rd_slot *s)
{
	struct sockaddr_storage ss;
	socklen_t len = rd_address(r, &ss);
	struct rd_buf b = rd_buffer(r, sizeof(ss));
	int ret;

	if (!b.bad)
		memcpy(b.ptr, &ss, sizeof(ss));
	ret = connect(s->fd, b.ptr, len);
	say(r, "connect family %d length %u", ss.ss_family, len);
	if (!judge(r, s, RD_CONNECT, 0, ret, b.bad))
		return false;
	if (!ret)
		s->sock->may = RD_HANDSHAKE | RD_CLOSED;
	else if (s->sock->may & RD_FRESH)
		s->sock->may |= RD_BOUND;
	return true;
}

static bool do_accept(struct rd *r, struct rd_slot *s)
{
	struct rd_slot *to = free_slot(r);
	struct rd_buf b = rd_buffer(r, sizeof(struct sockaddr_storage));
	socklen_t len = rd_below(r, sizeof(struct sockaddr_storage));
	int flags = rd_chance(r, 5) ? rd_next(r) : rd_chance(r, 50) ? SOCK_NONBLOCK : 0;
	bool name = rd_chance(r, 50);
	int fd;

	if (!to)
		return true;
	fd = accept4(s->fd, name ? b.ptr : NULL, name ? &len : NULL, flags);
	say(r, "accept flags 0x%x", flags);
	if (!judge(r, s, RD_ACCEPT, 0, fd, name && b.bad))
		return false;
	if (fd >= 0)
		put_slot(to, fd, s->sock->family, RD_HANDSHAKE | RD_CLOSED);
	return true;
}

static size_t draw_control(struct rd *r, char *control)
{
	struct quic_stream_info info = { .stream_id = rd_stream(r),
					 .stream_flags = rd_stream_flags(r) };
	struct cmsghdr *cmsg = (struct cmsghdr *)control;
	bool handshake = rd_chance(r, 15);

	cmsg->cmsg_level = rd_chance(r, 97) ? SOL_QUIC : SOL_SOCKET;
	cmsg->cmsg_type = handshake ? QUIC_HANDSHAKE_INFO : QUIC_STREAM_INFO;
	if (rd_chance(r, 2))
		cmsg->cmsg_type = rd_below(r, 5);
	cmsg->cmsg_len = rd_chance(r, 5) ? rd_below(r, 80) : CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
	if (handshake)
		*CMSG_DATA(cmsg) = rd_below(r, 5);
	return rd_chance(r, 5) ? rd_below(r, 64) : CMSG_SPACE(sizeof(info));
}

static bool do_send(struct rd *r, struct rd_slot *s)
{
	char control[128] __attribute__((aligned(8))) = { };
	size_t len = rd_chance(r, 10) ? 0 : rd_below(r, rd_chance(r, 50) ? 4096 : 100);
	struct rd_buf b = rd_buffer(r, len);
	struct iovec iov = { .iov_base = b.ptr, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int flags = rd_msg_flags(r);
	ssize_t ret;

	if (rd_chance(r, 85)) {
		msg.msg_control = control;
		msg.msg_controllen = draw_control(r, control);
	}
	ret = sendmsg(s->fd, &msg, flags | MSG_NOSIGNAL | MSG_DONTWAIT);
	say(r, "sendmsg %zu bytes flags 0x%x", len, flags);
	return judge(r, s, RD_SEND, 0, ret, b.bad) && ret <= (ssize_t)len;
}

static bool do_recv(struct rd *r, struct rd_slot *s)
{
	size_t len = rd_below(r, rd_chance(r, 50) ? 4096 : 30);
	struct rd_buf b = rd_buffer(r, len);
	struct rd_buf c = rd_buffer(r, 64);
	struct iovec iov = { .iov_base = b.ptr, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int flags = rd_msg_flags(r) & ~(MSG_ERRQUEUE | MSG_OOB);
	ssize_t ret;

	if (rd_chance(r, 70)) {
		msg.msg_control = c.ptr;
		msg.msg_controllen = rd_below(r, 65);
	}
	ret = recvmsg(s->fd, &msg, flags | MSG_DONTWAIT);
	say(r, "recvmsg %zu bytes flags 0x%x", len, flags);
	return judge(r, s, RD_RECV, 0, ret, b.bad || c.bad) && ret <= (ssize_t)len;
}

static bool do_shutdown(struct rd *r, struct rd_slot *s)
{
	int how = (int)rd_below(r, 5) - 1;
	int ret = shutdown(s->fd, how);

	say(r, "shutdown %d", how);
	if (!judge(r, s, RD_SHUTDOWN, 0, ret, false))
		return false;
	if (!ret)
		s->sock->may = s->sock->may == RD_LISTENING ? RD_BOUND : RD_CLOSED;
	return true;
}

static bool do_ioctl(struct rd *r, struct rd_slot *s)
{
	static const unsigned long cmds[] = { FIONREAD, TIOCOUTQ, SIOCOUTQNSD, 0x5401, 0x5460 };
	unsigned long cmd = cmds[rd_below(r, 5)];
	struct rd_buf b = rd_buffer(r, sizeof(int));
	int ret = ioctl(s->fd, cmd, b.ptr);

	say(r, "ioctl 0x%lx", cmd);
	return judge(r, s, RD_IOCTL, 0, ret, b.bad);
}

static bool do_name(struct rd *r, struct rd_slot *s)
{
	struct rd_buf b = rd_buffer(r, sizeof(struct sockaddr_storage));
	socklen_t len = rd_chance(r, 5) ? rd_next(r) : rd_below(r, 200);
	bool peer = rd_chance(r, 50);
	int ret;

	ret = peer ? getpeername(s->fd, b.ptr, &len) : getsockname(s->fd, b.ptr, &len);
	say(r, "%s", peer ? "getpeername" : "getsockname");
	return judge(r, s, peer ? RD_PEER : RD_NAME, 0, ret, b.bad || len > 128);
}

static int any_option(struct rd *r)
{
	if (rd_chance(r, 5))
		return rd_below(r, 80);
	return rd_chance(r, 5) ? QUIC_SOCKOPT_INFO : (int)rd_below(r, 16);
}

/* One handshake option may bring the handshake to its end, or the connection to its own. */
static bool do_set(struct rd *r, struct rd_slot *s)
{
	__u8 value[512] = { };
	int opt = any_option(r);
	size_t size = rd_option(r, opt, value, sizeof(value));
	size_t len = rd_length(r, size);
	struct rd_buf b = rd_buffer(r, len);
	int ret;

	if (!b.bad)
		memcpy(b.ptr, value, len < sizeof(value) ? len : sizeof(value));
	ret = setsockopt(s->fd, SOL_QUIC, opt, b.ptr, len);
	say(r, "setsockopt %d length %zu", opt, len);
	/* The length comes before all else. */
	if (ret < 0 && errno == EINVAL && len > 4096)
		return true;
	if (!judge(r, s, RD_SET, opt, ret, b.bad))
		return false;
	if (opt == QUIC_SOCKOPT_CRYPTO_SECRET && !ret)
		s->sock->may |= RD_ESTABLISHED;
	return true;
}

static bool do_get(struct rd *r, struct rd_slot *s)
{
	__u8 value[512] = { };
	int opt = any_option(r);
	size_t size = rd_option(r, opt, value, sizeof(value));
	socklen_t len = rd_length(r, size), asked = len;
	struct rd_buf b = rd_buffer(r, len);
	int ret;

	if (!b.bad)
		memcpy(b.ptr, value, len < sizeof(value) ? len : sizeof(value));
	ret = getsockopt(s->fd, SOL_QUIC, opt, b.ptr, &len);
	say(r, "getsockopt %d length %u", opt, asked);
	if (ret < 0 && errno == EINVAL && (int)asked < 0)
		return true;
	return judge(r, s, RD_GET, opt, ret, b.bad) && (ret || len <= asked);
}

/* Options of the layers around; SO_LINGER and time-outs stay as they are, so that no call waits. */
static bool do_generic(struct rd *r, struct rd_slot *s)
{
	static const int socket_options[] = { SO_SNDBUF, SO_RCVBUF, SO_REUSEPORT, SO_REUSEADDR,
					      SO_KEEPALIVE, SO_MARK, SO_PRIORITY, SO_ERROR, SO_TYPE,
					      SO_MAX_PACING_RATE, SO_INCOMING_CPU, SO_RCVLOWAT };
	static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6 };
	int level = levels[rd_below(r, 3)];
	int name = level == SOL_SOCKET ? socket_options[rd_below(r, 12)] : (int)rd_below(r, 80);
	struct rd_buf b = rd_buffer(r, 64);
	socklen_t len = rd_chance(r, 70) ? 4 : rd_below(r, 64);
	int value = rd_chance(r, 50) ? rd_below(r, 3) : rd_next(r) & 0xffff, ret;

	if (!b.bad)
		memcpy(b.ptr, &value, sizeof(value));
	if (rd_chance(r, 50))
		ret = setsockopt(s->fd, level, name, b.ptr, len);
	else
		ret = getsockopt(s->fd, level, name, b.ptr, &len);
	say(r, "option %d of level %d length %u", name, level, len);
	return judge(r, s, RD_GENERIC, 0, ret, b.bad);
}

/* Whether a new descriptor of the same socket is the same to the model. */
static bool do_dup(struct rd *r, struct rd_slot *s)
{
	struct rd_slot *to = free_slot(r);

	if (!to)
		return true;
	to->fd = dup(s->fd);
	say(r, "dup = %d", to->fd);
	if (to->fd < 0)
		return false;
	to->sock = s->sock;
	to->sock->refs++;
	return true;
}

static bool do_poll(struct rd *r, struct rd_slot *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	int ret = poll(&p, 1, 0);
	unsigned int may = s->sock->may;

	say(r, "poll = %d, 0x%x; fd %d, states 0x%x", ret, p.revents, s->fd, may);
	if (ret < 0)
		return false;
	if (!(may & ~(RD_FRESH | RD_BOUND | RD_CLOSED)))
		return p.revents & POLLHUP;
	return may != RD_LISTENING || !(p.revents & ~POLLIN);
}

/* A child uses its copies of the descriptors, in ways that leave the states alone, and dies. */
static bool do_fork(struct rd *r)
{
	struct rd_slot *s;
	int status = 0, i;
	pid_t pid = fork();

	say(r, "fork = %d", pid);
	if (pid < 0)
		return r->faults;
	for (i = 0; pid == 0 && i < 10; i++) {
		s = any_slot(r);
		if (!s)
			break;
		switch (rd_below(r, 4)) {
		case 0:
			status |= !do_send(r, s);
			break;
		case 1:
			status |= !do_recv(r, s);
			break;
		case 2:
			status |= !do_poll(r, s);
			break;
		default:
			status |= !do_name(r, s);
		}
	}
	if (pid == 0)
		_exit(status);
	return waitpid(pid, &status, 0) == pid && !status;
}

typedef bool (*call_fn)(struct rd *r, struct rd_slot *s);

/* As often as it stands here. */
static const call_fn calls[] = {
	do_bind, do_listen, do_connect, do_accept, do_accept, do_send, do_send, do_send, do_send,
	do_send, do_send, do_recv, do_recv, do_recv, do_recv, do_recv, do_shutdown, do_ioctl,
	do_name, do_set, do_set, do_set, do_set, do_set, do_get, do_get, do_get, do_generic,
	do_dup, do_poll, do_poll,
};

bool rd_step(struct rd *r)
{
	struct rd_slot *s = any_slot(r);

	r->step++;
	if (!s || rd_chance(r, 5))
		return do_socket(r);
	if (rd_chance(r, 3))
		return rd_open_pair(r);
	if (rd_chance(r, 1))
		return do_fork(r);
	if (rd_chance(r, 5)) {
		drop_slot(s);
		return true;
	}
	return calls[rd_below(r, ARRAY_SIZE(calls))](r, s);
}
