// SPDX-License-Identifier: GPL-2.0
/* What comes with a message for sendmsg(): control messages, an address; the order of checks. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

FIXTURE(cmsg) {
	struct qk_pair p;
};

FIXTURE_SETUP(cmsg)
{
	struct qk_opts opts = { };
	int ret = qk_setup();

	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	ASSERT_EQ(0, qk_pair_open(&self->p, &opts));
}

FIXTURE_TEARDOWN(cmsg)
{
	qk_pair_close(&self->p);
}

struct control {
	char bytes[256];
	size_t len;
};

static void add(struct control *c, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *h = (struct cmsghdr *)(c->bytes + c->len);

	h->cmsg_level = level;
	h->cmsg_type = type;
	h->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(h), data, len);
	c->len += CMSG_SPACE(len);
}

static void add_stream(struct control *c, __s64 id, __u32 flags, size_t len)
{
	struct quic_stream_info info[2] = { { .stream_id = id, .stream_flags = flags } };

	add(c, SOL_QUIC, QUIC_STREAM_INFO, info, len);
}

static ssize_t go(int fd, struct control *c, int flags)
{
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = c->bytes,
		.msg_controllen = c->len,
	};
	ssize_t ret = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);

	return ret < 0 ? -errno : ret;
}

QUIC_TEST_F(cmsg, a_short_one_counts_as_zero_extended)
{
	struct control c = { };

	/* Eight bytes: the id alone; NEW is missing, so stream 0 is not there. */
	add_stream(&c, 0, MSG_QUIC_STREAM_NEW, 8);
	EXPECT_EQ(-EINVAL, go(self->p.client, &c, 0));
	c.len = 0;
	add_stream(&c, 0, MSG_QUIC_STREAM_NEW, 12);
	EXPECT_EQ(1, go(self->p.client, &c, 0));
	/* No byte at all: id 0, which is open by now. */
	c.len = 0;
	add_stream(&c, 0, 0, 0);
	EXPECT_EQ(1, go(self->p.client, &c, 0));
}

QUIC_TEST_F(cmsg, a_long_one_is_cut)
{
	struct control c = { };

	add_stream(&c, 0, MSG_QUIC_STREAM_NEW, 32);
	EXPECT_EQ(1, go(self->p.client, &c, 0));
}

QUIC_TEST_F(cmsg, another_level_is_ignored)
{
	struct control c = { };
	int val = 7;

	add(&c, IPPROTO_TCP, 99, &val, sizeof(val));
	add_stream(&c, 0, MSG_QUIC_STREAM_NEW, 16);
	EXPECT_EQ(1, go(self->p.client, &c, 0));
}

QUIC_TEST_F(cmsg, an_unknown_type_of_quic_is_refused)
{
	int types[] = { 2, 3, 63, 64, 255, -1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct control c = { };
		int val = 0;

		add_stream(&c, 0, MSG_QUIC_STREAM_NEW, 16);
		add(&c, SOL_QUIC, types[i], &val, sizeof(val));
		EXPECT_EQ(-EINVAL, go(self->p.client, &c, 0)) {
			TH_LOG("type %d", types[i]);
		}
	}
}

QUIC_TEST_F(cmsg, malformed_headers_are_refused)
{
	struct row {
		const char *what;
		size_t cmsg_len;
		size_t controllen;
	};
	static const struct row rows[] = {
		{ "length zero", 0, 32 },
		{ "shorter than its header", sizeof(struct cmsghdr) - 1, 32 },
		{ "longer than the control buffer", 33, 32 },
		{ "huge", SIZE_MAX / 2, 32 },
		{ "all ones", SIZE_MAX, 32 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct control c = { };

		add_stream(&c, 0, MSG_QUIC_STREAM_NEW, 16);
		((struct cmsghdr *)c.bytes)->cmsg_len = rows[i].cmsg_len;
		c.len = rows[i].controllen;
		EXPECT_EQ(-EINVAL, go(self->p.client, &c, 0)) {
			TH_LOG("%s", rows[i].what);
		}
	}
	/* No stream came of it. */
	EXPECT_EQ(-EINVAL, qk_send(self->p.client, 0, 0, "x", 1, 0));
}

QUIC_TEST_F(cmsg, the_flags_of_the_message_do_not_add_to_those_of_the_control_message)
{
	struct control c = { };
	struct qk_item it;
	char buf[4];

	add_stream(&c, 0, MSG_QUIC_STREAM_NEW, 16);
	ASSERT_EQ(1, go(self->p.client, &c, MSG_QUIC_STREAM_FIN));
	ASSERT_EQ(1, qk_next(self->p.server, &it, buf, sizeof(buf)));
	EXPECT_EQ(0, it.stream_flags);
	EXPECT_EQ(1, qk_send(self->p.client, 0, 0, "y", 1, 0));
}

QUIC_TEST_F(cmsg, handshake_wins_over_stream)
{
	struct quic_handshake_info info = { .crypto_level = QUIC_CRYPTO_EARLY };
	struct control c = { };

	add_stream(&c, 0, MSG_QUIC_STREAM_NEW, 16);
	add(&c, SOL_QUIC, QUIC_HANDSHAKE_INFO, &info, sizeof(info));
	EXPECT_EQ(-EINVAL, go(self->p.client, &c, 0));
	EXPECT_EQ(-EINVAL, qk_send(self->p.client, 0, 0, "x", 1, 0)) {
		TH_LOG("the stream was opened");
	}
}

QUIC_TEST_F(cmsg, handshake_messages_by_table)
{
	struct row {
		__u8 level;
		size_t len;
		int ret;
	};
	static const struct row rows[] = {
		{ QUIC_CRYPTO_EARLY, 1, -EINVAL },
		{ QUIC_CRYPTO_MAX, 1, -EINVAL },
		{ 255, 1, -EINVAL },
		{ QUIC_CRYPTO_APP, 0, -EMSGSIZE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].ret, qk_hs_send(self->p.server, rows[i].level, "x",
						  rows[i].len, 0)) {
			TH_LOG("level %u, %zu bytes", rows[i].level, rows[i].len);
		}
	}
}

QUIC_TEST_F(cmsg, a_bad_control_pointer_is_a_fault)
{
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = (void *)8,
		.msg_controllen = 32,
	};

	EXPECT_EQ(-1, sendmsg(self->p.client, &msg, MSG_NOSIGNAL));
	EXPECT_EQ(EFAULT, errno);
}

/* A message whose address names nobody that the socket knows, and what else it carries. */
static ssize_t odd(int fd, int flags, const void *control, size_t len)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &iov,
			      .msg_iovlen = 1, .msg_control = (void *)control,
			      .msg_controllen = len };
	ssize_t ret = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);

	return ret < 0 ? -errno : ret;
}

QUIC_TEST_F(cmsg, the_address_of_a_message_is_ignored)
{
	struct qk_item it;
	char c;

	ASSERT_EQ(1, odd(self->p.client, MSG_QUIC_STREAM_NEW, NULL, 0));
	ASSERT_EQ(1, qk_next(self->p.server, &it, &c, 1));
	EXPECT_EQ(0, it.stream_id);
}

/* Flags are looked at first, then the state, then the control messages. */
QUIC_TEST_F(cmsg, checks_come_in_their_order)
{
	static const struct cmsghdr broken = { .cmsg_len = 1, .cmsg_level = SOL_QUIC };
	int fd = qk_socket(QK_V4, 0), i;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, odd(self->p.client, 0, &broken, sizeof(broken)));
	ASSERT_EQ(0, shutdown(self->p.client, SHUT_RDWR));
	for (i = 0; i < 3; i++) {
		int at = i == 0 ? fd : i == 1 ? self->p.listener : self->p.client;

		EXPECT_EQ(-EINVAL, odd(at, MSG_OOB, &broken, sizeof(broken))) {
			TH_LOG("socket %d", i);
		}
		EXPECT_EQ(-EPIPE, odd(at, 0, &broken, sizeof(broken))) {
			TH_LOG("socket %d", i);
		}
		EXPECT_EQ(-EPIPE, odd(at, MSG_QUIC_STREAM_NEW, NULL, 0)) {
			TH_LOG("socket %d", i);
		}
		EXPECT_EQ(-EPIPE, odd(at, MSG_QUIC_DATAGRAM, NULL, 0)) {
			TH_LOG("socket %d", i);
		}
	}
	qk_close(&fd);
}

TEST_HARNESS_MAIN
