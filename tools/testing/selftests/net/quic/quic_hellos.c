// SPDX-License-Identifier: GPL-2.0
/* ClientHellos that take two packets, read to find a listener: what of them is kept. */
#include <pthread.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

#define HALVES		2
#define HELLOS		2500
#define FIRST_PORT	20000

FIXTURE(hellos) {
	struct qk_opts opts;
	int listener;
};

FIXTURE_VARIANT(hellos) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(hellos, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(hellos, v6) { QK_V6 };

FIXTURE_SETUP(hellos)
{
	int ret = qk_setup();

	self->listener = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
}

FIXTURE_TEARDOWN(hellos)
{
	qk_close(&self->listener);
}

/* The packets of a ClientHello that takes two, as they are sent. */
static int capture_hello(const struct qk_opts *opts, __u8 packets[HALVES][QK_INITIAL])
{
	struct sockaddr_storage ss;
	socklen_t ss_len = qk_loopback(&ss, opts->family, 0);
	int udp = qk_udp(opts->family);
	int client, i, ret;

	if (udp < 0 || bind(udp, (struct sockaddr *)&ss, ss_len))
		return -errno;
	client = qk_hs_client(opts, qk_port(udp), 1200, NULL);
	ret = client < 0 ? client : 0;
	for (i = 0; i < HALVES && !ret; i++) {
		ret = qk_wait(udp, POLLIN);
		if (ret >= 0)
			ret = recv(udp, packets[i], QK_INITIAL, MSG_TRUNC) - QK_INITIAL;
	}
	close(udp);
	qk_close(&client);
	return ret;
}

/* The first @count of them from a client at @from. */
static int throw_hello(const struct qk_opts *opts, __u16 from, __u16 to,
		       __u8 packets[HALVES][QK_INITIAL], int count)
{
	int udp = qk_udp(opts->family), i;
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, opts->family, from);
	int ret = bind(udp, (struct sockaddr *)&ss, len);

	len = qk_loopback(&ss, opts->family, to);
	for (i = 0; i < count && !ret; i++) {
		if (sendto(udp, packets[i], QK_INITIAL, 0, (struct sockaddr *)&ss, len) < 0)
			ret = -1;
	}
	ret = ret ? -errno : 0;
	close(udp);
	return ret;
}

static bool hellos_are_kept(bool kept)
{
	__s64 start = qk_now_ms();

	while (!!qk_snmp("QuicHelloBytes") != kept && qk_now_ms() - start < 1000)
		poll(NULL, 0, 5);
	return !!qk_snmp("QuicHelloBytes") == kept;
}

/* More in five seconds than may wait for their other half at a time. */
TEST_F_TIMEOUT(hellos, hellos_that_came_whole_do_not_count_among_those_that_wait,
	       4 * qk_test_seconds())
{
	__u8 packets[HALVES][QK_INITIAL];
	__s64 retries = qk_snmp("QuicRetryOut");
	__u16 port;
	int i;

	ASSERT_EQ(0, capture_hello(&self->opts, packets));
	/* Every hello is read, and none names the protocol. */
	self->opts.alpn = "h3";
	self->listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->listener);
	port = qk_port(self->listener);
	for (i = 0; i < HELLOS; i++)
		ASSERT_EQ(0, throw_hello(&self->opts, FIRST_PORT + i, port, packets, HALVES));
	EXPECT_TRUE(hellos_are_kept(false));
	ASSERT_EQ(0, throw_hello(&self->opts, FIRST_PORT + i, port, packets, 1));
	EXPECT_TRUE(hellos_are_kept(true));
	EXPECT_EQ(retries, qk_snmp("QuicRetryOut"));
}

/* Longer than the packets of a flight are apart. */
#define PATIENCE_MS	300

/*
 * A half, and again after a while as of a client that waits for an answer, from
 * a socket that is returned.
 */
static int ask_again(const struct qk_opts *opts, __u16 to, const __u8 *half)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, opts->family, to);
	int udp = qk_udp(opts->family), i;

	if (udp < 0 || connect(udp, (struct sockaddr *)&ss, len))
		return -errno;
	for (i = 0; i < 2; i++) {
		if (i)
			poll(NULL, 0, PATIENCE_MS);
		if (send(udp, half, QK_INITIAL, 0) < 0)
			return -errno;
	}
	return udp;
}

static bool nobody_waits(int listener)
{
	struct pollfd pfd = { .fd = listener, .events = POLLIN };

	return poll(&pfd, 1, PATIENCE_MS) == 0;
}

/* There are clients that send nothing lost again before something else is acknowledged. */
QUIC_TEST_F(hellos, a_client_that_waits_with_half_a_hello_is_acknowledged)
{
	int half, udp, accepted;
	__u8 packets[HALVES][QK_INITIAL];

	ASSERT_EQ(0, capture_hello(&self->opts, packets));
	self->opts.alpn = "h3";
	self->listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->listener);
	for (half = 0; half < HALVES; half++) {
		udp = ask_again(&self->opts, qk_port(self->listener), packets[half]);
		ASSERT_LE(0, udp);
		accepted = qk_accept(self->listener);
		EXPECT_LE(0, accepted) {
			TH_LOG("half %d: %s", half, strerror(-accepted));
		}
		EXPECT_LT(0, qk_wait(udp, POLLIN)) {
			TH_LOG("half %d is not acknowledged", half);
		}
		qk_close(&udp);
		qk_close(&accepted);
	}
	EXPECT_TRUE(hellos_are_kept(false));
}

QUIC_TEST_F(hellos, half_a_hello_chooses_none_of_two_listeners)
{
	__u8 packets[HALVES][QK_INITIAL];
	int udp, other;

	ASSERT_EQ(0, capture_hello(&self->opts, packets));
	self->opts.alpn = "h3";
	self->listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->listener);
	self->opts.alpn = "doq";
	other = qk_listen_at(&self->opts, qk_port(self->listener));
	ASSERT_LE(0, other);
	udp = ask_again(&self->opts, qk_port(other), packets[0]);
	ASSERT_LE(0, udp);
	EXPECT_TRUE(nobody_waits(self->listener));
	EXPECT_TRUE(nobody_waits(other));
	EXPECT_TRUE(hellos_are_kept(true));
	qk_close(&udp);
	qk_close(&other);
}

/* Packets under keys that are not the client's are no question. */
QUIC_TEST_F(hellos, a_packet_that_cannot_be_read_is_not_answered)
{
	__u8 packets[HALVES][QK_INITIAL];
	int udp;

	ASSERT_EQ(0, capture_hello(&self->opts, packets));
	packets[0][QK_INITIAL - 1] ^= 1;
	self->opts.alpn = "h3";
	self->listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->listener);
	udp = ask_again(&self->opts, qk_port(self->listener), packets[0]);
	ASSERT_LE(0, udp);
	EXPECT_TRUE(nobody_waits(self->listener));
	qk_close(&udp);
}

#define CLIENTS		400
#define TRIES		5

/* Sends a packet to the listener for each client, at the same time as another one does. */
struct sender {
	const int *clients;
	const __u8 *packet;
	const struct sockaddr_storage *to;
	socklen_t len;
	pthread_barrier_t *ready;
	int failed;
};

static void *send_half(void *arg)
{
	struct sender *s = arg;
	int i;

	for (i = 0; i < CLIENTS; i++) {
		pthread_barrier_wait(s->ready);
		if (sendto(s->clients[i], s->packet, QK_INITIAL, 0, (struct sockaddr *)s->to,
			   s->len) < 0)
			s->failed++;
	}
	return NULL;
}

/* Both halves of each client's hello, by two threads.  Packets that were not sent, or -errno. */
static int throw_both_at_once(const int *clients, const struct sockaddr_storage *to,
			      socklen_t len, __u8 packets[HALVES][QK_INITIAL])
{
	struct sender senders[HALVES];
	pthread_t threads[HALVES];
	pthread_barrier_t ready;
	int i, failed = 0;

	pthread_barrier_init(&ready, NULL, HALVES);
	for (i = 0; i < HALVES; i++) {
		senders[i] = (struct sender){ clients, packets[i], to, len, &ready, 0 };
		if (pthread_create(&threads[i], NULL, send_half, &senders[i]))
			exit(1);
	}
	for (i = 0; i < HALVES; i++) {
		pthread_join(threads[i], NULL);
		failed += senders[i].failed;
	}
	pthread_barrier_destroy(&ready);
	return failed;
}

/* Two CPUs find nothing kept of the client, and each has a half to keep. */
QUIC_TEST_F(hellos, halves_that_come_at_once_find_each_other)
{
	__u8 packets[HALVES][QK_INITIAL];
	struct sockaddr_storage ss, to;
	int clients[CLIENTS], try, i;
	__s64 drops;
	socklen_t len;

	ASSERT_EQ(0, capture_hello(&self->opts, packets));
	self->opts.alpn = "h3";
	self->listener = qk_listen(&self->opts);
	ASSERT_LE(0, self->listener);
	drops = qk_snmp("QuicHelloDrop");
	qk_loopback(&to, variant->family, qk_port(self->listener));
	for (try = 0; try < TRIES; try++) {
		for (i = 0; i < CLIENTS; i++) {
			len = qk_loopback(&ss, variant->family, FIRST_PORT + try * CLIENTS + i);
			clients[i] = socket(ss.ss_family, SOCK_DGRAM, 0);
			ASSERT_LE(0, clients[i]);
			ASSERT_EQ(0, bind(clients[i], (struct sockaddr *)&ss, len));
		}
		EXPECT_EQ(0, throw_both_at_once(clients, &to, len, packets));
		for (i = 0; i < CLIENTS; i++)
			qk_close(&clients[i]);
		EXPECT_TRUE(hellos_are_kept(false)) {
			TH_LOG("%lld bytes are left", (long long)qk_snmp("QuicHelloBytes"));
		}
	}
	EXPECT_EQ(drops, qk_snmp("QuicHelloDrop"));
}

TEST_HARNESS_MAIN
