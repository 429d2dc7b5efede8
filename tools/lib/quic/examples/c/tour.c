// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A tour of quic(7): one process is the server, its child the client.  libquic does the handshakes,
 * everything else is plain socket calls: streams in both directions, datagrams, events, an update of
 * the keys, a migration to another address, counters, and an end with a reason.
 *
 * cc tour.c $(pkg-config --cflags --libs libquic) -o tour
 * ./tour keys.psk                    keys.psk: a line "identity:key in hexadecimal"
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <netinet/quic.h>

static const char *role;

static void check(int good, const char *what)
{
	if (good) {
		printf("%s: %s\n", role, what);
		fflush(stdout);
		return;
	}
	fprintf(stderr, "%s: NOT %s (%s)\n", role, what, strerror(errno));
	exit(1);
}

/* ---- messages with a control message ---- */

/* What one recvmsg() has brought. */
struct item {
	char data[2048];
	ssize_t len;
	int flags;		/* MSG_QUIC_DATAGRAM, MSG_QUIC_NOTIFICATION, MSG_EOR */
	struct quic_stream_info stream;
};

static ssize_t send_on(int fd, int64_t id, const char *text, uint32_t stream_flags)
{
	struct quic_stream_info info = { id, stream_flags };
	struct iovec iov = { (void *)text, strlen(text) };
	char control[CMSG_SPACE(sizeof(info))] = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_QUIC;
	cmsg->cmsg_type = QUIC_STREAM_INFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
	return sendmsg(fd, &msg, 0);
}

static int receive(int fd, struct item *item)
{
	struct iovec iov = { item->data, sizeof(item->data) - 1 };
	char control[CMSG_SPACE(sizeof(item->stream))];
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	memset(item, 0, sizeof(*item));
	item->stream.stream_id = -1;
	item->len = recvmsg(fd, &msg, 0);
	if (item->len < 0)
		return -1;
	item->data[item->len] = 0;
	item->flags = msg.msg_flags;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_QUIC && cmsg->cmsg_type == QUIC_STREAM_INFO)
			memcpy(&item->stream, CMSG_DATA(cmsg), sizeof(item->stream));
	}
	return 0;
}

/* ---- options ---- */

static int set(int fd, int name, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_QUIC, name, value, len);
}

static void want_event(int fd, uint8_t type)
{
	struct quic_event_option option = { type, 1 };

	check(set(fd, QUIC_SOCKOPT_EVENT, &option, sizeof(option)) == 0, "asks for events");
}

static void prepare(int fd)
{
	struct quic_transport_param params = {
		.max_datagram_frame_size = 1400,
		.max_streams_uni = 5,
	};
	struct quic_config config = {
		.congestion_control_algo = QUIC_CONG_ALG_CUBIC,
		.keepalive_probe_interval = 5000000,
	};
	struct timeval patience = { .tv_sec = 60 };

	check(set(fd, QUIC_SOCKOPT_TRANSPORT_PARAM, &params, sizeof(params)) == 0 &&
	      set(fd, QUIC_SOCKOPT_CONFIG, &config, sizeof(config)) == 0 &&
	      set(fd, QUIC_SOCKOPT_ALPN, "tour", 4) == 0, "sets parameters");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

/* ---- the server: sends back what comes, until the client closes ---- */

static void serve(int listener, const char *keys)
{
	struct quic_connection_close reason;
	socklen_t len = sizeof(reason);
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	struct item item;
	int moved = 0, fd;

	fd = accept(listener, NULL, NULL);
	check(fd >= 0, "accepts");
	check(quic_server_handshake(fd, keys, NULL, "tour") == 0, "has done the handshake");
	want_event(fd, QUIC_EVENT_CONNECTION_MIGRATION);
	while (receive(fd, &item) == 0) {
		if (item.flags & MSG_QUIC_NOTIFICATION) {
			check(item.data[0] == QUIC_EVENT_CONNECTION_MIGRATION && item.data[1] == 0,
			      "learns that the client has moved");
			moved++;
			continue;
		}
		if (item.flags & MSG_QUIC_DATAGRAM) {
			check(send(fd, item.data, item.len, MSG_QUIC_DATAGRAM) == item.len,
			      "answers a datagram");
			continue;
		}
		if (item.stream.stream_id & QUIC_STREAM_TYPE_UNI_MASK) {
			/* Answered on a stream of this side's own. */
			struct quic_stream_info own = { -1, MSG_QUIC_STREAM_UNI };

			len = sizeof(own);
			check(getsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_STREAM_OPEN, &own, &len) == 0,
			      "opens a stream of its own");
			check(own.stream_id == 3, "has the first unidirectional stream of a server");
			check(send_on(fd, own.stream_id, item.data, MSG_QUIC_STREAM_FIN) == item.len,
			      "answers on it");
			continue;
		}
		check(send_on(fd, item.stream.stream_id, item.data,
			      item.stream.stream_flags & MSG_QUIC_STREAM_FIN) == item.len,
		      "sends back what came on a stream");
	}
	check(errno == ENOTCONN, "sees the end");
	check(moved == 1, "has seen one migration");
	getpeername(fd, (struct sockaddr *)&peer, &peer_len);
	len = sizeof(reason);
	check(getsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_CONNECTION_CLOSE, &reason, &len) == 0 &&
	      reason.errcode == 42 && strcmp((char *)reason.phrase, "the tour is over") == 0,
	      "learns why");
	close(fd);
}

/* ---- the client ---- */

/* Receives until something that is no event comes; events are counted by type. */
static int events[QUIC_EVENT_MAX];

static void next(int fd, struct item *item)
{
	do {
		check(receive(fd, item) == 0, "receives");
		if (item->flags & MSG_QUIC_NOTIFICATION)
			events[(unsigned char)item->data[0] % QUIC_EVENT_MAX]++;
	} while (item->flags & MSG_QUIC_NOTIFICATION);
}

static void wait_for_event(int fd, int type)
{
	struct item item;

	while (!events[type]) {
		check(receive(fd, &item) == 0 && item.flags & MSG_QUIC_NOTIFICATION,
		      "receives an event");
		events[(unsigned char)item.data[0] % QUIC_EVENT_MAX]++;
	}
}

static void streams(int fd)
{
	int64_t id[2] = { 0, 4 };
	struct item item;
	int done = 0;

	/* Two at once, each with an end of its own; the number is the program's choice. */
	check(send_on(fd, id[0], "one", MSG_QUIC_STREAM_NEW) == 3, "opens stream 0");
	check(send_on(fd, id[1], "two", MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN) == 3,
	      "opens stream 4 and ends it");
	check(send_on(fd, id[0], "", MSG_QUIC_STREAM_FIN) == 0, "ends stream 0");
	check(send_on(fd, id[0], "x", 0) < 0 && errno == EINVAL, "cannot send after the end");
	while (done < 2) {
		next(fd, &item);
		check(item.stream.stream_id == 0 || item.stream.stream_id == 4,
		      "gets an answer on a stream");
		done += !!(item.stream.stream_flags & MSG_QUIC_STREAM_FIN);
	}
	/* The next unidirectional one, chosen by the kernel. */
	struct quic_stream_info info = { -1, MSG_QUIC_STREAM_UNI };
	socklen_t len = sizeof(info);

	check(getsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_STREAM_OPEN, &info, &len) == 0 &&
	      info.stream_id == 2, "opens stream 2 by an option");
	/* It is the active one now: no control message is needed. */
	check(send(fd, "uni", 3, MSG_QUIC_STREAM_FIN) == 3, "sends on the active stream");
	next(fd, &item);
	check(item.stream.stream_id == 3 && strcmp(item.data, "uni") == 0,
	      "gets the answer on the server's stream");
}

static void datagrams(int fd)
{
	char large[3000] = { 0 };
	struct item item;

	check(send(fd, "a datagram", 10, MSG_QUIC_DATAGRAM) == 10, "sends a datagram");
	check(send(fd, large, sizeof(large), MSG_QUIC_DATAGRAM) < 0 && errno == EMSGSIZE,
	      "cannot send a datagram larger than a packet");
	do
		next(fd, &item);
	while (!(item.flags & MSG_QUIC_DATAGRAM));
	check(item.flags & MSG_EOR && strcmp(item.data, "a datagram") == 0, "gets it back");
}

static void keys_and_paths(int fd)
{
	struct sockaddr_in addr, old;
	socklen_t len = sizeof(old);
	struct item item;

	check(set(fd, QUIC_SOCKOPT_KEY_UPDATE, NULL, 0) == 0, "changes its keys");
	check(set(fd, QUIC_SOCKOPT_KEY_UPDATE, NULL, 0) < 0 && errno == EINVAL,
	      "must wait before the next change");
	check(send_on(fd, 8, "after", MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN) == 5,
	      "sends with the new keys");
	next(fd, &item);
	check(strcmp(item.data, "after") == 0, "gets an answer");
	wait_for_event(fd, QUIC_EVENT_KEY_UPDATE);

	check(getsockname(fd, (struct sockaddr *)&old, &len) == 0, "knows its address");
	addr = old;
	check(set(fd, QUIC_SOCKOPT_CONNECTION_MIGRATION, &addr, sizeof(addr)) < 0 &&
	      errno == EINVAL, "cannot move to where it is");
	addr.sin_addr.s_addr = inet_addr("127.0.0.2");
	check(set(fd, QUIC_SOCKOPT_CONNECTION_MIGRATION, &addr, sizeof(addr)) == 0, "moves");
	wait_for_event(fd, QUIC_EVENT_CONNECTION_MIGRATION);
	check(getsockname(fd, (struct sockaddr *)&old, &len) == 0 &&
	      old.sin_addr.s_addr == addr.sin_addr.s_addr, "has the new address");
	check(send_on(fd, 12, "moved", MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN) == 5,
	      "sends from there");
	next(fd, &item);
	check(strcmp(item.data, "moved") == 0, "gets an answer there");
}

static void info(int fd)
{
	struct quic_info info;
	socklen_t len = sizeof(info);
	int queued = -1, tries = 0;

	check(getsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_INFO, &info, &len) == 0 && len >= 128,
	      "has counters");
	printf("client: version %x, rtt %u us, window %llu bytes, %llu packets sent, %llu lost\n",
	       info.version, info.smoothed_rtt, (unsigned long long)info.cwnd,
	       (unsigned long long)info.packets_sent, (unsigned long long)info.packets_lost);
	check(info.version == QUIC_VERSION_V1 && info.packets_sent > 0 && info.key_phase == 1 &&
	      info.congestion_control_algo == QUIC_CONG_ALG_CUBIC, "finds in them what it did");
	/* Everything is acknowledged in the end. */
	do {
		check(ioctl(fd, SIOCOUTQ, &queued) == 0 && tries++ < 6000, "asks what is queued");
		poll(NULL, 0, queued ? 10 : 0);
	} while (queued);
}

static void visit(const struct sockaddr_in *server, const char *keys)
{
	struct quic_connection_close reason = { .errcode = 42, .phrase = "the tour is over" };
	char byte;
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_QUIC);

	check(fd >= 0, "has a socket");
	prepare(fd);
	check(send_on(fd, 0, "x", MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_DONTWAIT) < 0,
	      "cannot send before there is a connection");
	check(connect(fd, (const struct sockaddr *)server, sizeof(*server)) == 0, "connects");
	check(connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0 && errno == EINVAL,
	      "connects once");
	check(quic_client_handshake(fd, keys, NULL, "tour") == 0, "has done the handshake");
	want_event(fd, QUIC_EVENT_STREAM_UPDATE);
	want_event(fd, QUIC_EVENT_KEY_UPDATE);
	want_event(fd, QUIC_EVENT_CONNECTION_MIGRATION);
	check(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "has nothing to receive");
	streams(fd);
	datagrams(fd);
	keys_and_paths(fd);
	info(fd);
	check(events[QUIC_EVENT_STREAM_UPDATE] > 0, "was told about its streams");
	check(set(fd, QUIC_SOCKOPT_CONNECTION_CLOSE, &reason, sizeof(reason)) == 0, "has a reason");
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int listener, status;
	pid_t child;

	if (argc != 2) {
		fprintf(stderr, "usage: %s KEYS.psk\n", argv[0]);
		return 2;
	}
	role = "server";
	signal(SIGPIPE, SIG_IGN);
	listener = socket(AF_INET, SOCK_STREAM, IPPROTO_QUIC);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(listener >= 0 && bind(listener, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	      getsockname(listener, (struct sockaddr *)&addr, &len) == 0, "has a port");
	prepare(listener);
	check(listen(listener, 1) == 0, "listens");
	child = fork();
	if (child == 0) {
		role = "client";
		visit(&addr, argv[1]);
		return 0;
	}
	serve(listener, argv[1]);
	close(listener);
	check(waitpid(child, &status, 0) == child && status == 0, "has had a content client");
	return 0;
}
