// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A first client in C: sends a line on a stream, prints the answer.
 *
 * cc client.c $(pkg-config --cflags --libs libquic) -o client
 * ./client 127.0.0.1 4433 keys.psk [TEXT]      with a pre-shared key
 * ./client 192.0.2.1 4433 server.example       with the system's trust
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/quic.h>

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	const char *text = argc > 4 ? argv[4] : "hello";
	uint32_t flags = MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN;
	char answer[4096];
	int64_t sid = 0;
	ssize_t len;
	int fd, ret;

	if (argc < 4 || inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1) {
		fprintf(stderr, "usage: %s ADDRESS PORT KEYS.psk|NAME [TEXT]\n", argv[0]);
		return 2;
	}
	addr.sin_port = htons(atoi(argv[2]));

	fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_QUIC);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		perror("QUIC socket");
		return 1;
	}

	if (access(argv[3], R_OK) == 0)
		ret = quic_client_handshake(fd, argv[3], NULL, "echo");
	else
		ret = quic_client_handshake(fd, NULL, argv[3], "echo");
	if (ret) {
		fprintf(stderr, "handshake: %s\n", quic_last_error());
		return 1;
	}

	/* Opens stream 0, sends the text, and says that nothing more will come. */
	if (quic_sendmsg(fd, text, strlen(text), sid, flags) < 0) {
		perror("sending");
		return 1;
	}
	do {
		flags = 0;
		len = quic_recvmsg(fd, answer, sizeof(answer), &sid, &flags);
		if (len < 0) {
			perror("receiving");
			return 1;
		}
		fwrite(answer, 1, len, stdout);
	} while (!(flags & MSG_QUIC_STREAM_FIN));
	putchar('\n');
	close(fd);
	return 0;
}
