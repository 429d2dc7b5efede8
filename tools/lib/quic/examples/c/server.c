// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A first server in C: sends back what it gets, one client after the other.
 *
 * cc server.c $(pkg-config --cflags --libs libquic) -o server
 * ./server 4433 keys.psk                 with pre-shared keys
 * ./server 4433 key.pem chain.pem        with a certificate
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/quic.h>

static void serve(int fd)
{
	char data[65536];
	uint32_t flags;
	int64_t sid;
	ssize_t len;

	for (;;) {
		flags = 0;
		sid = -1;
		/* Fails with ENOTCONN once the client has closed and everything was read. */
		len = quic_recvmsg(fd, data, sizeof(data), &sid, &flags);
		if (len < 0)
			return;
		/* Events, and streams that only the client may send on, get no answer. */
		if (sid < 0 || (sid & QUIC_STREAM_TYPE_UNI_MASK))
			continue;
		if (quic_sendmsg(fd, data, len, sid, flags & MSG_QUIC_STREAM_FIN) < 0) {
			perror("sending");
			return;
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	int listener, fd, ret;

	if (argc < 3) {
		fprintf(stderr, "usage: %s PORT KEYS.psk|KEY.pem [CHAIN.pem]\n", argv[0]);
		return 2;
	}
	addr.sin6_port = htons(atoi(argv[1]));

	listener = socket(AF_INET6, SOCK_DGRAM, IPPROTO_QUIC);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    setsockopt(listener, SOL_QUIC, QUIC_SOCKOPT_ALPN, "echo", strlen("echo")) ||
	    listen(listener, 16)) {
		perror("QUIC socket");
		return 1;
	}
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0) {
			perror("accepting");
			return 1;
		}
		ret = quic_server_handshake(fd, argv[2], argc > 3 ? argv[3] : NULL, "echo");
		if (ret)
			fprintf(stderr, "handshake: %s\n", quic_last_error());
		else
			serve(fd);
		close(fd);
	}
}
