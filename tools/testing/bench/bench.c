// SPDX-License-Identifier: GPL-2.0
/*
 * Bulk transfer and request/response over TCP, kTLS and QUIC on loopback, both ends in one machine.
 *
 *   bench PROTOCOL bulk BYTES WRITE-SIZE
 *   bench PROTOCOL rr COUNT SIZE
 *
 * PROTOCOL is tcp, ktls or quic. kTLS and QUIC get fixed keys (AES-128-GCM), so no TLS library is
 * part of what is measured. Prints one line: the protocol, the test, its arguments, and nanoseconds
 * per byte or per round trip. In a guest that counts instructions, a nanosecond is one instruction
 * of the whole path, both ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void tcp_pair(struct pair *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int one = 1;
	int l = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) || listen(l, 1) ||
	    getsockname(l, (struct sockaddr *)&a, &len))
		fail("listening");
	p->client = socket(AF_INET, SOCK_STREAM, 0);
	if (p->client < 0 || connect(p->client, (struct sockaddr *)&a, sizeof(a)))
		fail("connecting");
	p->server = accept(l, NULL, NULL);
	if (p->server < 0)
		fail("accepting");
	close(l);
	setsockopt(p->client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(p->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void ktls_keys(int fd, int tx, int rx)
{
	struct tls12_crypto_info_aes_gcm_128 key = {
		.info = { .version = TLS_1_3_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128 },
	};

	memset(key.key, 'k', sizeof(key.key));
	memset(key.salt, 's', sizeof(key.salt));
	if (setsockopt(fd, SOL_TCP, TCP_ULP, "tls", sizeof("tls")))
		fail("kTLS: modprobe tls");
	memset(key.iv, tx, sizeof(key.iv));
	if (setsockopt(fd, SOL_TLS, TLS_TX, &key, sizeof(key)))
		fail("TLS_TX");
	memset(key.iv, rx, sizeof(key.iv));
	if (setsockopt(fd, SOL_TLS, TLS_RX, &key, sizeof(key)))
		fail("TLS_RX");
}

static void ktls_pair(struct pair *p)
{
	tcp_pair(p);
	ktls_keys(p->client, 'c', 's');
	ktls_keys(p->server, 's', 'c');
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n <= 0)
			fail("write");
		data += n;
		len -= (size_t)n;
	}
}

static void read_all(int fd, char *data, size_t size, uint64_t len)
{
	while (len) {
		ssize_t n = read(fd, data, len < size ? len : size);

		if (n <= 0)
			fail("read");
		len -= (uint64_t)n;
	}
}

/* The child receives and answers with one byte in the end; the parent sends and takes the time. */
static uint64_t bulk(struct pair *p, uint64_t bytes, size_t size)
{
	static char data[1 << 20];
	uint64_t start, sent;
	pid_t child;

	if (!size || size > sizeof(data)) {
		errno = EINVAL;
		fail("write size");
	}
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		read_all(p->server, data, sizeof(data), bytes);
		write_all(p->server, "!", 1);
		/* Stays open until the answer was read: QUIC's close drops what is in flight. */
		pause();
		_exit(0);
	}
	start = now();
	for (sent = 0; sent < bytes; sent += size)
		write_all(p->client, data, bytes - sent < size ? bytes - sent : size);
	read_all(p->client, data, 1, 1);
	start = now() - start;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return start;
}

static uint64_t round_trips(struct pair *p, uint64_t count, size_t size)
{
	static char data[1 << 16];
	uint64_t start, i;
	pid_t child;

	if (!size || size > sizeof(data)) {
		errno = EINVAL;
		fail("message size");
	}
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		for (i = 0; i < count + 10; i++) {
			read_all(p->server, data, sizeof(data), size);
			write_all(p->server, data, size);
		}
		pause();
		_exit(0);
	}
	start = 0;
	for (i = 0; i < count + 10; i++) {
		if (i == 10) /* the first ones warm up */
			start = now();
		write_all(p->client, data, size);
		read_all(p->client, data, sizeof(data), size);
	}
	start = now() - start;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return start;
}

int main(int argc, char **argv)
{
	struct pair p;
	uint64_t count, ns;
	size_t size;

	if (argc != 5) {
		fprintf(stderr,
			"usage: bench tcp|ktls|quic bulk BYTES WRITE-SIZE | rr COUNT SIZE\n");
		return 2;
	}
	count = strtoull(argv[3], NULL, 0);
	size = strtoul(argv[4], NULL, 0);
	if (!strcmp(argv[1], "tcp"))
		tcp_pair(&p);
	else if (!strcmp(argv[1], "ktls"))
		ktls_pair(&p);
	else
		quic_pair(&p);
	ns = strcmp(argv[2], "rr") ? bulk(&p, count, size) : round_trips(&p, count, size);
	printf("%s %s %llu %zu %.2f\n", argv[1], argv[2], (unsigned long long)count, size,
	       (double)ns / (double)count);
	return 0;
}
