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
	int udp = socket(opts->family == QK_V4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
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
	int udp = socket(opts->family == QK_V4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0), i;
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
QUIC_TEST_F(hellos, hellos_that_came_whole_do_not_count_among_those_that_wait)
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

TEST_HARNESS_MAIN
