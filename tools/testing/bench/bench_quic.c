// SPDX-License-Identifier: GPL-2.0
/*
 * A QUIC connection without a TLS library, by the selftests' fixed secrets. Apart from bench.c
 * since <linux/quic.h> and <linux/tls.h> want other versions of the socket headers.
 */
#include <unistd.h>

#include "../selftests/net/quic/quic_ksft.h"

#include "bench.h"

static void check(int ret, const char *what)
{
	if (ret < 0) {
		errno = -ret;
		fail(what);
	}
}

/*
 * Not qk_setup(): in a network namespace of its own QUIC would have another MTU and other offloads
 * than the table says, and than those it is compared with.
 */
static void check_module(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_QUIC);

	if (fd < 0)
		fail("QUIC: is quic.ko loaded?");
	close(fd);
}

void quic_pair(struct pair *p)
{
	/* The windows a transfer at this rate needs: with the defaults the window is measured. */
	const struct quic_transport_param windows = {
		.max_data = 16 << 20,
		.max_stream_data_bidi_local = 8 << 20,
		.max_stream_data_bidi_remote = 8 << 20,
	};
	const struct qk_opts opts = {
		.cipher = QK_AES_GCM_128,
		.client_param = &windows,
		.server_param = &windows,
	};
	struct qk_pair pair;
	struct qk_item item;
	__s64 id = -1;
	char byte = 0;

	check_module();
	check(qk_pair_open(&pair, &opts), "QUIC handshake");
	check(qk_open(pair.client, &id, 0), "opening a stream");
	/* The first byte makes the stream active at the server: now plain read and write do. */
	check((int)qk_send(pair.client, id, 0, &byte, 1, 0), "first byte");
	check((int)qk_next(pair.server, &item, &byte, 1), "first byte at the server");
	p->client = pair.client;
	p->server = pair.server;
}
