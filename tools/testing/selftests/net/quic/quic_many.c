// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams to broadcast and multicast addresses, which UDP hands to every socket
 * of the port: no connection begins so, and nothing answers.
 */
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>

#include "kselftest_harness.h"
#include "quic_ksft.h"

FIXTURE(many) {
	struct qk_pair p;
	struct qk_opts opts;
	int udp;
};

FIXTURE_VARIANT(many) {
	enum qk_family family;
};

FIXTURE_VARIANT_ADD(many, v4) { QK_V4 };
FIXTURE_VARIANT_ADD(many, v6) { QK_V6 };

FIXTURE_SETUP(many)
{
	int ret = qk_setup();

	self->p = (struct qk_pair){ -1, -1, -1 };
	self->udp = -1;
	if (ret)
		SKIP(return, "no QUIC sockets here: %s", strerror(-ret));
	self->opts.family = variant->family;
	self->udp = qk_udp(variant->family);
	ASSERT_LE(0, self->udp);
}

FIXTURE_TEARDOWN(many)
{
	qk_pair_close(&self->p);
	qk_close(&self->udp);
}

static bool dropped(__s64 count)
{
	__s64 start = qk_now_ms();

	while (qk_snmp("QuicPktRcvDrop") < count && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	return qk_snmp("QuicPktRcvDrop") >= count;
}

/* A listener of all addresses. */
static int listen_to_all(const struct qk_opts *opts)
{
	int v4 = opts->family == QK_V4, fd = qk_socket(opts->family, 0), ret;
	struct sockaddr_storage ss;
	socklen_t len = qk_address(&ss, v4 ? AF_INET : AF_INET6, v4 ? "0.0.0.0" : "::", 0);

	if (fd < 0)
		return fd;
	ret = qk_apply(fd, opts, true);
	if (!ret && (bind(fd, (struct sockaddr *)&ss, len) || listen(fd, 16)))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

/* Send to a broadcast or multicast address, through a device. */
static int throw_at_many(int udp, const char *addr, const char *device, __u16 port,
			 const void *buf, size_t len)
{
	int v6 = !!strchr(addr, ':');
	struct sockaddr_storage ss;
	socklen_t ss_len = qk_address(&ss, v6 ? AF_INET6 : AF_INET, addr, port);
	int ret = qk_set_int(udp, SOL_SOCKET, SO_BROADCAST, 1);

	if (v6)
		((struct sockaddr_in6 *)&ss)->sin6_scope_id = if_nametoindex(device);
	if (setsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, device, strlen(device)))
		return -errno;
	if (sendto(udp, buf, len, 0, (struct sockaddr *)&ss, ss_len) < 0)
		return -errno;
	return ret;
}

/* As above, once the device is up, which is not at once where IPv6 is concerned. */
static int throw_when_up(int udp, const char *addr, const char *device, __u16 port,
			 const void *buf, size_t len)
{
	__s64 start = qk_now_ms();
	int ret;

	for (;;) {
		ret = throw_at_many(udp, addr, device, port, buf, len);
		if (ret != -ENETUNREACH && ret != -EADDRNOTAVAIL)
			return ret;
		if (qk_now_ms() - start > qk_wait_ms())
			return ret;
		poll(NULL, 0, 5);
	}
}

static const char * const wire[] = {
	"ip link add many type veth peer name few",
	"ip addr add 10.77.0.1/16 brd + dev many",
	"ip addr add fd00:77::1/64 dev many nodad",
	"ip link set few up",
	"ip link set many up",
};

/* Whether there are the devices now. */
static bool lay_wire(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wire); i++) {
		if (system(wire[i]))
			return false;
	}
	return true;
}

static const char * const places[][2] = {
	{ "224.0.0.1", "lo" }, { "255.255.255.255", "lo" },
	/* The copies for this host itself. */
	{ "224.0.0.1", "many" }, { "10.77.255.255", "many" }, { "255.255.255.255", "many" },
	{ "ff02::1", "many" },
};

QUIC_TEST_F(many, an_initial_to_many_hosts_makes_no_connection_and_gets_no_answer)
{
	struct quic_config config = { .validate_peer_address = 1 };
	__u8 buf[2048];
	ssize_t len = qk_initial(&self->opts, buf, sizeof(buf));
	__s64 before, retries = qk_snmp("QuicRetryOut");
	size_t i;

	if (!lay_wire())
		SKIP(return, "no veth devices here");
	ASSERT_LE(1200, len);
	/* The answer would be a Retry packet. */
	self->opts.server_config = &config;
	self->p.listener = listen_to_all(&self->opts);
	ASSERT_LE(0, self->p.listener);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		bool is_v6 = variant->family == QK_V6;

		if (!!strchr(places[i][0], ':') != is_v6)
			continue;
		before = qk_snmp("QuicPktRcvDrop");
		ASSERT_EQ(0, throw_when_up(self->udp, places[i][0], places[i][1],
					   qk_port(self->p.listener), buf, len)) {
			TH_LOG("%s by %s", places[i][0], places[i][1]);
		}
		EXPECT_TRUE(dropped(before + 1)) {
			TH_LOG("%s by %s was not dropped", places[i][0], places[i][1]);
		}
	}
	EXPECT_EQ(retries, qk_snmp("QuicRetryOut"));
	EXPECT_EQ(0, poll(&(struct pollfd){ self->p.listener, POLLIN, 0 }, 1, 0));
	EXPECT_EQ(0, poll(&(struct pollfd){ self->udp, POLLIN, 0 }, 1, 0));
}

/*
 * Nothing but the routing table knows the loopback network's broadcast address for
 * one.  IPv6 sockets get IPv4 datagrams too.
 */
QUIC_TEST_F(many, accept_passes_over_a_client_that_cannot_be_answered)
{
	__u8 buf[2048];
	ssize_t len = qk_initial(&self->opts, buf, sizeof(buf));
	__s64 before = qk_snmp("QuicPktRcvDrop");
	__u16 port;

	ASSERT_LE(1200, len);
	qk_close(&self->udp);
	self->udp = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_LE(0, self->udp);
	self->p.listener = listen_to_all(&self->opts);
	ASSERT_LE(0, self->p.listener);
	ASSERT_EQ(0, fcntl(self->p.listener, F_SETFL, O_NONBLOCK));
	port = qk_port(self->p.listener);
	ASSERT_EQ(0, throw_at_many(self->udp, "127.255.255.255", "lo", port, buf, len));
	ASSERT_EQ(POLLIN, qk_wait(self->p.listener, POLLIN));
	EXPECT_EQ(-1, accept(self->p.listener, NULL, NULL));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(before + 1, qk_snmp("QuicPktRcvDrop"));
	/* The next one in the queue is taken in the same call, which waits for it. */
	ASSERT_EQ(0, fcntl(self->p.listener, F_SETFL, 0));
	ASSERT_EQ(0, throw_at_many(self->udp, "127.255.255.255", "lo", port, buf, len));
	ASSERT_EQ(POLLIN, qk_wait(self->p.listener, POLLIN));
	self->p.client = qk_connect(&self->opts, port);
	ASSERT_LE(0, self->p.client);
	ASSERT_EQ(0, qk_hs_hello(&self->p, &self->opts));
	EXPECT_EQ(0, qk_hs_finish(&self->p, self->opts.cipher));
}

TEST_HARNESS_MAIN
