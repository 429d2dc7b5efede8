// SPDX-License-Identifier: GPL-2.0
/* The binary interface: sizes, offsets and numbers of <linux/quic.h>. */
#include "kselftest_harness.h"
#include "quic_ksft.h"

#define SIZE(type, size) \
	_Static_assert(sizeof(type) == (size), #type " has another size")
#define FIELD(type, field, offset) \
	_Static_assert(offsetof(type, field) == (offset), #type "." #field " is elsewhere")

SIZE(struct quic_handshake_info, 1);
FIELD(struct quic_stream_info, stream_id, 0);
FIELD(struct quic_stream_info, stream_flags, 8);
FIELD(struct quic_errinfo, stream_id, 0);
FIELD(struct quic_errinfo, errcode, 8);
SIZE(struct quic_stream_reset_at, 24);
FIELD(struct quic_stream_reset_at, stream_id, 0);
FIELD(struct quic_stream_reset_at, reliable_size, 8);
FIELD(struct quic_stream_reset_at, errcode, 16);
SIZE(struct quic_stream_priority, 16);
FIELD(struct quic_stream_priority, stream_id, 0);
FIELD(struct quic_stream_priority, urgency, 8);
FIELD(struct quic_stream_priority, incremental, 9);
#ifdef __LP64__
SIZE(struct quic_stream_info, 16);
SIZE(struct quic_errinfo, 16);
_Static_assert(CMSG_LEN(sizeof(struct quic_stream_info)) == 32, "stream control message");
_Static_assert(CMSG_SPACE(sizeof(struct quic_handshake_info)) == 24, "handshake control message");
#endif

SIZE(struct quic_transport_param, 56);
FIELD(struct quic_transport_param, remote, 0);
FIELD(struct quic_transport_param, disable_active_migration, 1);
FIELD(struct quic_transport_param, grease_quic_bit, 2);
FIELD(struct quic_transport_param, stateless_reset, 3);
FIELD(struct quic_transport_param, disable_1rtt_encryption, 4);
FIELD(struct quic_transport_param, disable_compatible_version, 5);
FIELD(struct quic_transport_param, active_connection_id_limit, 6);
FIELD(struct quic_transport_param, ack_delay_exponent, 7);
FIELD(struct quic_transport_param, max_datagram_frame_size, 8);
FIELD(struct quic_transport_param, max_udp_payload_size, 10);
FIELD(struct quic_transport_param, max_idle_timeout, 12);
FIELD(struct quic_transport_param, max_ack_delay, 16);
FIELD(struct quic_transport_param, max_streams_bidi, 20);
FIELD(struct quic_transport_param, max_streams_uni, 22);
FIELD(struct quic_transport_param, max_data, 24);
FIELD(struct quic_transport_param, max_stream_data_bidi_local, 32);
FIELD(struct quic_transport_param, max_stream_data_bidi_remote, 40);
FIELD(struct quic_transport_param, max_stream_data_uni, 48);

SIZE(struct quic_config, 28);
FIELD(struct quic_config, version, 0);
FIELD(struct quic_config, plpmtud_probe_interval, 4);
FIELD(struct quic_config, initial_smoothed_rtt, 8);
FIELD(struct quic_config, payload_cipher_type, 12);
FIELD(struct quic_config, congestion_control_algo, 16);
FIELD(struct quic_config, validate_peer_address, 17);
FIELD(struct quic_config, stream_data_nodelay, 18);
FIELD(struct quic_config, receive_session_ticket, 19);
FIELD(struct quic_config, certificate_request, 20);
FIELD(struct quic_config, reserved, 21);
FIELD(struct quic_config, keepalive_probe_interval, 24);

SIZE(struct quic_crypto_secret, 56);
FIELD(struct quic_crypto_secret, send, 0);
FIELD(struct quic_crypto_secret, level, 1);
FIELD(struct quic_crypto_secret, reserved, 2);
FIELD(struct quic_crypto_secret, type, 4);
FIELD(struct quic_crypto_secret, secret, 8);

SIZE(struct quic_connection_id_info, 12);
FIELD(struct quic_connection_id_info, dest, 0);
FIELD(struct quic_connection_id_info, active, 4);
FIELD(struct quic_connection_id_info, prior_to, 8);

SIZE(struct quic_event_option, 2);
SIZE(struct quic_stream_update, 24);
FIELD(struct quic_stream_update, id, 0);
FIELD(struct quic_stream_update, state, 8);
FIELD(struct quic_stream_update, errcode, 12);
FIELD(struct quic_stream_update, finalsz, 16);
SIZE(struct quic_stream_max_data, 16);
SIZE(struct quic_connection_close, 72);
FIELD(struct quic_connection_close, errcode, 0);
FIELD(struct quic_connection_close, frame, 4);
FIELD(struct quic_connection_close, phrase, 8);
SIZE(union quic_event, 72);
SIZE(struct quic_stream_peeloff_info, 16);
FIELD(struct quic_stream_peeloff_info, sd, 12);

SIZE(struct quic_info, 192);
FIELD(struct quic_info, version, 0);
FIELD(struct quic_info, latest_rtt, 36);
FIELD(struct quic_info, cwnd, 40);
FIELD(struct quic_info, packets_lost, 96);
FIELD(struct quic_info, bytes_lost, 120);
FIELD(struct quic_info, pto, 128);
FIELD(struct quic_info, pacing_rate, 144);
FIELD(struct quic_info, send_credit, 184);

struct number {
	const char *name;
	long long is;
	long long must;
};

#define N(name, must) { #name, name, must }

static const struct number numbers[] = {
	N(IPPROTO_QUIC, 261),
	N(SOL_QUIC, 288),
	N(MSG_QUIC_STREAM_NEW, MSG_SYN),
	N(MSG_QUIC_STREAM_FIN, MSG_FIN),
	N(MSG_QUIC_STREAM_UNI, MSG_CONFIRM),
	N(MSG_QUIC_STREAM_DONTWAIT, MSG_WAITFORONE),
	N(MSG_QUIC_STREAM_SNDBLOCK, MSG_ERRQUEUE),
	N(MSG_QUIC_DATAGRAM, MSG_RST),
	N(MSG_QUIC_NOTIFICATION, MSG_MORE),
	N(MSG_STREAM_NEW, 0x400),
	N(MSG_STREAM_FIN, 0x200),
	N(MSG_STREAM_UNI, 0x800),
	N(MSG_STREAM_DONTWAIT, 0x10000),
	N(MSG_STREAM_SNDBLOCK, 0x2000),
	N(MSG_DATAGRAM, 0x1000),
	N(MSG_NOTIFICATION, 0x8000),
	N(QUIC_STREAM_INFO, 0),
	N(QUIC_HANDSHAKE_INFO, 1),
	N(QUIC_CRYPTO_APP, 0),
	N(QUIC_CRYPTO_INITIAL, 1),
	N(QUIC_CRYPTO_HANDSHAKE, 2),
	N(QUIC_CRYPTO_EARLY, 3),
	N(QUIC_CONG_ALG_RENO, 0),
	N(QUIC_CONG_ALG_CUBIC, 1),
	N(QUIC_VERSION_V2, 0x6b3343cf),
	N(QUIC_EVENT_STREAM_UPDATE, 1),
	N(QUIC_EVENT_STREAM_MAX_DATA, 2),
	N(QUIC_EVENT_STREAM_MAX_STREAM, 3),
	N(QUIC_EVENT_CONNECTION_ID, 4),
	N(QUIC_EVENT_CONNECTION_CLOSE, 5),
	N(QUIC_EVENT_CONNECTION_MIGRATION, 6),
	N(QUIC_EVENT_KEY_UPDATE, 7),
	N(QUIC_EVENT_NEW_TOKEN, 8),
	N(QUIC_EVENT_NEW_SESSION_TICKET, 9),
	N(QUIC_EVENT_MAX, 10),
	N(QUIC_STREAM_SEND_STATE_READY, 0),
	N(QUIC_STREAM_SEND_STATE_RESET_RECVD, 5),
	N(QUIC_STREAM_RECV_STATE_RECV, 6),
	N(QUIC_STREAM_RECV_STATE_RESET_READ, 11),
	N(QUIC_SOCKOPT_EVENT, 0),
	N(QUIC_SOCKOPT_STREAM_OPEN, 1),
	N(QUIC_SOCKOPT_STREAM_RESET, 2),
	N(QUIC_SOCKOPT_STREAM_STOP_SENDING, 3),
	N(QUIC_SOCKOPT_CONNECTION_ID, 4),
	N(QUIC_SOCKOPT_CONNECTION_CLOSE, 5),
	N(QUIC_SOCKOPT_CONNECTION_MIGRATION, 6),
	N(QUIC_SOCKOPT_KEY_UPDATE, 7),
	N(QUIC_SOCKOPT_TRANSPORT_PARAM, 8),
	N(QUIC_SOCKOPT_CONFIG, 9),
	N(QUIC_SOCKOPT_TOKEN, 10),
	N(QUIC_SOCKOPT_ALPN, 11),
	N(QUIC_SOCKOPT_SESSION_TICKET, 12),
	N(QUIC_SOCKOPT_CRYPTO_SECRET, 13),
	N(QUIC_SOCKOPT_TRANSPORT_PARAM_EXT, 14),
	N(QUIC_SOCKOPT_INFO, 64),
	N(QUIC_SOCKOPT_SERVER_NAME, 65),
	N(QUIC_SOCKOPT_STREAM_RESET_AT, 66),
	N(QUIC_SOCKOPT_STREAM_PRIORITY, 67),
	N(QUIC_TRANSPORT_ERROR_APPLICATION, 0x0c),
	N(QUIC_TRANSPORT_ERROR_NO_VIABLE_PATH, 0x10),
	N(QUIC_TRANSPORT_ERROR_CRYPTO, 0x100),
};

TEST(numbers_of_the_interface_are_as_published)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		EXPECT_EQ(numbers[i].must, numbers[i].is) {
			TH_LOG("%s", numbers[i].name);
		}
	}
}

TEST_HARNESS_MAIN
