// SPDX-License-Identifier: GPL-2.0
/* Messages, events and streams for the QUIC selftests. */
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "quic_ksft.h"

#define QK_EVENT_SPACE	128	/* type byte and the largest event */

/* Wait until one of @events is there; the result is what poll() saw. */
int qk_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int ret = poll(&p, 1, qk_wait_ms());

	if (ret < 0)
		return -errno;
	return ret ? p.revents : -ETIMEDOUT;
}

/* Fills in the control message that @msg has room for. */
void qk_cmsg(struct msghdr *msg, int type, const void *data, size_t len)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	cmsg->cmsg_level = SOL_QUIC;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), data, len);
}

/* Bytes that one of the SIOC*Q ioctls tells. */
int qk_queued(int fd, unsigned long request)
{
	int bytes = -1;

	return ioctl(fd, request, &bytes) ? -errno : bytes;
}

/* sendmsg() with a stream control message. */
ssize_t qk_send(int fd, __s64 id, __u32 stream_flags, const void *buf, size_t len, int flags)
{
	char control[CMSG_SPACE(sizeof(struct quic_stream_info))] = { };
	struct quic_stream_info info = { .stream_id = id, .stream_flags = stream_flags };
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t ret;

	qk_cmsg(&msg, QUIC_STREAM_INFO, &info, sizeof(info));
	ret = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	return ret < 0 ? -errno : ret;
}

static void classify(struct msghdr *msg, struct qk_item *it)
{
	struct cmsghdr *cmsg;
	struct quic_stream_info info = { };

	it->kind = QK_OTHER;
	it->stream_id = -1;
	it->msg_flags = msg->msg_flags;
	if (msg->msg_flags & MSG_QUIC_NOTIFICATION)
		it->kind = QK_EVENT;
	else if (msg->msg_flags & MSG_QUIC_DATAGRAM)
		it->kind = QK_DATAGRAM;
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		it->cmsgs++;
		if (cmsg->cmsg_level != SOL_QUIC)
			continue;
		if (cmsg->cmsg_type == QUIC_STREAM_INFO) {
			memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
			it->kind = QK_STREAM;
			it->stream_id = info.stream_id;
			it->stream_flags = info.stream_flags;
		} else if (cmsg->cmsg_type == QUIC_HANDSHAKE_INFO) {
			it->kind = QK_HANDSHAKE;
			it->level = *(__u8 *)CMSG_DATA(cmsg);
		}
	}
}

/* recvmsg() with room for either control message. */
ssize_t qk_recv(int fd, struct qk_item *it, void *buf, size_t len, int flags)
{
	char control[CMSG_SPACE(64)] = { };
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t ret = recvmsg(fd, &msg, flags);

	memset(it, 0, sizeof(*it));
	if (ret < 0)
		return -errno;
	it->len = ret;
	classify(&msg, it);
	return ret;
}

/* Wait for the next item and take it. */
ssize_t qk_next(int fd, struct qk_item *it, void *buf, size_t len)
{
	ssize_t ret = qk_recv(fd, it, buf, len, MSG_DONTWAIT);

	while (ret == -EAGAIN) {
		int ready = qk_wait(fd, POLLIN);

		if (ready < 0)
			return ready;
		ret = qk_recv(fd, it, buf, len, MSG_DONTWAIT);
	}
	return ret;
}

/* Drop everything up to the next event of a type and return its payload. */
int qk_next_event(int fd, __u8 type, union quic_event *ev)
{
	__u8 buf[QK_EVENT_SPACE];
	struct qk_item it;
	ssize_t ret;

	do {
		ret = qk_next(fd, &it, buf, sizeof(buf));
		if (ret < 0)
			return ret;
	} while (it.kind != QK_EVENT || ret < 1 || buf[0] != type);

	memset(ev, 0, sizeof(*ev));
	if ((size_t)ret - 1 < sizeof(*ev))
		memcpy(ev, buf + 1, ret - 1);
	else
		memcpy(ev, buf + 1, sizeof(*ev));
	return ret - 1;
}

/* Wait until a stream is reported to have entered a state. */
int qk_stream_state(int fd, __s64 id, __u8 state, struct quic_stream_update *up)
{
	union quic_event ev;
	int ret;

	do {
		ret = qk_next_event(fd, QUIC_EVENT_STREAM_UPDATE, &ev);
		if (ret < 0)
			return ret;
	} while (ev.update.id != id || ev.update.state != state);
	if (up)
		*up = ev.update;
	return 0;
}

/* STREAM_OPEN; @id is -1 or the wanted id, and becomes the one opened. */
int qk_open(int fd, __s64 *id, __u32 flags)
{
	struct quic_stream_info info = { .stream_id = *id, .stream_flags = flags };
	socklen_t len = sizeof(info);
	int ret = qk_get(fd, QUIC_SOCKOPT_STREAM_OPEN, &info, &len);

	if (!ret)
		*id = info.stream_id;
	return ret;
}

/* Whether nothing is there to be read just now. */
bool qk_quiet(int fd)
{
	struct qk_item it;
	char c;

	return qk_recv(fd, &it, &c, sizeof(c), MSG_DONTWAIT | MSG_PEEK) == -EAGAIN;
}

/*
 * An Initial packet of a client that is not there, with an id of its own. Its
 * payload cannot be read: whoever looks for a ClientHello finds none.
 */
void qk_unreadable(__u8 packet[QK_INITIAL], __u32 id)
{
	const int rest = QK_INITIAL - 26;	/* the length field counts what follows it */

	memset(packet, 0x5a, QK_INITIAL);
	memcpy(packet, "\xc0\0\0\0\1\10", 6);	/* version 1, destination id of 8 bytes */
	memcpy(packet + 6, &id, sizeof(id));
	packet[14] = 8;				/* source id of 8 bytes */
	memcpy(packet + 15, &id, sizeof(id));
	packet[23] = 0;				/* no token */
	packet[24] = 0x40 | rest >> 8;
	packet[25] = rest & 0xff;
}

/* The bytes of the Initial that a client sends. */
ssize_t qk_initial(const struct qk_opts *opts, __u8 *buf, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = qk_loopback(&ss, opts->family, 0);
	int udp = qk_udp(opts->family);
	int client = -1;
	ssize_t ret = -1;
	__u8 hello[1024];
	size_t len;

	if (udp < 0 || bind(udp, (struct sockaddr *)&ss, ss_len))
		goto out;
	client = qk_connect(opts, qk_port(udp));
	if (client < 0)
		goto out;
	len = qk_client_hello(client, NULL, hello, sizeof(hello));
	if (qk_hs_send(client, QUIC_CRYPTO_INITIAL, hello, len, 0) == (ssize_t)len &&
	    qk_wait(udp, POLLIN) > 0)
		ret = recv(udp, buf, size, MSG_DONTWAIT);
out:
	qk_close(&client);
	qk_close(&udp);
	return ret;
}
