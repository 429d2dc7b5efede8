// SPDX-License-Identifier: GPL-2.0
/*
 * Several listeners on one address and port, each in a process of its own: a
 * client reaches the one that its ClientHello asks for, by ALPN and by server
 * name, also if the ClientHello takes several packets.
 */
#include <signal.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define MAX_LISTENERS	6
#define PORT		4433

struct place {
	const char *alpn;
	const char *servers;
	bool any;		/* bound to the unspecified address */
};

/* A process that listens, accepts, and writes a byte for each client. */
struct child {
	pid_t pid;
	int fd;			/* read end of its pipe */
};

FIXTURE(dispatch) {
	struct child children[MAX_LISTENERS];
	size_t count;
	int client;
};

FIXTURE_VARIANT(dispatch) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(dispatch, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(dispatch, v6) { QK_V6 };

static void end_children(QUIC_SELF(dispatch))
{
	size_t i;

	for (i = 0; i < self->count; i++) {
		kill(self->children[i].pid, SIGKILL);
		waitpid(self->children[i].pid, NULL, 0);
		close(self->children[i].fd);
	}
	self->count = 0;
}

FIXTURE_SETUP(dispatch)
{
	int ret = qk_setup();

	self->client = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(dispatch)
{
	qk_close(&self->client);
	end_children(self);
}

static int set_text(int fd, int opt, const char *text)
{
	return text ? qk_set(fd, opt, text, strlen(text)) : 0;
}

static int start_listening(enum qk_family family, const struct place *at)
{
	int fd = qk_socket(family, 0);
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, family, PORT);
	int ret;

	if (fd < 0)
		return fd;
	if (at->any && family == QK_V4)
		((struct sockaddr_in *)&ss)->sin_addr.s_addr = 0;
	else if (at->any)
		((struct sockaddr_in6 *)&ss)->sin6_addr = in6addr_any;
	ret = set_text(fd, QUIC_SOCKOPT_ALPN, at->alpn);
	if (!ret)
		ret = set_text(fd, QUIC_SOCKOPT_SERVER_NAME, at->servers);
	if (!ret && (bind(fd, (struct sockaddr *)&ss, len) || listen(fd, 8)))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

/* 'l' once it listens, or 'e', then 'a' for every client whose ClientHello came whole. */
static void serve(enum qk_family family, const struct place *at, int out)
{
	int fd = start_listening(family, at);

	if (write(out, fd < 0 ? "e" : "l", 1) != 1 || fd < 0)
		_exit(1);
	for (;;) {
		int conn = accept(fd, NULL, NULL);
		__u8 buf[4096];
		struct qk_item it;
		char c;

		if (conn < 0)
			_exit(1);
		c = qk_next(conn, &it, buf, sizeof(buf)) > 0 && it.kind == QK_HANDSHAKE ? 'a' : 'b';
		if (write(out, &c, 1) != 1)
			_exit(1);
	}
}

static int start(QUIC_SELF(dispatch), enum qk_family family, const struct place *at)
{
	struct child *c = &self->children[self->count];
	int pipes[2];
	char said = 0;

	if (pipe(pipes))
		return -errno;
	c->pid = fork();
	if (c->pid < 0)
		return -errno;
	if (!c->pid) {
		close(pipes[0]);
		serve(family, at, pipes[1]);
	}
	close(pipes[1]);
	c->fd = pipes[0];
	self->count++;
	return read(c->fd, &said, 1) == 1 && said == 'l' ? 0 : -EADDRINUSE;
}

static int send_hello(QUIC_SELF(dispatch), enum qk_family family, const char *alpn,
		      const char *server, size_t padding)
{
	struct qk_opts opts = { .family = family,
				.client_events = 1u << QUIC_EVENT_CONNECTION_CLOSE };
	__u8 hello[8192];
	ssize_t ret;
	size_t n;

	self->client = qk_connect(&opts, PORT);
	if (self->client < 0)
		return self->client;
	n = qk_client_hello_for(self->client, alpn, server, padding, hello, sizeof(hello));
	if (!n)
		return -EMSGSIZE;
	ret = qk_hs_send(self->client, QUIC_CRYPTO_INITIAL, hello, n, 0);
	return ret == (ssize_t)n ? 0 : ret < 0 ? ret : -EMSGSIZE;
}

/* Index of the process that accepted, or the negative alert that the client got. */
static int reached(QUIC_SELF(dispatch))
{
	struct pollfd p[MAX_LISTENERS + 1];
	union quic_event ev;
	size_t i;
	char c = 0;

	for (i = 0; i < self->count; i++)
		p[i] = (struct pollfd){ .fd = self->children[i].fd, .events = POLLIN };
	p[i] = (struct pollfd){ .fd = self->client, .events = POLLIN };
	if (poll(p, i + 1, qk_wait_ms()) < 1)
		return -1;
	for (i = 0; i < self->count; i++) {
		if (p[i].revents)
			return read(p[i].fd, &c, 1) == 1 && c == 'a' ? (int)i : -2;
	}
	if (qk_next_event(self->client, QUIC_EVENT_CONNECTION_CLOSE, &ev) < 0)
		return -3;
	return -(int)ev.close.errcode;
}

struct ask {
	const char *alpn;
	const char *server;
	int index;
};

#define NO_PROTOCOL	(-(QUIC_TRANSPORT_ERROR_CRYPTO + 120))
#define NO_NAME		(-(QUIC_TRANSPORT_ERROR_CRYPTO + 112))

static const struct place by_alpn[] = {
	{ "h3,doq", NULL, true }, { "h3", NULL, false }, { "smb,nfs", NULL, false },
};

static const struct ask alpn_asks[] = {
	{ "h3", NULL, 1 }, { "nfs", NULL, 2 }, { "doq", NULL, 0 },
	/* The client's order decides, not the listeners'. */
	{ "doq,h3", NULL, 0 }, { "x,smb,h3", NULL, 2 }, { "h3,smb", NULL, 1 },
	/* A server name does not matter where nobody names one. */
	{ "smb", "example.org", 2 },
	{ "x", NULL, NO_PROTOCOL }, { NULL, NULL, NO_PROTOCOL },
};

static const struct place by_server[] = {
	{ "hq", "a.example.org", true },
	{ "h3", "a.example.org,B.example.org", false },
	{ "h3", "*.example.org", false },
	{ "h3", NULL, false },
	{ NULL, "plain.example.net", false },
};

static const struct ask server_asks[] = {
	{ "h3", "a.example.org", 1 }, { "h3", "b.EXAMPLE.org", 1 },
	{ "h3", "c.example.org", 2 },
	/* A "*" stands for one label. */
	{ "h3", "x.c.example.org", 3 }, { "h3", "example.org", 3 }, { "h3", NULL, 3 },
	{ "h3", "other.example", 3 },
	/* Who names the server wins, wherever it is bound and whatever the client likes best. */
	{ "hq", "a.example.org", 0 }, { "hq,h3", "a.example.org", 0 },
	{ "h3,hq", "a.example.org", 1 }, { "hq,h3", "d.example.org", 2 },
	{ "hq", "other.example", NO_NAME },
	/* A listener without ALPN takes what comes for its names. */
	{ "whatever", "plain.example.net", 4 }, { NULL, "plain.example.net", 4 },
	{ "hq,h3", "plain.example.net", 4 },
};

static void ask_all(struct __test_metadata *_metadata, QUIC_SELF(dispatch),
		    enum qk_family family, const struct ask *asks, size_t count, size_t padding)
{
	size_t i;

	for (i = 0; i < count; i++) {
		ASSERT_EQ(0, send_hello(self, family, asks[i].alpn, asks[i].server, padding));
		EXPECT_EQ(asks[i].index, reached(self)) {
			TH_LOG("%s at %s", asks[i].alpn ?: "nothing", asks[i].server ?: "nobody");
		}
		qk_close(&self->client);
	}
}

QUIC_TEST_F(dispatch, by_protocol)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(by_alpn); i++)
		ASSERT_EQ(0, start(self, variant->family, &by_alpn[i]));
	ask_all(_metadata, self, variant->family, alpn_asks, ARRAY_SIZE(alpn_asks), 0);
}

QUIC_TEST_F(dispatch, by_server_name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(by_server); i++)
		ASSERT_EQ(0, start(self, variant->family, &by_server[i]));
	ask_all(_metadata, self, variant->family, server_asks, ARRAY_SIZE(server_asks), 0);
}

/* Post-quantum key shares make a ClientHello longer than a packet. */
QUIC_TEST_F(dispatch, a_client_hello_of_several_packets)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(by_server); i++)
		ASSERT_EQ(0, start(self, variant->family, &by_server[i]));
	ask_all(_metadata, self, variant->family, server_asks, ARRAY_SIZE(server_asks), 2500);
}

/* First packets of clients that are not there: their ClientHellos stay incomplete. */
static int flood(enum qk_family family, __u32 count)
{
	__u8 packet[QK_INITIAL];
	int fd = qk_udp(family);
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, family, PORT);
	__u32 i;

	for (i = 0; fd >= 0 && i < count; i++) {
		qk_unreadable(packet, i);
		if (sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&ss, len) < 0)
			qk_close(&fd);
	}
	if (fd < 0)
		return -errno;
	qk_close(&fd);
	return 0;
}

/* More than are kept: the oldest make room, wherever in the table they are. */
TEST_F_TIMEOUT(dispatch, a_flood_of_incomplete_hellos_locks_nobody_out, 4 * qk_test_seconds())
{
	static const struct place place = { "h3", NULL, false };
	static const struct ask ask = { "h3", NULL, 0 };
	int i;

	ASSERT_EQ(0, start(self, variant->family, &place));
	for (i = 0; i < 12; i++) {
		ASSERT_EQ(0, flood(variant->family, i ? 500 : 6000));
		ask_all(_metadata, self, variant->family, &ask, 1, 2500);
	}
}

/* Waits until the memory of incomplete hellos is what @is_done wants. */
static bool hello_bytes(bool (*is_done)(__s64 bytes))
{
	__s64 start = qk_now_ms();

	/* The time that they are kept for is no matter of the machine's speed. */
	while (!is_done(qk_snmp("QuicHelloBytes")) && qk_now_ms() - start < 10000 + qk_wait_ms())
		poll(NULL, 0, 20);
	return is_done(qk_snmp("QuicHelloBytes"));
}

static bool are_many(__s64 bytes)
{
	return bytes >= 100 * QK_INITIAL;
}

static bool are_none(__s64 bytes)
{
	return bytes == 0;
}

/* Their time is over whether anything else comes or not. */
QUIC_TEST_F(dispatch, incomplete_hellos_are_given_up_without_further_traffic)
{
	static const struct place place = { "h3", NULL, false };
	__s64 drops = qk_snmp("QuicHelloDrop");

	ASSERT_EQ(0, start(self, variant->family, &place));
	EXPECT_EQ(0, qk_snmp("QuicHelloBytes"));
	ASSERT_EQ(0, flood(variant->family, 100));
	EXPECT_TRUE(hello_bytes(are_many));
	EXPECT_EQ(drops, qk_snmp("QuicHelloDrop"));
	EXPECT_TRUE(hello_bytes(are_none)) {
		TH_LOG("%lld bytes are left", (long long)qk_snmp("QuicHelloBytes"));
	}
	EXPECT_EQ(drops + 100, qk_snmp("QuicHelloDrop"));
}

QUIC_TEST_F(dispatch, incomplete_hellos_go_with_the_last_listener)
{
	static const struct place place = { "h3", NULL, false };

	ASSERT_EQ(0, start(self, variant->family, &place));
	ASSERT_EQ(0, flood(variant->family, 100));
	EXPECT_TRUE(hello_bytes(are_many));
	end_children(self);
	EXPECT_EQ(0, qk_snmp("QuicHelloBytes"));
}

#define TOO_SLOW	"too slow: hellos are given up as fast as this machine sends them"

static bool half_is_taken(void)
{
	return qk_snmp("QuicHelloBytes") >= (2 << 20) - (64 << 10);
}

/* Half of the room is for anybody, the other half for those who answer a Retry. */
TEST_F_TIMEOUT(dispatch, under_a_flood_a_client_proves_its_address_before_its_hello_is_kept,
	       4 * qk_test_seconds())
{
	static const struct place place = { "h3", NULL, false };
	static const struct ask small = { "h3", NULL, 0 }, large = { "h3", NULL, 0 };
	__s64 in;

	ASSERT_EQ(0, start(self, variant->family, &place));
	ASSERT_EQ(0, flood(variant->family, 3000));
	if (qk_snmp("QuicRetryOut") == 0 && !half_is_taken())
		SKIP(return, TOO_SLOW);
	EXPECT_TRUE(hello_bytes(are_many));
	EXPECT_LT(0, qk_snmp("QuicRetryOut"));
	EXPECT_GE((2 << 20) + (64 << 10), qk_snmp("QuicHelloBytes"));
	in = qk_snmp("QuicRetryIn");
	/* Nothing has to be kept of a hello that comes whole. */
	ask_all(_metadata, self, variant->family, &small, 1, 0);
	EXPECT_EQ(in, qk_snmp("QuicRetryIn"));
	/* The flood goes on while the client proves itself. */
	ASSERT_EQ(0, flood(variant->family, 3000));
	ask_all(_metadata, self, variant->family, &large, 1, 2500);
	if (qk_snmp("QuicRetryIn") == in && !half_is_taken())
		SKIP(return, TOO_SLOW);
	EXPECT_LT(in, qk_snmp("QuicRetryIn"));
}

/* An open protocol list takes what nobody else on the port has. */
QUIC_TEST_F(dispatch, a_listener_without_alpn_takes_the_rest)
{
	static const struct place places[] = { { "h3", NULL, false }, { NULL, NULL, false } };
	static const struct ask asks[] = {
		{ "h3", NULL, 0 }, { "x", NULL, 1 }, { NULL, NULL, 1 }, { "x,h3", NULL, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		ASSERT_EQ(0, start(self, variant->family, &places[i]));
	ask_all(_metadata, self, variant->family, asks, ARRAY_SIZE(asks), 0);
}

struct two {
	struct place first;
	struct place second;
	int ret;
};

static const struct two twos[] = {
	{ { NULL, "a.test", false }, { NULL, "a.test", false }, -EADDRINUSE },
	{ { NULL, "a.test,b.test", false }, { NULL, "B.TEST,c.test", false }, -EADDRINUSE },
	{ { NULL, "a.test", false }, { NULL, "b.test", false }, 0 },
	{ { NULL, "a.test", false }, { NULL, "*.test", false }, 0 },
	{ { NULL, "*.test", false }, { NULL, "*.test", false }, -EADDRINUSE },
	{ { NULL, "a.test", false }, { NULL, NULL, false }, 0 },
	{ { "x", "a.test", false }, { "y", "a.test", false }, 0 },
	{ { "x", "a.test", false }, { "x,y", "a.test", false }, -EADDRINUSE },
	{ { "x", "a.test", false }, { NULL, "a.test", false }, 0 },
};

QUIC_TEST_F(dispatch, two_on_one_port_differ_by_server_name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(twos); i++) {
		int a = start_listening(variant->family, &twos[i].first);
		int b = start_listening(variant->family, &twos[i].second);

		EXPECT_LE(0, a);
		EXPECT_EQ(twos[i].ret, b < 0 ? b : 0) {
			TH_LOG("row %zu", i);
		}
		qk_close(&a);
		qk_close(&b);
	}
}

struct list {
	const char *set;
	int ret;
	const char *get;
};

#define LABEL63	"123456789012345678901234567890123456789012345678901234567890123"

static const struct list lists[] = {
	{ "a.test", 0, "a.test" },
	{ "A.Test, b.TEST", 0, "a.test,b.test" },
	{ "*.a.test", 0, "*.a.test" },
	{ "xn--bcher-kva.test,under_score.test,1.2", 0, "xn--bcher-kva.test,under_score.test,1.2" },
	{ LABEL63 ".test", 0, LABEL63 ".test" },
	{ LABEL63 "4.test", -EINVAL, NULL },
	{ LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, -EINVAL, NULL },
	{ "a.test,,b.test", -EINVAL, NULL },
	{ "a..test", -EINVAL, NULL },
	{ "a.test.", -EINVAL, NULL },
	{ "*", -EINVAL, NULL },
	{ "a.*.test", -EINVAL, NULL },
	{ "a b.test", -EINVAL, NULL },
	{ "1.t,2.t,3.t,4.t,5.t,6.t,7.t,8.t,9.t,10.t,11.t,12.t,13.t,14.t,15.t,16.t", 0,
	  "1.t,2.t,3.t,4.t,5.t,6.t,7.t,8.t,9.t,10.t,11.t,12.t,13.t,14.t,15.t,16.t" },
	{ "1.t,2.t,3.t,4.t,5.t,6.t,7.t,8.t,9.t,10.t,11.t,12.t,13.t,14.t,15.t,16.t,17.t",
	  -EINVAL, NULL },
};

QUIC_TEST_F(dispatch, lists_of_servers_by_table)
{
	static char large[1025];
	char got[1024];
	socklen_t len;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		fd = qk_socket(variant->family, 0);
		ASSERT_LE(0, fd);
		EXPECT_EQ(lists[i].ret, set_text(fd, QUIC_SOCKOPT_SERVER_NAME, lists[i].set)) {
			TH_LOG("%s", lists[i].set);
		}
		len = sizeof(got);
		ASSERT_EQ(0, qk_get(fd, QUIC_SOCKOPT_SERVER_NAME, got, &len));
		EXPECT_EQ(lists[i].get ? strlen(lists[i].get) : 0, len);
		EXPECT_EQ(0, memcmp(got, lists[i].get ?: "", len));
		qk_close(&fd);
	}
	fd = qk_socket(variant->family, 0);
	ASSERT_LE(0, fd);
	memset(large, 'a', sizeof(large));
	EXPECT_EQ(-EINVAL, qk_set(fd, QUIC_SOCKOPT_SERVER_NAME, large, sizeof(large)));
	ASSERT_EQ(0, set_text(fd, QUIC_SOCKOPT_SERVER_NAME, "a.test"));
	len = 5;
	EXPECT_EQ(-EINVAL, qk_get(fd, QUIC_SOCKOPT_SERVER_NAME, got, &len));
	EXPECT_EQ(0, qk_set(fd, QUIC_SOCKOPT_SERVER_NAME, NULL, 0));
	len = sizeof(got);
	EXPECT_EQ(0, qk_get(fd, QUIC_SOCKOPT_SERVER_NAME, got, &len));
	EXPECT_EQ(0, len);
	ASSERT_EQ(0, listen(fd, 1));
	EXPECT_EQ(-EINVAL, set_text(fd, QUIC_SOCKOPT_SERVER_NAME, "a.test"));
	qk_close(&fd);
}

TEST_HARNESS_MAIN
