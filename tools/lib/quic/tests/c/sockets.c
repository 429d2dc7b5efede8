// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The whole of <netinet/quic.h> on sockets of a kernel that has QUIC, over loopback.  Knows nothing
 * of the library but its header.
 *
 * usage: sockets FOLDER-WITH-CERTIFICATES [TRUST-STORE]
 *
 * TRUST-STORE is a file that is mounted over the system's and has the authority of the folder: it is
 * unmounted after the first use, so that later handshakes show that it is read only once.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <sys/mount.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <netinet/quic.h>

#define CHECK(cond) do { if (!(cond)) fail(__LINE__, #cond); } while (0)
#define SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const char *folder;
static int count;

static _Noreturn void fail(int line, const char *what)
{
	fprintf(stderr, "line %d: %s does not hold (errno: %s; library: %s)\n", line, what,
		strerror(errno), quic_last_error());
	_exit(1);
}

static void ok(const char *what)
{
	printf("ok %d - %s\n", ++count, what);
	fflush(stdout);
}

static const char *path(const char *name)
{
	static __thread char paths[4][512];
	static __thread int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void set_timeout(int fd, int milliseconds)
{
	struct timeval time = { milliseconds / 1000, milliseconds % 1000 * 1000 };

	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) == 0);
}

/* ---- sockets and sessions ---- */

static int make_listener(struct sockaddr_in *addr, const char *alpns)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_QUIC);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET };
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(fd >= 0);
	CHECK(bind(fd, (struct sockaddr *)addr, sizeof(*addr)) == 0);
	CHECK(setsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_ALPN, alpns, strlen(alpns)) == 0);
	CHECK(listen(fd, 64) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)addr, &len) == 0);
	return fd;
}

static int make_client_of(const struct sockaddr_in *addr, uint32_t version)
{
	struct quic_config config = { .version = version };
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_QUIC);

	CHECK(fd >= 0);
	CHECK(setsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_CONFIG, &config, sizeof(config)) == 0);
	CHECK(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0);
	set_timeout(fd, 60000);
	return fd;
}

static int make_client(const struct sockaddr_in *addr)
{
	return make_client_of(addr, QUIC_VERSION_V1);
}

static gnutls_certificate_credentials_t client_cred, server_cred;

static void make_credentials(void)
{
	CHECK(gnutls_certificate_allocate_credentials(&client_cred) == 0);
	CHECK(gnutls_certificate_allocate_credentials(&server_cred) == 0);
	CHECK(gnutls_certificate_set_x509_trust_file(client_cred, path("ca.pem"),
						      GNUTLS_X509_FMT_PEM) == 1);
	CHECK(gnutls_certificate_set_x509_trust_file(server_cred, path("ca.pem"),
						      GNUTLS_X509_FMT_PEM) == 1);
	CHECK(gnutls_certificate_set_x509_key_file(client_cred, path("client.pem"), path("leaf.key"),
						    GNUTLS_X509_FMT_PEM) == 0);
	CHECK(gnutls_certificate_set_x509_key_file(server_cred, path("server.pem"), path("leaf.key"),
						    GNUTLS_X509_FMT_PEM) == 0);
}

static gnutls_session_t make_session_with(int fd, int is_server, const char *alpn, int flags)
{
	gnutls_datum_t key;
	unsigned char bytes[64];
	socklen_t len = sizeof(bytes);
	gnutls_session_t session;

	CHECK(gnutls_init(&session, flags) == 0);
	CHECK(gnutls_priority_set_direct(session, QUIC_PRIORITY, NULL) == 0);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, is_server ? server_cred : client_cred);
	gnutls_transport_set_int(session, fd);
	CHECK(quic_session_set_alpn(session, alpn, strlen(alpn)) == 0);
	if (!is_server) {
		gnutls_server_name_set(session, GNUTLS_NAME_DNS, "server.test", 11);
		gnutls_session_set_verify_cert(session, "server.test", 0);
		return session;
	}
	CHECK(getsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_SESSION_TICKET, bytes, &len) == 0 && len == 64);
	key.data = bytes;
	key.size = len;
	CHECK(gnutls_session_ticket_enable_server(session, &key) == 0);
	return session;
}

static gnutls_session_t make_session(int fd, int is_server, const char *alpn)
{
	int flags = is_server ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET : GNUTLS_CLIENT;

	flags |= GNUTLS_ENABLE_EARLY_DATA | GNUTLS_NO_END_OF_EARLY_DATA;
	return make_session_with(fd, is_server, alpn, flags);
}

/* ---- a server in a thread ---- */

struct server {
	pthread_t thread;
	struct sockaddr_in addr;
	int listener;
	/* Runs the handshake; 0 if there is to be an echo. */
	int (*handshake)(struct server *server, int fd);
	int ret;
	/* What the handshake found out. */
	int resumed, early, client_certs;
	unsigned int rounds;
	const char *alpn;
	const char *keys;
};

/* Sends back what comes on bidirectional streams until the client closes. */
static void echo(int fd)
{
	char data[4096];
	int64_t sid;
	uint32_t flags;
	ssize_t len;

	for (;;) {
		flags = 0;
		sid = -1;
		len = quic_recvmsg(fd, data, sizeof(data), &sid, &flags);
		if (len < 0) {
			CHECK(errno == ENOTCONN);
			return;
		}
		if (flags & MSG_QUIC_DATAGRAM) {
			CHECK(send(fd, data, len, MSG_QUIC_DATAGRAM) == len);
		} else if (sid >= 0 && !(sid & QUIC_STREAM_TYPE_UNI_MASK)) {
			/* The client may have closed. */
			if (quic_sendmsg(fd, data, len, sid, (flags & MSG_QUIC_STREAM_FIN) |
					 MSG_NOSIGNAL) < 0)
				CHECK(errno == EPIPE);
		}
	}
}

static void *run_server(void *arg)
{
	struct server *server = arg;
	int fd;

	for (unsigned int round = 0; round < server->rounds; round++) {
		fd = accept(server->listener, NULL, NULL);
		CHECK(fd >= 0);
		set_timeout(fd, 60000);
		server->ret = server->handshake(server, fd);
		if (server->ret == 0)
			echo(fd);
		close(fd);
	}
	return NULL;
}

static int with_files(struct server *server, int fd)
{
	(void)server;
	return quic_server_handshake(fd, path("leaf.key"), path("server.pem"), "sample");
}

static int with_keys(struct server *server, int fd)
{
	return quic_server_handshake(fd, server->keys, NULL, "sample");
}

/* The protocol agreed on, for programs that have no session: in place of the list. */
static void check_agreed(int fd, const char *alpn)
{
	char got[128];
	socklen_t len = sizeof(got);

	CHECK(getsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_ALPN, got, &len) == 0);
	CHECK(len == strlen(alpn) && memcmp(got, alpn, len) == 0);
}

static int with_session(struct server *server, int fd)
{
	gnutls_session_t session = make_session(fd, 1, server->alpn);
	int ret;

	ret = quic_handshake(session);
	if (ret == 0)
		check_agreed(fd, server->alpn);
	server->resumed = gnutls_session_is_resumed(session);
	server->early = !!(gnutls_session_get_flags(session) & GNUTLS_SFLAGS_EARLY_DATA);
	gnutls_deinit(session);
	return ret;
}

static int demanding(struct server *server, int fd)
{
	gnutls_session_t session = make_session(fd, 1, server->alpn);
	unsigned int list = 0;
	int ret;

	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert(session, NULL, 0);
	ret = quic_handshake(session);
	gnutls_certificate_get_peers(session, &list);
	server->client_certs = list;
	gnutls_deinit(session);
	return ret;
}

static void start(struct server *server, int (*handshake)(struct server *, int), unsigned int rounds)
{
	server->alpn = server->alpn ? server->alpn : "sample";
	server->handshake = handshake;
	server->rounds = rounds;
	server->listener = make_listener(&server->addr, "sample,other");
	CHECK(pthread_create(&server->thread, NULL, run_server, server) == 0);
}

static void stop(struct server *server)
{
	CHECK(pthread_join(server->thread, NULL) == 0);
	close(server->listener);
}

/* One question and its answer on stream @sid. */
static void ask(int fd, int64_t sid, const char *text)
{
	char answer[100];
	size_t got = 0;
	int64_t from = -1;
	uint32_t flags;
	ssize_t len;

	CHECK(quic_sendmsg(fd, text, strlen(text), sid,
			   MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN) == (ssize_t)strlen(text));
	do {
		flags = 0;
		len = quic_recvmsg(fd, answer + got, sizeof(answer) - got, &from, &flags);
		CHECK(len >= 0 && from == sid);
		got += len;
	} while (!(flags & MSG_QUIC_STREAM_FIN));
	CHECK(got == strlen(text) && memcmp(answer, text, got) == 0);
}

/* ---- what is tested ---- */

static void whole_handshakes(const char *store)
{
	struct server server = { 0 };
	double begin, first, later;
	int fd, ret;

	start(&server, with_files, store ? 3 : 1);
	if (store) {
		fd = make_client(&server.addr);
		begin = now();
		CHECK(quic_client_handshake(fd, NULL, "server.test", "sample") == 0);
		first = now() - begin;
		ask(fd, 0, "by the system's trust");
		close(fd);
		CHECK(umount2(store, MNT_DETACH) == 0);
		fd = make_client(&server.addr);
		begin = now();
		CHECK(quic_client_handshake(fd, NULL, "127.0.0.1", "other,sample") == 0);
		later = now() - begin;
		check_agreed(fd, "sample");
		ask(fd, 0, "by an address");
		close(fd);
		printf("# the first handshake took %.1f ms, the second %.1f ms\n", first * 1e3,
		       later * 1e3);
		ok("quic_client_handshake: the system's trust, read once for a process");
	}
	fd = make_client(&server.addr);
	ret = quic_client_handshake(fd, NULL, "wrong.test", "sample");
	CHECK(ret == -EKEYREJECTED && strlen(quic_last_error()) > 0);
	close(fd);
	stop(&server);
	CHECK(server.ret == -ECONNREFUSED);
	ok("quic_server_handshake: a certificate for another name is refused, and the server learns it");
}

static void keys(void)
{
	struct server server = { 0 };
	char mine[] = "/tmp/quic-keys-XXXXXX", wrong[] = "/tmp/quic-keys-XXXXXX";
	int one = mkstemp(mine), two = mkstemp(wrong), fd, ret;

	CHECK(dprintf(one, "me:00112233445566778899aabbccddeeff\n") > 0);
	CHECK(dprintf(two, "me:ffeeddccbbaa99887766554433221100\n") > 0);
	server.keys = mine;
	start(&server, with_keys, 2);
	fd = make_client(&server.addr);
	CHECK(quic_client_handshake(fd, mine, NULL, "sample") == 0);
	ask(fd, 0, "with a key");
	close(fd);
	fd = make_client(&server.addr);
	ret = quic_client_handshake(fd, wrong, NULL, "sample");
	CHECK(ret == -ECONNREFUSED);
	close(fd);
	stop(&server);
	CHECK(server.ret == -EPROTO);
	fd = make_client(&server.addr);
	CHECK(quic_client_handshake(fd, "/nonexistent", NULL, "sample") == -EINVAL);
	CHECK(strstr(quic_last_error(), "/nonexistent"));
	close(fd);
	close(one);
	close(two);
	unlink(mine);
	unlink(wrong);
	ok("pre-shared keys: equal ones connect, others are refused with the reason");
}

static void non_blocking(void)
{
	struct server server = { 0 };
	gnutls_session_t session;
	char alpn[16];
	size_t size = sizeof(alpn);
	int fd;

	start(&server, with_session, 1);
	fd = make_client(&server.addr);
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	session = make_session(fd, 0, "other, sample");
	CHECK(quic_handshake(session) == 0);
	CHECK(quic_session_get_alpn(session, alpn, &size) == 0);
	CHECK(size == 6 && memcmp(alpn, "sample", 6) == 0);
	check_agreed(fd, "sample");
	size = 3;
	CHECK(quic_session_get_alpn(session, alpn, &size) == -ENOBUFS && size == 6);
	gnutls_deinit(session);
	CHECK(fcntl(fd, F_SETFL, 0) == 0);
	ask(fd, 0, "no waiting");
	close(fd);
	stop(&server);
	ok("quic_handshake: a descriptor that does not block; the protocol agreed on");
}

static void no_common_protocol(void)
{
	struct server server = { .alpn = "other" };
	gnutls_session_t session;
	int fd;

	start(&server, with_session, 1);
	fd = make_client(&server.addr);
	session = make_session(fd, 0, "sample");
	CHECK(quic_handshake(session) == -ECONNREFUSED);
	gnutls_deinit(session);
	close(fd);
	stop(&server);
	CHECK(server.ret == -EPROTO);
	ok("no common protocol: -EPROTO where it is found, -ECONNREFUSED at the other end");
}

static void client_certificates(void)
{
	struct server server = { 0 };
	gnutls_session_t session;
	int fd;

	start(&server, demanding, 1);
	fd = make_client(&server.addr);
	session = make_session(fd, 0, "sample");
	CHECK(quic_handshake(session) == 0);
	gnutls_deinit(session);
	ask(fd, 0, "certified");
	close(fd);
	stop(&server);
	CHECK(server.ret == 0 && server.client_certs > 0);
	ok("a client's certificate is verified by the server");
}

/* One step, if it does not block. Returns whether the handshake has ended. */
static int try_step(gnutls_session_t session, struct quic_handshake_step **step, int fd)
{
	struct quic_handshake_step *now = *step;
	ssize_t ret;

	if (now->op == QUIC_HANDSHAKE_STEP_OP_SENDMSG) {
		CHECK(now->s_sendmsg.flags & MSG_NOSIGNAL);
		ret = sendmsg(fd, now->s_sendmsg.msg, now->s_sendmsg.flags);
		now->s_sendmsg.retval = ret < 0 ? -errno : ret;
	} else {
		CHECK(now->op == QUIC_HANDSHAKE_STEP_OP_RECVMSG);
		ret = recvmsg(fd, now->s_recvmsg.msg, now->s_recvmsg.flags);
		now->s_recvmsg.retval = ret < 0 ? -errno : ret;
	}
	CHECK(quic_handshake_step(session, step) == 0);
	return !*step;
}

static void steps(void)
{
	struct quic_handshake_step *step[2] = { NULL, NULL };
	gnutls_session_t session[2] = { NULL, NULL };
	struct sockaddr_in addr;
	int listener = make_listener(&addr, "sample");
	struct pollfd fds[2] = { { .fd = make_client(&addr) }, { .fd = listener } };
	int done[2] = { 0, 0 };

	CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
	CHECK(fcntl(fds[0].fd, F_SETFL, O_NONBLOCK) == 0);
	session[0] = make_session(fds[0].fd, 0, "sample");
	CHECK(quic_handshake_init(session[0], &step[0]) == 0 && step[0]);
	CHECK(quic_handshake_init(session[0], &step[0]) == -EINVAL);
	/* Both ends in one thread, driven by poll() alone. */
	while (!done[0] || !done[1]) {
		for (int nr = 0; nr < 2; nr++) {
			int sends = step[nr] && step[nr]->op == QUIC_HANDSHAKE_STEP_OP_SENDMSG;

			fds[nr].events = done[nr] ? 0 : sends ? POLLOUT : POLLIN;
		}
		CHECK(poll(fds, 2, 60000) > 0);
		if (!session[1] && fds[1].revents & POLLIN) {
			fds[1].fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
			CHECK(fds[1].fd >= 0);
			session[1] = make_session(fds[1].fd, 1, "sample");
			CHECK(quic_handshake_init(session[1], &step[1]) == 0 && step[1]);
			continue;
		}
		for (int nr = 0; nr < 2; nr++) {
			if (!done[nr] && fds[nr].revents & (POLLIN | POLLOUT))
				done[nr] = try_step(session[nr], &step[nr], fds[nr].fd);
		}
	}
	for (int nr = 0; nr < 2; nr++) {
		CHECK(quic_handshake_step(session[nr], &step[nr]) == -EINVAL);
		quic_handshake_deinit(session[nr]);
		gnutls_deinit(session[nr]);
	}
	CHECK(quic_sendmsg(fds[0].fd, "x", 1, 0, MSG_QUIC_STREAM_NEW) == 1);
	close(fds[0].fd);
	close(fds[1].fd);
	close(listener);
	ok("quic_handshake_init, _step, _deinit: both ends in one thread, driven by poll()");
}

static void given_up(void)
{
	struct quic_handshake_step *step = NULL;
	struct sockaddr_in addr;
	int listener = make_listener(&addr, "sample");
	int fd = make_client(&addr);
	gnutls_session_t session = make_session(fd, 0, "sample");

	CHECK(quic_handshake_init(session, &step) == 0);
	/* Fewer bytes than asked for is an error, as the step must be done whole. */
	step->s_sendmsg.retval = 1;
	CHECK(quic_handshake_step(session, &step) == -EMSGSIZE);
	quic_handshake_deinit(session);
	/* What failed may be started again. */
	step = NULL;
	gnutls_deinit(session);
	session = make_session(fd, 0, "sample");
	CHECK(quic_handshake_init(session, &step) == 0);
	step->s_sendmsg.retval = -ECONNRESET;
	CHECK(quic_handshake_step(session, &step) == -ECONNRESET);
	quic_handshake_deinit(session);
	quic_handshake_deinit(session);
	gnutls_deinit(session);
	close(fd);
	close(listener);
	ok("a handshake may be given up at any step, and deinit be called twice");
}

/* A connection, and the data by which another continues it; how the limits are remembered. */
static size_t first_of_version(struct server *server, uint32_t version, void *data, size_t room,
			       struct quic_transport_param *limits)
{
	socklen_t len = sizeof(*limits);
	gnutls_session_t session;
	double begin = now();
	size_t size;
	int fd = make_client_of(&server->addr, version);

	session = make_session(fd, 0, "sample");
	CHECK(quic_handshake(session) == 0);
	CHECK(!gnutls_session_is_resumed(session));
	do {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		size = room;
		CHECK(quic_session_get_data(session, data, &size) == 0);
		CHECK(now() < begin + 60);
		poll(&pfd, 1, 10);
	} while (size == 0);
	room = 1;
	CHECK(quic_session_get_data(session, data, &room) == -ENOBUFS && room > 1);
	limits->remote = 1;
	CHECK(getsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_TRANSPORT_PARAM, limits, &len) == 0);
	limits->remote = 1;
	gnutls_deinit(session);
	ask(fd, 0, "first");
	close(fd);
	return size;
}

static size_t first_of_two(struct server *server, void *data, size_t room,
			   struct quic_transport_param *limits)
{
	return first_of_version(server, QUIC_VERSION_V1, data, room, limits);
}

static void resumption(void)
{
	struct server server = { 0 };
	struct quic_transport_param limits = { 0 };
	unsigned char data[4096];
	gnutls_session_t session;
	char answer[16];
	int64_t sid = -1;
	uint32_t flags = 0;
	size_t size;
	int fd;

	start(&server, with_session, 3);
	size = first_of_two(&server, data, sizeof(data), &limits);
	fd = make_client(&server.addr);
	session = make_session(fd, 0, "sample");
	CHECK(quic_session_set_data(session, data, size) == 0);
	CHECK(setsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_TRANSPORT_PARAM, &limits, sizeof(limits)) == 0);
	/* Before the handshake, so that it leaves with the ClientHello. */
	CHECK(quic_sendmsg(fd, "early", 5, 0, MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN) == 5);
	CHECK(quic_handshake(session) == 0);
	CHECK(gnutls_session_is_resumed(session));
	CHECK(gnutls_session_get_flags(session) & GNUTLS_SFLAGS_EARLY_DATA);
	CHECK(quic_recvmsg(fd, answer, sizeof(answer), &sid, &flags) == 5);
	CHECK(sid == 0 && flags & MSG_QUIC_STREAM_FIN && memcmp(answer, "early", 5) == 0);
	gnutls_deinit(session);
	close(fd);

	/* The same data once more, without anything early. */
	fd = make_client(&server.addr);
	session = make_session(fd, 0, "sample");
	CHECK(quic_session_set_data(session, "nonsense", 8) == -EPROTO);
	CHECK(quic_session_set_data(session, data, size) == 0);
	CHECK(quic_handshake(session) == 0);
	ask(fd, 0, "third");
	gnutls_deinit(session);
	close(fd);
	stop(&server);
	CHECK(server.resumed);
	ok("quic_session_get_data, _set_data: a session is continued, with early data");
}

/* RFC 9369 section 5 */
static void versions(void)
{
	static const struct {
		uint32_t version;
		/* The data have lost these last bytes, which say the version. */
		size_t lost;
		int resumed;
	} cases[] = {
		{ QUIC_VERSION_V1, 0, 0 },
		{ QUIC_VERSION_V2, 0, 1 },
		{ QUIC_VERSION_V1, 16, 0 },
	};
	struct server server = { 0 };
	struct quic_transport_param limits = { 0 };
	unsigned char data[4096];
	gnutls_session_t session;
	size_t size;
	int fd;

	start(&server, with_session, 1 + SIZE(cases));
	size = first_of_version(&server, QUIC_VERSION_V2, data, sizeof(data), &limits);
	for (size_t i = 0; i < SIZE(cases); i++) {
		fd = make_client_of(&server.addr, cases[i].version);
		session = make_session(fd, 0, "sample");
		CHECK(quic_session_set_data(session, data, size - cases[i].lost) == 0);
		CHECK(quic_handshake(session) == 0);
		ask(fd, 0, "in which version?");
		CHECK(gnutls_session_is_resumed(session) == cases[i].resumed);
		CHECK(server.resumed == cases[i].resumed);
		gnutls_deinit(session);
		close(fd);
	}
	stop(&server);
	ok("quic_session_set_data: a session is continued in its version of QUIC only");
}

/* A client that shows no key that the server has a use for. */
static void retry(void)
{
	static const char priority[] =
		QUIC_PRIORITY ":-GROUP-ALL:+GROUP-X448:+GROUP-FFDHE2048:+GROUP-X25519";
	struct server server = { 0 };
	gnutls_session_t session;
	int fd;

	start(&server, with_session, 1);
	fd = make_client(&server.addr);
	session = make_session(fd, 0, "sample");
	CHECK(gnutls_priority_set_direct(session, priority, NULL) == 0);
	CHECK(quic_handshake(session) == 0);
	CHECK(gnutls_group_get(session) == GNUTLS_GROUP_X25519);
	ask(fd, 0, "once more");
	gnutls_deinit(session);
	close(fd);
	stop(&server);
	ok("quic_handshake: a HelloRetryRequest is answered");
}

/* RFC 9001 section 8.3: EndOfEarlyData is not sent, whatever the session is made for. */
static void no_end_of_early_data(void)
{
	struct server server = { 0 };
	struct quic_transport_param limits = { 0 };
	unsigned char data[4096];
	gnutls_session_t session;
	size_t size;
	int fd;

	start(&server, with_session, 2);
	size = first_of_two(&server, data, sizeof(data), &limits);
	fd = make_client(&server.addr);
	session = make_session_with(fd, 0, "sample", GNUTLS_CLIENT | GNUTLS_ENABLE_EARLY_DATA);
	CHECK(quic_session_set_data(session, data, size) == 0);
	CHECK(setsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_TRANSPORT_PARAM, &limits, sizeof(limits)) == 0);
	CHECK(quic_sendmsg(fd, "early", 5, 0, MSG_QUIC_STREAM_NEW | MSG_QUIC_STREAM_FIN) == 5);
	CHECK(quic_handshake(session) == -EINVAL);
	CHECK(strstr(quic_last_error(), "GNUTLS_NO_END_OF_EARLY_DATA"));
	gnutls_deinit(session);
	close(fd);
	stop(&server);
	ok("quic_handshake: a session that would end its early data by a message is refused");
}

static void messages(void)
{
	struct quic_event_option event = { .type = QUIC_EVENT_STREAM_UPDATE, .on = 1 };
	struct server server = { 0 };
	struct { uint8_t type; struct quic_stream_update update; } __attribute__((packed)) notice;
	char data[16];
	int64_t sid;
	uint32_t flags;
	int fd, notices = 0;
	ssize_t len;

	start(&server, with_files, 1);
	fd = make_client(&server.addr);
	gnutls_session_t session = make_session(fd, 0, "sample");

	CHECK(quic_handshake(session) == 0);
	gnutls_deinit(session);
	CHECK(setsockopt(fd, SOL_QUIC, QUIC_SOCKOPT_EVENT, &event, sizeof(event)) == 0);
	/* Opened by a flag; then the active stream is meant by -1. */
	CHECK(quic_sendmsg(fd, "ab", 2, 4, MSG_QUIC_STREAM_NEW) == 2);
	CHECK(quic_sendmsg(fd, "c", 1, -1, MSG_QUIC_STREAM_FIN) == 1);
	CHECK(quic_sendmsg(fd, "d", 1, 4, 0) == -1 && errno == EINVAL);
	CHECK(quic_sendmsg(fd, "d", 1, 8, 0) == -1 && errno == EINVAL);
	CHECK(quic_sendmsg(fd, "d", 1, 8, 0x4) == -1 && errno == EINVAL);
	for (size_t got = 0; got < 3;) {
		/* Flags of an earlier message may be fed back. */
		flags = MSG_QUIC_STREAM_FIN | MSG_QUIC_NOTIFICATION;
		sid = 77;
		len = quic_recvmsg(fd, data, sizeof(data), &sid, &flags);
		CHECK(len >= 0);
		if (!(flags & MSG_QUIC_NOTIFICATION)) {
			CHECK(sid == 4);
			got += len;
			continue;
		}
		/* The identity of a stream is left alone by what is none. */
		CHECK(sid == 77 && data[0] == QUIC_EVENT_STREAM_UPDATE);
		while (!(flags & MSG_EOR)) {
			flags = 0;
			CHECK(quic_recvmsg(fd, &notice, sizeof(notice), NULL, &flags) > 0);
		}
		notices++;
	}
	CHECK(notices > 0);
	close(fd);
	stop(&server);
	CHECK(quic_sendmsg(-1, "x", 1, 0, 0) == -1 && errno == EBADF);
	CHECK(quic_recvmsg(-1, data, sizeof(data), NULL, NULL) == -1 && errno == EBADF);
	ok("quic_sendmsg, quic_recvmsg: streams by number and by -1, flags in and out, events");
}

static void time_out(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int silent = socket(AF_INET, SOCK_DGRAM, 0), fd;
	double begin = now();

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(silent, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	CHECK(getsockname(silent, (struct sockaddr *)&addr, &len) == 0);
	fd = make_client(&addr);
	set_timeout(fd, 300);
	CHECK(quic_client_handshake(fd, path("keys"), NULL, NULL) == -EINVAL);
	gnutls_session_t session = make_session(fd, 0, "sample");

	CHECK(quic_handshake(session) == -ETIMEDOUT);
	CHECK(now() - begin >= 0.29);
	gnutls_deinit(session);
	close(fd);
	close(silent);
	ok("SO_RCVTIMEO limits the handshake: -ETIMEDOUT");
}

static void *one_of_many(void *arg)
{
	struct server *server = arg;

	for (int round = 0; round < 3; round++) {
		int fd = make_client(&server->addr);
		gnutls_session_t session = make_session(fd, 0, "sample");

		CHECK(quic_handshake(session) == 0);
		gnutls_deinit(session);
		ask(fd, 0, "one of many");
		close(fd);
	}
	return NULL;
}

static void threads(void)
{
	struct server server = { 0 };
	pthread_t clients[4], servers[3];

	start(&server, with_files, 3);
	for (size_t nr = 0; nr < SIZE(servers); nr++)
		CHECK(pthread_create(&servers[nr], NULL, run_server, &server) == 0);
	for (size_t nr = 0; nr < SIZE(clients); nr++)
		CHECK(pthread_create(&clients[nr], NULL, one_of_many, &server) == 0);
	for (size_t nr = 0; nr < SIZE(clients); nr++)
		CHECK(pthread_join(clients[nr], NULL) == 0);
	for (size_t nr = 0; nr < SIZE(servers); nr++)
		CHECK(pthread_join(servers[nr], NULL) == 0);
	stop(&server);
	ok("twelve connections in four threads of clients and four of servers");
}

static int logged[8];
static char last_log[256];

static void log_func(int level, const char *msg)
{
	logged[level & 7]++;
	snprintf(last_log, sizeof(last_log), "%s", msg);
}

static void logs(void)
{
	struct quic_handshake_step *step = NULL;

	CHECK(quic_set_log_func(log_func) == NULL);
	/* Silent by default. */
	CHECK(quic_handshake_init(NULL, &step) == -EINVAL && logged[LOG_ERR] == 0);
	CHECK(quic_set_log_level(LOG_DEBUG) == -1);
	CHECK(quic_handshake_init(NULL, &step) == -EINVAL && logged[LOG_ERR] == 1);
	CHECK(strcmp(last_log, quic_last_error()) == 0);
	CHECK(quic_set_log_level(LOG_EMERG) == LOG_DEBUG);
	CHECK(quic_handshake_init(NULL, &step) == -EINVAL && logged[LOG_ERR] == 1);
	CHECK(quic_set_log_level(-1) == LOG_EMERG);
	CHECK(quic_set_log_func(NULL) == log_func);
	ok("quic_set_log_func, quic_set_log_level: both return the former value; silent by default");
}

static void misuse(void)
{
	struct quic_handshake_step *step = NULL;
	unsigned char data[16];
	size_t size = sizeof(data);
	gnutls_session_t session;
	int pair[2];

	CHECK(quic_handshake(NULL) == -EINVAL);
	CHECK(quic_handshake_step(NULL, &step) == -EINVAL);
	CHECK(quic_handshake_init(NULL, NULL) == -EINVAL);
	quic_handshake_deinit(NULL);
	CHECK(quic_session_get_data(NULL, data, &size) == -EINVAL);
	CHECK(quic_session_set_data(NULL, data, size) == -EINVAL);
	CHECK(quic_session_get_alpn(NULL, data, &size) == -EINVAL);
	CHECK(quic_session_set_alpn(NULL, "a", 1) == -EINVAL);
	CHECK(quic_server_handshake(-1, NULL, NULL, NULL) == -EINVAL);
	/* No QUIC socket. */
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(gnutls_init(&session, GNUTLS_CLIENT) == 0);
	CHECK(gnutls_priority_set_direct(session, QUIC_PRIORITY, NULL) == 0);
	gnutls_transport_set_int(session, pair[0]);
	set_timeout(pair[0], 100);
	CHECK(quic_session_set_alpn(session, "", 0) == -EINVAL);
	CHECK(quic_session_set_alpn(session, "1,2,3,4,5", 9) == 0);
	CHECK(quic_handshake(session) < 0);
	gnutls_deinit(session);
	close(pair[0]);
	close(pair[1]);
	ok("wrong arguments are refused, not followed");
}

int main(int argc, char **argv)
{
	CHECK(argc >= 2);
	folder = argv[1];
	make_credentials();
	logs();
	misuse();
	whole_handshakes(argc > 2 ? argv[2] : NULL);
	keys();
	non_blocking();
	no_common_protocol();
	client_certificates();
	steps();
	given_up();
	resumption();
	versions();
	retry();
	no_end_of_early_data();
	messages();
	time_out();
	threads();
	gnutls_certificate_free_credentials(client_cred);
	gnutls_certificate_free_credentials(server_cred);
	return 0;
}
