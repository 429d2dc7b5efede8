// SPDX-License-Identifier: GPL-2.0
/* Transfers of a known pattern, checked byte by byte by the receiver. */
#include <string.h>

#include "quic_ksft.h"

#define CHUNK	32768
#define MAX_FLOWS	16

static __u64 mix(__u64 x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* The bytes at @offset of the endless sequence named by @seed. */
void qk_pattern(__u8 *buf, size_t len, __u64 seed, __u64 offset)
{
	size_t i = 0;

	while (i < len) {
		__u64 at = offset + i;
		__u64 word = mix(seed ^ (at / 8 * 0x2545f4914f6cdd1du));
		size_t skip = at % 8;
		size_t n = 8 - skip < len - i ? 8 - skip : len - i;

		memcpy(buf + i, (__u8 *)&word + skip, n);
		i += n;
	}
}

/* Queue as much as the socket takes; whether anything was taken, or -errno. */
static int push(struct qk_flow *f)
{
	static __u8 buf[CHUNK];
	int progress = 0;

	while (!f->sent_all) {
		size_t left = f->size - f->sent;
		size_t n = left < CHUNK ? left : CHUNK;
		__u32 flags = 0;
		ssize_t ret;

		if (!f->opened)
			flags |= MSG_QUIC_STREAM_NEW;
		if (n == left)
			flags |= MSG_QUIC_STREAM_FIN;
		qk_pattern(buf, n, f->seed, f->sent);
		ret = qk_send(f->from, f->id, flags, buf, n, MSG_DONTWAIT);
		if (ret == -EAGAIN || ret == -ENOSPC)
			return progress;
		if (ret < 0)
			return ret;
		f->opened = true;
		f->sent += ret;
		f->sent_all = (size_t)ret == n && n == left;
		progress = 1;
	}
	return progress;
}

static struct qk_flow *find(struct qk_flow *flows, size_t count, int to, __s64 id)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (flows[i].to == to && flows[i].id == id)
			return &flows[i];
	}
	return NULL;
}

/* Take what is there from one socket; whether anything was, or -errno. */
static int pull(struct qk_flow *flows, size_t count, int fd)
{
	static __u8 got[CHUNK], want[CHUNK];
	int progress = 0;

	for (;;) {
		struct qk_flow *f;
		struct qk_item it;
		ssize_t ret = qk_recv(fd, &it, got, sizeof(got), MSG_DONTWAIT);

		if (ret == -EAGAIN)
			return progress;
		if (ret < 0)
			return ret;
		progress = 1;
		if (it.kind != QK_STREAM)
			continue;
		f = find(flows, count, fd, it.stream_id);
		if (!f || f->received_all || f->received + ret > f->size)
			return -EBADMSG;
		qk_pattern(want, ret, f->seed, f->received);
		if (memcmp(got, want, ret))
			return -EILSEQ;
		f->received += ret;
		f->received_all = it.stream_flags & MSG_QUIC_STREAM_FIN;
		if (f->received_all && f->received != f->size)
			return -EMSGSIZE;
	}
}

static bool all_received(const struct qk_flow *flows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!flows[i].received_all)
			return false;
	}
	return true;
}

/*
 * Sleep until a receiver has something.  Writers are looked at again after a
 * while: POLLOUT says nothing about the credit of a stream.
 */
static int await(const struct qk_flow *flows, size_t count)
{
	struct pollfd p[MAX_FLOWS];
	size_t i, n = 0;

	for (i = 0; i < count; i++) {
		if (!flows[i].received_all)
			p[n++] = (struct pollfd){ .fd = flows[i].to, .events = POLLIN };
	}
	return poll(p, n, 20) < 0 ? -errno : 0;
}

/*
 * Run flows in parallel until the receivers have all bytes and all ends.
 * -ETIMEDOUT if nothing moves for qk_wait_ms(), -EILSEQ for a wrong byte.
 */
int qk_flow_run(struct qk_flow *flows, size_t count)
{
	__s64 moved = qk_now_ms();
	size_t i;
	int ret;

	if (count > MAX_FLOWS)
		return -E2BIG;
	while (!all_received(flows, count)) {
		bool progress = false;

		for (i = 0; i < count; i++) {
			ret = push(&flows[i]);
			if (ret < 0)
				return ret;
			progress |= ret;
			ret = pull(flows, count, flows[i].to);
			if (ret < 0)
				return ret;
			progress |= ret;
		}
		if (progress) {
			moved = qk_now_ms();
			continue;
		}
		if (qk_now_ms() - moved > qk_wait_ms())
			return -ETIMEDOUT;
		ret = await(flows, count);
		if (ret)
			return ret;
	}
	return 0;
}
