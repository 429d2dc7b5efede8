// SPDX-License-Identifier: GPL-2.0
/*
 * The other end for the interoperation tests: hq-interop (HTTP/0.9 over QUIC)
 * with OpenSSL's own QUIC (3.5 and newer).
 *
 *   openssl_peer server ADDRESS PORT CERTIFICATE KEY FOLDER
 *   openssl_peer client ADDRESS PORT AUTHORITY NAME FOLDER PATH...
 *
 * The server prints "listening" once it is ready.  The client stores each
 * answer in FOLDER, and verifies the server's certificate against AUTHORITY
 * and NAME.  Options come from the environment: RETRY=1 (server: validate
 * addresses by Retry), CIPHER=name (client: only that suite), RESUME=1
 * (client: a second connection, which must resume the first one's session),
 * KEY_UPDATE=1 (client: the requests again with new keys).
 */
#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/quic.h>
#include <openssl/ssl.h>

static const unsigned char alpn[] = "\x0ahq-interop";
static const char *folder;
static SSL_SESSION *session;

struct address {
	struct sockaddr_storage storage;
	socklen_t len;
	BIO_ADDR *bio;
};

static void __attribute__((noreturn)) fail(const char *what)
{
	ERR_print_errors_fp(stderr);
	errx(1, "%s", what);
}

static struct address parse_address(const char *host, const char *port)
{
	struct address addr = { .bio = BIO_ADDR_new() };
	in_port_t number = htons(atoi(port));

	if (strchr(host, ':')) {
		struct sockaddr_in6 *in6 = (void *)&addr.storage;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = number;
		inet_pton(AF_INET6, host, &in6->sin6_addr);
		addr.len = sizeof(*in6);
		BIO_ADDR_rawmake(addr.bio, AF_INET6, &in6->sin6_addr, sizeof(in6->sin6_addr),
				 number);
	} else {
		struct sockaddr_in *in = (void *)&addr.storage;

		in->sin_family = AF_INET;
		in->sin_port = number;
		inet_pton(AF_INET, host, &in->sin_addr);
		addr.len = sizeof(*in);
		BIO_ADDR_rawmake(addr.bio, AF_INET, &in->sin_addr, sizeof(in->sin_addr), number);
	}
	return addr;
}

static FILE *open_in(const char *path, const char *mode)
{
	const char *name = strrchr(path, '/');
	char full[4096];

	snprintf(full, sizeof(full), "%s/%s", folder, name ? name + 1 : path);
	return fopen(full, mode);
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
		       const unsigned char *in, unsigned int inlen, void *arg)
{
	if (SSL_select_next_proto((unsigned char **)out, outlen, alpn, sizeof(alpn) - 1, in,
				  inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* One request: "GET /path\r\n" and the end of the stream. */
static void *answer(void *arg)
{
	char request[4096], path[4096], *block = malloc(65536);
	size_t len = 0, n;
	SSL *stream = arg;
	FILE *file;

	while (len < sizeof(request) - 1 &&
	       SSL_read_ex(stream, request + len, sizeof(request) - 1 - len, &n))
		len += n;
	request[len] = '\0';
	if (sscanf(request, "GET %4095s", path) == 1) {
		file = open_in(path, "rb");
		while (file && (n = fread(block, 1, 65536, file)) > 0 &&
		       SSL_write_ex(stream, block, n, &n))
			;
		if (file)
			fclose(file);
	}
	SSL_stream_conclude(stream, 0);
	SSL_free(stream);
	free(block);
	return NULL;
}

static void *serve(void *arg)
{
	SSL *conn = arg, *stream;
	pthread_t thread;

	SSL_set_default_stream_mode(conn, SSL_DEFAULT_STREAM_MODE_NONE);
	SSL_set_incoming_stream_policy(conn, SSL_INCOMING_STREAM_POLICY_ACCEPT, 0);
	while ((stream = SSL_accept_stream(conn, 0))) {
		if (pthread_create(&thread, NULL, answer, stream))
			break;
		pthread_detach(thread);
	}
	SSL_free(conn);
	return NULL;
}

static int server(char **argv)
{
	struct address addr = parse_address(argv[0], argv[1]);
	SSL_CTX *ctx = SSL_CTX_new(OSSL_QUIC_server_method());
	int fd = socket(addr.storage.ss_family, SOCK_DGRAM, 0);
	SSL *listener, *conn;
	pthread_t thread;

	folder = argv[4];
	if (SSL_CTX_use_certificate_chain_file(ctx, argv[2]) <= 0 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) <= 0)
		fail("certificate or key");
	SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
	if (bind(fd, (void *)&addr.storage, addr.len))
		err(1, "bind");
	/* OpenSSL validates addresses by Retry unless it is told not to. */
	listener = SSL_new_listener(ctx, getenv("RETRY") ? 0 : SSL_LISTENER_FLAG_NO_VALIDATE);
	if (!listener || !SSL_set_fd(listener, fd) || !SSL_listen(listener))
		fail("listener");
	puts("listening");
	fflush(stdout);
	while ((conn = SSL_accept_connection(listener, 0))) {
		if (pthread_create(&thread, NULL, serve, conn))
			err(1, "pthread_create");
		pthread_detach(thread);
	}
	fail("accept");
}

/* How the connection ended, as far as OpenSSL knows. */
static void __attribute__((noreturn)) fail_of(SSL *conn, const char *what)
{
	SSL_CONN_CLOSE_INFO info;

	if (SSL_get_conn_close_info(conn, &info, sizeof(info)))
		warnx("closed by the %s, %s error %#llx, frame %#llx: %.*s",
		      info.flags & SSL_CONN_CLOSE_FLAG_LOCAL ? "client" : "server",
		      info.flags & SSL_CONN_CLOSE_FLAG_TRANSPORT ? "transport" : "application",
		      (unsigned long long)info.error_code, (unsigned long long)info.frame_type,
		      (int)info.reason_len, info.reason ? info.reason : "");
	fail(what);
}

static int keep_session(SSL *ssl, SSL_SESSION *new)
{
	SSL_SESSION_free(session);
	session = new;
	return 1;
}

static SSL *open_connection(SSL_CTX *ctx, struct address *addr, const char *name)
{
	int fd = socket(addr->storage.ss_family, SOCK_DGRAM, 0);
	SSL *conn = SSL_new(ctx);

	if (connect(fd, (void *)&addr->storage, addr->len))
		err(1, "connect");
	if (!SSL_set_fd(conn, fd) || SSL_set_alpn_protos(conn, alpn, sizeof(alpn) - 1) ||
	    !SSL_set_tlsext_host_name(conn, name) || !SSL_set1_host(conn, name) ||
	    !SSL_set1_initial_peer_addr(conn, addr->bio))
		fail("connection");
	SSL_set_default_stream_mode(conn, SSL_DEFAULT_STREAM_MODE_NONE);
	if (session && !SSL_set_session(conn, session))
		fail("session");
	if (SSL_connect(conn) < 1)
		fail_of(conn, "handshake");
	printf("connected: %s, %s\n", SSL_get_cipher(conn),
	       SSL_session_reused(conn) ? "resumed" : "full handshake");
	return conn;
}

static SSL *request(SSL *conn, const char *path)
{
	SSL *stream = SSL_new_stream(conn, 0);
	char line[4096];
	size_t n;

	snprintf(line, sizeof(line), "GET /%s\r\n", path);
	if (!stream || !SSL_write_ex(stream, line, strlen(line), &n) ||
	    !SSL_stream_conclude(stream, 0))
		fail("request");
	return stream;
}

static void store(SSL *stream, const char *path)
{
	FILE *file = open_in(path, "wb");
	size_t n, total = 0;
	char block[65536];

	if (!file)
		err(1, "%s", path);
	while (SSL_read_ex(stream, block, sizeof(block), &n)) {
		fwrite(block, 1, n, file);
		total += n;
	}
	if (SSL_get_stream_read_state(stream) != SSL_STREAM_STATE_FINISHED)
		fail("answer");
	fclose(file);
	printf("got %s: %zu bytes\n", path, total);
	SSL_free(stream);
}

static void fetch(SSL *conn, int count, char **paths)
{
	SSL **streams = calloc(count, sizeof(*streams));
	int i;

	for (i = 0; i < count; i++)
		streams[i] = request(conn, paths[i]);
	for (i = 0; i < count; i++)
		store(streams[i], paths[i]);
	free(streams);
}

/* It comes with the answers, or later where it was lost. */
static void await_ticket(SSL *conn)
{
	int turns;

	for (turns = 0; !session && turns < 1000; turns++) {
		SSL_handle_events(conn);
		usleep(10000);
	}
	if (!session)
		errx(1, "the server sent no ticket");
}

static void close_connection(SSL *conn)
{
	while (SSL_shutdown(conn) == 0)
		;
	SSL_free(conn);
}

static int client(int argc, char **argv)
{
	struct address addr = parse_address(argv[0], argv[1]);
	/*
	 * Not the thread method: OpenSSL 3.5 keeps the tokens of NEW_TOKEN only
	 * for this one, and with the other neither stores nor acknowledges a
	 * packet that has such a frame.
	 */
	SSL_CTX *ctx = SSL_CTX_new(OSSL_QUIC_client_method());
	SSL *conn;

	folder = argv[4];
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (!SSL_CTX_load_verify_file(ctx, argv[2]))
		fail("authority");
	if (getenv("CIPHER") && !SSL_CTX_set_ciphersuites(ctx, getenv("CIPHER")))
		fail("cipher");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	conn = open_connection(ctx, &addr, argv[3]);
	if (getenv("RESUME")) {
		fetch(conn, argc - 5, argv + 5);
		await_ticket(conn);
		close_connection(conn);
		conn = open_connection(ctx, &addr, argv[3]);
		if (!SSL_session_reused(conn))
			errx(1, "the session was not resumed");
	}
	if (getenv("KEY_UPDATE")) {
		/* Not before the handshake is confirmed, which it is with the answers. */
		fetch(conn, argc - 5, argv + 5);
		if (!SSL_key_update(conn, SSL_KEY_UPDATE_REQUESTED))
			fail("key update");
	}
	fetch(conn, argc - 5, argv + 5);
	close_connection(conn);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 7 && !strcmp(argv[1], "server"))
		return server(argv + 2);
	if (argc > 7 && !strcmp(argv[1], "client"))
		return client(argc - 2, argv + 2);
	errx(2, "usage: openssl_peer server ADDRESS PORT CERTIFICATE KEY FOLDER |\n"
		"       openssl_peer client ADDRESS PORT AUTHORITY NAME FOLDER PATH...");
}
