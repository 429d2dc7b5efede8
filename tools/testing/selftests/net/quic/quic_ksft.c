// SPDX-License-Identifier: GPL-2.0
/* Environment, sockets and options for the QUIC selftests. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "quic_ksft.h"

/* Time that CALIBRATION_ROUNDS take on a slow machine without emulation. */
#define CALIBRATION_NS		8000000
#define CALIBRATION_ROUNDS	4000000

static __s64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__s64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/*
 * How many times slower than a usual machine this one is, at least 1.  An
 * emulated guest gives about 10 to 50.  QUIC_KSFT_SCALE overrides it.
 */
unsigned int qk_scale(void)
{
	static unsigned int scale;
	static __u64 sink;	/* keeps the compiler from dropping the loop */
	const char *env = getenv("QUIC_KSFT_SCALE");
	__u64 x = 1;
	__s64 spent;
	unsigned int i;

	if (scale)
		return scale;
	if (env && atoi(env) > 0) {
		scale = atoi(env);
		return scale;
	}
	spent = now_ns();
	for (i = 0; i < CALIBRATION_ROUNDS; i++)
		x = (x ^ x >> 29) * 6364136223846793005u + 1442695040888963407u;
	sink += x;
	spent = now_ns() - spent;
	scale = 1 + spent / CALIBRATION_NS;
	if (scale > 60)
		scale = 60;
	return scale;
}

__s64 qk_now_ms(void)
{
	return now_ns() / 1000000;
}

/* Longest wait for one event. */
int qk_wait_ms(void)
{
	return 5000 * qk_scale();
}

/* Longest run of one test. */
int qk_test_seconds(void)
{
	return 60 * qk_scale();
}

/* Bring a device up or down. */
int qk_link(const char *name, bool up)
{
	struct ifreq ifr = { };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int ret = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_flags = up ? IFF_UP : 0;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * Give the test a network namespace of its own, so that ports and counters are
 * private, and check that QUIC is there.  Without the right to do so the test
 * runs in the namespace it was started in.
 */
int qk_setup(void)
{
	int fd, ret;

	if (unshare(CLONE_NEWNET) == 0) {
		ret = qk_link("lo", true);
		if (ret)
			return ret;
	}
	fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_QUIC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Value of the line of a file that begins with @name, or -errno. */
__s64 qk_value(const char *path, const char *name)
{
	__s64 found = -ENOENT;
	char line[128], key[64];
	__s64 value;
	FILE *f = fopen(path, "r");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lld", key, &value) == 2 && !strcmp(key, name))
			found = value;
	}
	fclose(f);
	return found;
}

/* Value of a line of /proc/net/quic/snmp of this namespace. */
__s64 qk_snmp(const char *name)
{
	return qk_value("/proc/thread-self/net/quic/snmp", name);
}

/* One column of a line of /proc/net/protocols: 2 sockets of this namespace, 3 memory (pages). */
long qk_protocol(const char *name, int column)
{
	char line[256], key[32];
	long value[2], found = -1;
	FILE *f = fopen("/proc/thread-self/net/protocols", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %*d %ld %ld", key, &value[0], &value[1]) == 3 &&
		    !strcmp(key, name))
			found = value[column - 2];
	}
	if (f)
		fclose(f);
	return found;
}

/* Waits until no more than @sockets are left of those that linger after close. */
bool qk_sockets_go(enum qk_family family, long sockets)
{
	const char *name = family == QK_V4 ? "QUIC" : "QUICv6";
	__s64 start = qk_now_ms();

	while (qk_protocol(name, 2) > sockets && qk_now_ms() - start < qk_wait_ms())
		poll(NULL, 0, 5);
	return qk_protocol(name, 2) <= sockets;
}

/* Whether a line of /proc/net/quic/@file contains @text. */
bool qk_listed(const char *file, const char *text)
{
	bool found = false;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/thread-self/net/quic/%s", file);
	f = fopen(path, "r");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		found = found || strstr(line, text);
	fclose(f);
	return found;
}

/*
 * Look at the limits of net.quic.quic_mem, to change them.  They are those of the host, which its
 * first namespace shows: before qk_setup().
 */
int qk_limits_open(struct qk_limits *l)
{
	int fd = qk_socket(QK_V4, 0);
	ssize_t len;

	qk_close(&fd);
	l->fd = open("/proc/sys/net/quic/quic_mem", O_RDWR);
	len = l->fd < 0 ? -1 : pread(l->fd, l->text, sizeof(l->text) - 1, 0);
	return len > 0 ? 0 : -EIO;
}

/* At most @bytes, with pressure at three quarters of them. */
bool qk_limits_set(const struct qk_limits *l, unsigned int bytes)
{
	char text[64];
	ssize_t len = snprintf(text, sizeof(text), "%u %u %u", bytes / 8192,
			       bytes / 4096 * 3 / 4, bytes / 4096);

	return pwrite(l->fd, text, len, 0) == len;
}

/* The limits are as they were; whether they could be set. */
bool qk_limits_end(struct qk_limits *l)
{
	ssize_t len = strlen(l->text);
	bool done = l->fd < 0 || pwrite(l->fd, l->text, len, 0) == len;

	qk_close(&l->fd);
	return done;
}

/* A plain UDP socket. */
int qk_udp(enum qk_family family)
{
	return socket(family == QK_V4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
}

int qk_socket(enum qk_family family, int type)
{
	int fd = socket(family == QK_V4 ? AF_INET : AF_INET6, type ? type : SOCK_DGRAM,
			IPPROTO_QUIC);

	return fd < 0 ? -errno : fd;
}

/* An address of AF_INET or AF_INET6 from its text. */
socklen_t qk_address(struct sockaddr_storage *ss, int family, const char *text, __u16 port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = family;
	if (family == AF_INET) {
		in->sin_port = htons(port);
		inet_pton(AF_INET, text, &in->sin_addr);
		return sizeof(*in);
	}
	in6->sin6_port = htons(port);
	inet_pton(AF_INET6, text, &in6->sin6_addr);
	return sizeof(*in6);
}

socklen_t qk_loopback(struct sockaddr_storage *ss, enum qk_family family, __u16 port)
{
	if (family == QK_V4)
		return qk_address(ss, AF_INET, "127.0.0.1", port);
	return qk_address(ss, AF_INET6, family == QK_V6 ? "::1" : "::ffff:127.0.0.1", port);
}

/* Local port in host order, 0 if there is none. */
__u16 qk_port(int fd)
{
	struct sockaddr_storage ss = { };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len))
		return 0;
	if (ss.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&ss)->sin_port);
	return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
}

int qk_bind_loopback(int fd, enum qk_family family)
{
	struct sockaddr_storage ss;
	socklen_t len = qk_loopback(&ss, family, 0);

	return bind(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

int qk_set(int fd, int opt, const void *val, socklen_t len)
{
	return setsockopt(fd, SOL_QUIC, opt, val, len) ? -errno : 0;
}

int qk_set_int(int fd, int level, int opt, int val)
{
	return setsockopt(fd, level, opt, &val, sizeof(val)) ? -errno : 0;
}

int qk_get_int(int fd, int level, int opt)
{
	int val = -1;
	socklen_t len = sizeof(val);

	return getsockopt(fd, level, opt, &val, &len) ? -errno : val;
}

int qk_get(int fd, int opt, void *val, socklen_t *len)
{
	return getsockopt(fd, SOL_QUIC, opt, val, len) ? -errno : 0;
}

int qk_event(int fd, __u8 type, __u8 on)
{
	struct quic_event_option opt = { .type = type, .on = on };

	return qk_set(fd, QUIC_SOCKOPT_EVENT, &opt, sizeof(opt));
}

int qk_events(int fd, __u32 mask)
{
	int ret = 0;
	__u8 i;

	for (i = QUIC_EVENT_NONE + 1; i < QUIC_EVENT_MAX && !ret; i++) {
		if (mask & (1u << i))
			ret = qk_event(fd, i, 1);
	}
	return ret;
}

static int apply(int fd, const char *alpn, const struct quic_transport_param *param,
		 const struct quic_config *config, __u32 events)
{
	int ret = 0;

	if (alpn)
		ret = qk_set(fd, QUIC_SOCKOPT_ALPN, alpn, strlen(alpn));
	if (!ret && param)
		ret = qk_set(fd, QUIC_SOCKOPT_TRANSPORT_PARAM, param, sizeof(*param));
	if (!ret && config)
		ret = qk_set(fd, QUIC_SOCKOPT_CONFIG, config, sizeof(*config));
	return ret ? ret : qk_events(fd, events);
}

/* What @opts says about one side, set on a socket that is new. */
int qk_apply(int fd, const struct qk_opts *opts, bool server)
{
	if (server)
		return apply(fd, opts->alpn, opts->server_param, opts->server_config,
			     opts->server_events);
	return apply(fd, opts->alpn, opts->client_param, opts->client_config,
		     opts->client_events);
}

int qk_listen_at(const struct qk_opts *opts, __u16 port)
{
	int fd = qk_socket(opts->family, opts->type);
	struct sockaddr_storage ss;
	socklen_t len;
	int ret;

	if (fd < 0)
		return fd;
	len = qk_loopback(&ss, opts->family, port);
	ret = bind(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
	if (!ret)
		ret = qk_apply(fd, opts, true);
	if (!ret && listen(fd, 16))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

int qk_listen(const struct qk_opts *opts)
{
	return qk_listen_at(opts, 0);
}

int qk_connect(const struct qk_opts *opts, __u16 port)
{
	int fd = qk_socket(opts->family, opts->type);
	struct sockaddr_storage ss;
	socklen_t len;
	int ret;

	if (fd < 0)
		return fd;
	len = qk_loopback(&ss, opts->family, port);
	ret = qk_apply(fd, opts, false);
	if (!ret && connect(fd, (struct sockaddr *)&ss, len))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

/* Wait for a client and accept it. */
int qk_accept(int listener)
{
	int ret = qk_wait(listener, POLLIN);
	int fd;

	if (ret < 0)
		return ret;
	fd = accept(listener, NULL, NULL);
	return fd < 0 ? -errno : fd;
}

void qk_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
