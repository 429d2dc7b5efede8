// SPDX-License-Identifier: GPL-2.0
/*
 * 32-bit programs: system calls through int 0x80, with the structures as an
 * i386 compiler lays them out.  No 32-bit compiler or library is needed, only
 * memory below 4 GiB.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define LOW_MEMORY	65536

/* i386 system call numbers. */
#define I386_IOCTL	54
#define I386_GETSOCKOPT	365
#define I386_SETSOCKOPT	366
#define I386_SENDMSG	370
#define I386_RECVMSG	372

struct iovec32 {
	__u32 base;
	__u32 len;
};

struct msghdr32 {
	__u32 name;
	__u32 namelen;
	__u32 iov;
	__u32 iovlen;
	__u32 control;
	__u32 controllen;
	__u32 flags;
};

struct cmsghdr32 {
	__u32 len;
	__s32 level;
	__s32 type;
};

/* 64-bit numbers are aligned to 4 bytes: no padding at the end. */
struct stream_info32 {
	__s64 stream_id;
	__u32 stream_flags;
} __attribute__((packed, aligned(4)));

struct stream_cmsg32 {
	struct cmsghdr32 hdr;
	struct stream_info32 info;
};

/* What libquic gives for a handshake message: CMSG_SPACE(1). */
struct level_cmsg32 {
	struct cmsghdr32 hdr;
	__u8 level;
	__u8 pad[3];
};

struct low {
	struct msghdr32 msg;
	struct iovec32 iov;
	struct level_cmsg32 level_cmsg;
	__s32 number;
	struct stream_cmsg32 cmsg;
	struct stream_info32 info;
	struct quic_config config;
	__u32 optlen;
	char data[4096];
};

FIXTURE(compat) {
	struct qk_pair p;
	struct qk_opts opts;
	struct low *low;
};

#ifdef __x86_64__
static long call32(long nr, __u32 a, __u32 b, __u32 c, __u32 d, __u32 e)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "a" (nr), "b" (a), "c" (b), "d" (c), "S" (d), "D" (e)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}
#else
static long call32(long nr, __u32 a, __u32 b, __u32 c, __u32 d, __u32 e)
{
	return -EOPNOTSUPP;
}
#endif

static __u32 low_ptr(const void *p)
{
	return (__u32)(unsigned long)p;
}

FIXTURE_SETUP(compat)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->low = MAP_FAILED;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
#ifdef __x86_64__
	self->low = mmap(NULL, LOW_MEMORY, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
#endif
	if (self->low == MAP_FAILED)
		SKIP(return, "no 32-bit system calls on this architecture");
	if (call32(I386_GETSOCKOPT, -1, 0, 0, 0, 0) != -EBADF)
		SKIP(return, "the kernel has no 32-bit system calls");
	ASSERT_EQ(0, qk_pair_open(&self->p, &self->opts));
}

FIXTURE_TEARDOWN(compat)
{
	qk_pair_close(&self->p);
	if (self->low != MAP_FAILED)
		munmap(self->low, LOW_MEMORY);
}

static void prepare(struct low *low, size_t len)
{
	low->iov = (struct iovec32){ .base = low_ptr(low->data), .len = len };
	low->msg = (struct msghdr32){
		.iov = low_ptr(&low->iov),
		.iovlen = 1,
		.control = low_ptr(&low->cmsg),
		.controllen = sizeof(low->cmsg),
	};
}

static long send32(struct low *low, int fd, __s64 id, __u32 flags, const char *text)
{
	prepare(low, strlen(text));
	memcpy(low->data, text, strlen(text));
	low->cmsg.hdr = (struct cmsghdr32){ .len = sizeof(low->cmsg), .level = SOL_QUIC,
					    .type = QUIC_STREAM_INFO };
	low->cmsg.info = (struct stream_info32){ .stream_id = id, .stream_flags = flags };
	return call32(I386_SENDMSG, fd, low_ptr(&low->msg), MSG_NOSIGNAL, 0, 0);
}

static long recv32(struct low *low, int fd)
{
	prepare(low, sizeof(low->data));
	memset(&low->cmsg, 0xee, sizeof(low->cmsg));
	return call32(I386_RECVMSG, fd, low_ptr(&low->msg), MSG_DONTWAIT, 0, 0);
}

TEST_F(compat, the_structure_has_twelve_bytes)
{
	ASSERT_EQ(12, sizeof(struct stream_info32));
	ASSERT_EQ(24, sizeof(struct stream_cmsg32));
}

QUIC_TEST_F(compat, a_message_is_sent_and_received)
{
	struct low *low = self->low;

	ASSERT_EQ(5, send32(low, self->p.client, 4,
			    MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN, "hello"));
	ASSERT_LE(0, qk_wait(self->p.server, POLLIN));
	ASSERT_EQ(5, recv32(low, self->p.server));
	EXPECT_EQ(0, memcmp(low->data, "hello", 5));
	/* All of it fits the control buffer that such a program gives. */
	EXPECT_EQ(0, low->msg.flags & MSG_CTRUNC);
	EXPECT_EQ(sizeof(low->cmsg), low->msg.controllen);
	EXPECT_EQ(sizeof(low->cmsg), low->cmsg.hdr.len);
	EXPECT_EQ(SOL_QUIC, low->cmsg.hdr.level);
	EXPECT_EQ(QUIC_STREAM_INFO, low->cmsg.hdr.type);
	EXPECT_EQ(4, low->cmsg.info.stream_id);
	EXPECT_EQ(MSG_QUIC_STREAM_FIN, low->cmsg.info.stream_flags);
}

QUIC_TEST_F(compat, flags_of_other_protocols_are_refused_as_ever)
{
	struct low *low = self->low;

	prepare(low, 1);
	low->msg.controllen = 0;
	EXPECT_EQ(-EINVAL, call32(I386_SENDMSG, self->p.client, low_ptr(&low->msg),
				  MSG_OOB | MSG_NOSIGNAL, 0, 0));
}

QUIC_TEST_F(compat, options_take_and_give_its_structures)
{
	struct low *low = self->low;

	low->info = (struct stream_info32){ .stream_id = -1 };
	low->optlen = sizeof(low->info);
	ASSERT_EQ(0, call32(I386_GETSOCKOPT, self->p.client, SOL_QUIC,
			    QUIC_SOCKOPT_STREAM_OPEN, low_ptr(&low->info),
			    low_ptr(&low->optlen)));
	EXPECT_EQ(12, low->optlen);
	EXPECT_EQ(0, low->info.stream_id);
	EXPECT_EQ(MSG_QUIC_STREAM_NEW, low->info.stream_flags);
	low->optlen = sizeof(low->config);
	ASSERT_EQ(0, call32(I386_GETSOCKOPT, self->p.client, SOL_QUIC, QUIC_SOCKOPT_CONFIG,
			    low_ptr(&low->config), low_ptr(&low->optlen)));
	EXPECT_EQ(333000, low->config.initial_smoothed_rtt);
	/* struct quic_errinfo has the same shape. */
	low->info = (struct stream_info32){ .stream_id = 0, .stream_flags = 7 };
	EXPECT_EQ(0, call32(I386_SETSOCKOPT, self->p.client, SOL_QUIC,
			    QUIC_SOCKOPT_STREAM_RESET, low_ptr(&low->info),
			    sizeof(low->info)));
}

QUIC_TEST_F(compat, a_handshake_message_is_sent_and_received)
{
	struct low *low = self->low;
	struct qk_pair p = { -1, -1, -1 };

	p.listener = qk_listen(&self->opts);
	ASSERT_LE(0, p.listener);
	p.client = qk_connect(&self->opts, qk_port(p.listener));
	ASSERT_LE(0, p.client);
	prepare(low, 5);
	memcpy(low->data, "hello", 5);
	low->msg.control = low_ptr(&low->level_cmsg);
	low->msg.controllen = sizeof(low->level_cmsg);
	low->level_cmsg = (struct level_cmsg32){
		.hdr = { .len = sizeof(struct cmsghdr32) + 1, .level = SOL_QUIC,
			 .type = QUIC_HANDSHAKE_INFO },
		.level = QUIC_CRYPTO_INITIAL,
	};
	ASSERT_EQ(5, call32(I386_SENDMSG, p.client, low_ptr(&low->msg), MSG_NOSIGNAL, 0, 0));
	p.server = qk_accept(p.listener);
	ASSERT_LE(0, p.server);
	prepare(low, sizeof(low->data));
	low->msg.control = low_ptr(&low->level_cmsg);
	low->msg.controllen = sizeof(low->level_cmsg);
	memset(&low->level_cmsg, 0xee, sizeof(low->level_cmsg));
	ASSERT_EQ(5, call32(I386_RECVMSG, p.server, low_ptr(&low->msg), MSG_DONTWAIT, 0, 0));
	EXPECT_EQ(0, low->msg.flags & MSG_CTRUNC);
	EXPECT_EQ(sizeof(struct cmsghdr32) + 1, low->level_cmsg.hdr.len);
	EXPECT_EQ(QUIC_HANDSHAKE_INFO, low->level_cmsg.hdr.type);
	EXPECT_EQ(QUIC_CRYPTO_INITIAL, low->level_cmsg.level);
	qk_pair_close(&p);
}

QUIC_TEST_F(compat, queues_are_told)
{
	static const __u32 cmds[] = { FIONREAD, TIOCOUTQ, 0x894b /* SIOCOUTQNSD */ };
	struct low *low = self->low;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		low->number = -1;
		EXPECT_EQ(0, call32(I386_IOCTL, self->p.client, cmds[i], low_ptr(&low->number), 0,
				    0)) {
			TH_LOG("command %#x", cmds[i]);
		}
		EXPECT_LE(0, low->number);
		EXPECT_EQ(-EINVAL, call32(I386_IOCTL, self->p.listener, cmds[i],
					  low_ptr(&low->number), 0, 0)) {
			TH_LOG("command %#x", cmds[i]);
		}
	}
}

TEST_HARNESS_MAIN
