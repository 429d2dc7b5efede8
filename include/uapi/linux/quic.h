/* SPDX-License-Identifier: GPL-2.0+ WITH Linux-syscall-note */
/*
 * User-space interface of IPPROTO_QUIC sockets (RFC 9000, RFC 9001, RFC 9002).
 *
 * The kernel carries packets, streams, loss recovery and packet protection;
 * the TLS 1.3 handshake (RFC 8446 without records) is run in user space and
 * hands its messages and secrets to the socket.
 *
 * C programs include <netinet/in.h> or <linux/in.h> first, then this file.
 *
 * Sizes: for every structure-valued socket option and for both control
 * messages the kernel copies the smaller of its own and the caller's length.
 * A missing tail counts as zero on the way in, an excess is ignored, and a
 * short buffer receives a truncated copy on the way out.  Structures may
 * therefore grow at their end.  Reserved bytes are to be set to zero.
 */
#ifndef _UAPI_LINUX_QUIC_H
#define _UAPI_LINUX_QUIC_H

#include <linux/types.h>

/* Third argument of socket(); AF_INET or AF_INET6, SOCK_STREAM or SOCK_DGRAM. */
#ifndef IPPROTO_QUIC
#define IPPROTO_QUIC	261
#endif

/* Level of the socket options and control messages below. */
#ifndef SOL_QUIC
#define SOL_QUIC	288
#endif

/*
 * Message and stream flags.  They reuse bits of <linux/socket.h>, the value is
 * the interface.
 */

/* Stream flag: the last bytes of this direction of the stream. */
#define MSG_QUIC_STREAM_FIN		0x200
/* Stream flag: open the stream of the given id. */
#define MSG_QUIC_STREAM_NEW		0x400
/* Stream flag: with id -1, take a unidirectional stream. */
#define MSG_QUIC_STREAM_UNI		0x800
/* Stream flag: tell the peer when flow control blocks (the *_BLOCKED frames). */
#define MSG_QUIC_STREAM_SNDBLOCK	0x2000
/* Stream flag: do not sleep for the peer's limit on the number of streams. */
#define MSG_QUIC_STREAM_DONTWAIT	0x10000
/* sendmsg() flag and msg_flags: an unreliable datagram (RFC 9221). */
#define MSG_QUIC_DATAGRAM		0x1000
/* msg_flags only: the bytes are an event, see enum quic_event_type. */
#define MSG_QUIC_NOTIFICATION		0x8000

/* The same flags by the names that programs written before October 2025 use. */
#define MSG_STREAM_FIN			MSG_QUIC_STREAM_FIN
#define MSG_STREAM_NEW			MSG_QUIC_STREAM_NEW
#define MSG_STREAM_UNI			MSG_QUIC_STREAM_UNI
#define MSG_STREAM_SNDBLOCK		MSG_QUIC_STREAM_SNDBLOCK
#define MSG_STREAM_DONTWAIT		MSG_QUIC_STREAM_DONTWAIT
#define MSG_DATAGRAM			MSG_QUIC_DATAGRAM
#define MSG_NOTIFICATION		MSG_QUIC_NOTIFICATION

/**
 * enum quic_cmsg_type - control messages at level SOL_QUIC
 * @QUIC_STREAM_INFO: struct quic_stream_info: the bytes are a stream's
 * @QUIC_HANDSHAKE_INFO: struct quic_handshake_info: the bytes are TLS messages
 */
enum quic_cmsg_type {
	QUIC_STREAM_INFO,
	QUIC_HANDSHAKE_INFO
};

/* The two low bits of a stream id (RFC 9000 section 2.1). */
#define QUIC_STREAM_TYPE_SERVER_MASK	0x01	/* opened by the server */
#define QUIC_STREAM_TYPE_UNI_MASK	0x02	/* carries data one way */
#define QUIC_STREAM_TYPE_MASK		0x03

/**
 * enum quic_crypto_level - encryption level of TLS messages and secrets
 *
 * @QUIC_CRYPTO_APP: 1-RTT packets
 * @QUIC_CRYPTO_INITIAL: Initial packets; the kernel derives the keys
 * @QUIC_CRYPTO_HANDSHAKE: Handshake packets
 * @QUIC_CRYPTO_EARLY: 0-RTT packets
 * @QUIC_CRYPTO_MAX: how many there are
 *
 * The application level is zero, so that a zeroed structure means 1-RTT.
 */
enum quic_crypto_level {
	QUIC_CRYPTO_APP,
	QUIC_CRYPTO_INITIAL,
	QUIC_CRYPTO_HANDSHAKE,
	QUIC_CRYPTO_EARLY,
	QUIC_CRYPTO_MAX
};

/**
 * struct quic_handshake_info - control message QUIC_HANDSHAKE_INFO
 * @crypto_level: enum quic_crypto_level the message belongs to
 */
struct quic_handshake_info {
	__u8	crypto_level;
};

/**
 * struct quic_stream_info - control message QUIC_STREAM_INFO; STREAM_OPEN
 * @stream_id: stream; -1 stands for the active stream or the next unopened id
 * @stream_flags: MSG_QUIC_STREAM_* bits
 */
struct quic_stream_info {
	__s64	stream_id;
	__u32	stream_flags;
};

/* Socket options at level SOL_QUIC; the value's type and the directions follow. */
#define QUIC_SOCKOPT_EVENT			0  /* quic_event_option; set, get */
#define QUIC_SOCKOPT_STREAM_OPEN		1  /* quic_stream_info; get, opens */
#define QUIC_SOCKOPT_STREAM_RESET		2  /* quic_errinfo; set */
#define QUIC_SOCKOPT_STREAM_STOP_SENDING	3  /* quic_errinfo; set */
#define QUIC_SOCKOPT_CONNECTION_ID		4  /* quic_connection_id_info; set, get */
#define QUIC_SOCKOPT_CONNECTION_CLOSE		5  /* quic_connection_close; set, get */
#define QUIC_SOCKOPT_CONNECTION_MIGRATION	6  /* sockaddr_in or _in6; set */
#define QUIC_SOCKOPT_KEY_UPDATE			7  /* no value; set */
#define QUIC_SOCKOPT_TRANSPORT_PARAM		8  /* quic_transport_param; set, get */
#define QUIC_SOCKOPT_CONFIG			9  /* quic_config; set, get */
#define QUIC_SOCKOPT_TOKEN			10 /* bytes; set, get */
#define QUIC_SOCKOPT_ALPN			11 /* names joined by ','; set, get */
#define QUIC_SOCKOPT_SESSION_TICKET		12 /* bytes; set, get */
#define QUIC_SOCKOPT_CRYPTO_SECRET		13 /* quic_crypto_secret; set */
#define QUIC_SOCKOPT_TRANSPORT_PARAM_EXT	14 /* RFC 9000 section 18; set, get */
#define QUIC_SOCKOPT_STREAM_PEELOFF		15 /* quic_stream_peeloff_info; kept free */

/*
 * Options of this implementation start at 64, well clear of the numbers above.
 * A program finds out about them by ENOPROTOOPT.
 */
#define QUIC_SOCKOPT_INFO			64 /* quic_info; get */
#define QUIC_SOCKOPT_SERVER_NAME		65 /* names joined by ','; set, get */
#define QUIC_SOCKOPT_STREAM_RESET_AT		66 /* quic_stream_reset_at; set */
#define QUIC_SOCKOPT_STREAM_PRIORITY		67 /* quic_stream_priority; set, get */

/*
 * QUIC_SOCKOPT_SERVER_NAME: the servers that a listener speaks for.
 *
 * Set before listen(); at most 16 host names and 1024 bytes in all, else, and
 * on a listener, EINVAL.  "*.example.org" stands for all names with one more
 * label.  A value of no length takes the names away.
 *
 * Listeners on the same address and port may name different servers, as they
 * may have different ALPN lists.  A client goes to a listener that names the
 * server it asks for (TLS server_name), by the very name before one by "*",
 * and only then to one that names none; among these ALPN decides.  If nobody
 * is left it is refused with the alert unrecognized_name, or with
 * no_application_protocol if nobody has its protocol for any server.
 */

/* QUIC versions (RFC 9000, RFC 9369). */
#define QUIC_VERSION_V1		0x00000001
#define QUIC_VERSION_V2		0x6b3343cf

/**
 * struct quic_transport_param - QUIC_SOCKOPT_TRANSPORT_PARAM
 * @remote: 0 for the own, announced parameters, 1 for those of the peer
 * @disable_active_migration: the peer must not move to another address
 * @grease_quic_bit: the fixed bit may take any value (RFC 9287)
 * @stateless_reset: a server announces a stateless reset token
 * @disable_1rtt_encryption: 1-RTT packets without protection, if both sides agree
 * @disable_compatible_version: leave version_information out (RFC 9368)
 * @active_connection_id_limit: ids of the peer that are kept, 2 to 8
 * @ack_delay_exponent: scale of the ACK delay field, at most 20
 * @max_datagram_frame_size: largest DATAGRAM frame taken (RFC 9221), 0 for none
 * @max_udp_payload_size: largest UDP payload taken, 1200 to 65527 bytes
 * @max_idle_timeout: microseconds of silence after which the connection ends
 * @max_ack_delay: microseconds by which an ACK may be held back, below 2^14 ms
 * @max_streams_bidi: bidirectional streams the peer may open, at most 4096
 * @max_streams_uni: unidirectional streams the peer may open, at most 4096
 * @max_data: credit of the whole connection in bytes
 * @max_stream_data_bidi_local: credit of a stream opened by this side
 * @max_stream_data_bidi_remote: credit of a stream opened by the peer
 * @max_stream_data_uni: credit of a unidirectional stream opened by the peer
 *
 * A field of zero leaves the value as it is when set.
 */
struct quic_transport_param {
	__u8	remote;
	__u8	disable_active_migration;
	__u8	grease_quic_bit;
	__u8	stateless_reset;
	__u8	disable_1rtt_encryption;
	__u8	disable_compatible_version;
	__u8	active_connection_id_limit;
	__u8	ack_delay_exponent;
	__u16	max_datagram_frame_size;
	__u16	max_udp_payload_size;
	__u32	max_idle_timeout;
	__u32	max_ack_delay;
	__u16	max_streams_bidi;
	__u16	max_streams_uni;
	__u64	max_data;
	__u64	max_stream_data_bidi_local;
	__u64	max_stream_data_bidi_remote;
	__u64	max_stream_data_uni;
};

/**
 * enum quic_cong_algo - quic_config.congestion_control_algo
 * @QUIC_CONG_ALG_RENO: NewReno of RFC 9002
 * @QUIC_CONG_ALG_CUBIC: CUBIC of RFC 9438
 * @QUIC_CONG_ALG_MAX: how many there are
 */
enum quic_cong_algo {
	QUIC_CONG_ALG_RENO,
	QUIC_CONG_ALG_CUBIC,
	QUIC_CONG_ALG_MAX
};

/**
 * struct quic_config - QUIC_SOCKOPT_CONFIG
 * @version: first version of a client, preferred version of a server
 * @plpmtud_probe_interval: microseconds between path MTU probes, 0 for 600 s
 * @initial_smoothed_rtt: microseconds taken for the RTT before the first sample
 * @payload_cipher_type: TLS_CIPHER_* for the handshake agent, 0 for any
 * @congestion_control_algo: enum quic_cong_algo
 * @validate_peer_address: a listener answers a client without token by Retry
 * @stream_data_nodelay: do not hold small frames back
 * @receive_session_ticket: for the agent: seconds to wait for a ticket
 * @certificate_request: for the agent: 0 ignore, 1 request, 2 require, 3 none
 * @reserved: zero; of a client the first may be QUIC_NEGOTIATION_*
 * @keepalive_probe_interval: microseconds between keep-alive PINGs, 0 for none
 *
 * A field of zero leaves the value as it is when set.
 */
struct quic_config {
	__u32	version;
	__u32	plpmtud_probe_interval;
	__u32	initial_smoothed_rtt;
	__u32	payload_cipher_type;
	__u8	congestion_control_algo;
	__u8	validate_peer_address;
	__u8	stream_data_nodelay;
	__u8	receive_session_ticket;
	__u8	certificate_request;
	__u8	reserved[3];
	__u32	keepalive_probe_interval;
};

/*
 * What a client does when a server asks for another version than the one that
 * its ClientHello announces (RFC 9368 section 2.1).  By default the socket
 * sends the same ClientHello again, which servers that know RFC 9368 refuse.
 * A program that can make another one sets RESTART: the connection ends with
 * QUIC_TRANSPORT_ERROR_VERSION_NEGOTIATION, quic_info.version is the version to
 * begin with on another socket, and RESTARTED is set there.
 */
#define QUIC_NEGOTIATION_RESTART	1
#define QUIC_NEGOTIATION_RESTARTED	2

#define QUIC_CRYPTO_SECRET_BUFFER_SIZE	48

/**
 * struct quic_crypto_secret - QUIC_SOCKOPT_CRYPTO_SECRET
 * @send: 1 for the secret of the sending direction, 0 for the receiving one
 * @level: enum quic_crypto_level, not INITIAL
 * @reserved: zero
 * @type: TLS_CIPHER_* of <linux/tls.h>
 * @secret: TLS traffic secret; 48 bytes for AES_GCM_256, else 32
 */
struct quic_crypto_secret {
	__u8	send;
	__u8	level;
	__u16	reserved;
	__u32	type;
	__u8	secret[QUIC_CRYPTO_SECRET_BUFFER_SIZE];
};

/**
 * struct quic_errinfo - QUIC_SOCKOPT_STREAM_RESET, QUIC_SOCKOPT_STREAM_STOP_SENDING
 * @stream_id: stream
 * @errcode: application error code sent to the peer
 */
struct quic_errinfo {
	__s64	stream_id;
	__u32	errcode;
};

/**
 * struct quic_stream_reset_at - QUIC_SOCKOPT_STREAM_RESET_AT
 * @stream_id: stream
 * @reliable_size: bytes from its beginning that are delivered nevertheless
 * @errcode: application error code sent to the peer
 * @reserved: 0
 */
struct quic_stream_reset_at {
	__s64	stream_id;
	__u64	reliable_size;
	__u32	errcode;
	__u32	reserved;
};

/**
 * struct quic_stream_priority - QUIC_SOCKOPT_STREAM_PRIORITY
 * @stream_id: stream; for get, on input
 * @urgency: 0 (sent first) to 7 (sent last); 3 if not set
 * @incremental: 1: takes turns with others of its urgency, as if not set; 0:
 *               goes on until it has nothing to send
 * @reserved: 0
 */
struct quic_stream_priority {
	__s64	stream_id;
	__u8	urgency;
	__u8	incremental;
	__u8	reserved[6];
};

/**
 * struct quic_connection_id_info - QUIC_SOCKOPT_CONNECTION_ID; event payload
 * @dest: 0 for ids issued by this side, 1 for ids issued by the peer
 * @reserved: zero
 * @active: sequence number in use
 * @prior_to: smallest sequence number that is not retired
 */
struct quic_connection_id_info {
	__u8	dest;
	__u8	reserved[3];
	__u32	active;
	__u32	prior_to;
};

/**
 * enum quic_event_type - first byte of a message with MSG_QUIC_NOTIFICATION
 * @QUIC_EVENT_NONE: not a type
 * @QUIC_EVENT_STREAM_UPDATE: a stream's state; struct quic_stream_update follows
 * @QUIC_EVENT_STREAM_MAX_DATA: a stream's credit; struct quic_stream_max_data
 * @QUIC_EVENT_STREAM_MAX_STREAM: more streams; __u64, highest id allowed now
 * @QUIC_EVENT_CONNECTION_ID: an id was retired; struct quic_connection_id_info
 * @QUIC_EVENT_CONNECTION_CLOSE: the end; struct quic_connection_close
 * @QUIC_EVENT_CONNECTION_MIGRATION: __u8, 1 own address, 0 the peer's address
 * @QUIC_EVENT_KEY_UPDATE: __u8, key phase in use
 * @QUIC_EVENT_NEW_TOKEN: a client got a token; its bytes
 * @QUIC_EVENT_NEW_SESSION_TICKET: a client got a ticket; the TLS message
 * @QUIC_EVENT_MAX: how many there are, with none
 */
enum quic_event_type {
	QUIC_EVENT_NONE,
	QUIC_EVENT_STREAM_UPDATE,
	QUIC_EVENT_STREAM_MAX_DATA,
	QUIC_EVENT_STREAM_MAX_STREAM,
	QUIC_EVENT_CONNECTION_ID,
	QUIC_EVENT_CONNECTION_CLOSE,
	QUIC_EVENT_CONNECTION_MIGRATION,
	QUIC_EVENT_KEY_UPDATE,
	QUIC_EVENT_NEW_TOKEN,
	QUIC_EVENT_NEW_SESSION_TICKET,
	QUIC_EVENT_MAX
};

#define QUIC_EVENT_END	QUIC_EVENT_MAX	/* older name */

/**
 * struct quic_event_option - QUIC_SOCKOPT_EVENT
 * @type: enum quic_event_type
 * @on: 1 if events of that kind are delivered
 */
struct quic_event_option {
	__u8	type;
	__u8	on;
};

/**
 * enum quic_stream_state - state of one direction of a stream (RFC 9000 section 3)
 * @QUIC_STREAM_SEND_STATE_READY: opened, nothing sent
 * @QUIC_STREAM_SEND_STATE_SEND: data was sent
 * @QUIC_STREAM_SEND_STATE_SENT: the end was sent
 * @QUIC_STREAM_SEND_STATE_RECVD: everything was acknowledged; event
 * @QUIC_STREAM_SEND_STATE_RESET_SENT: given up; event if the peer wanted it
 * @QUIC_STREAM_SEND_STATE_RESET_RECVD: the peer knows that; event
 * @QUIC_STREAM_RECV_STATE_RECV: data arrives; event at the first of it
 * @QUIC_STREAM_RECV_STATE_SIZE_KNOWN: the end is known, data is missing; event
 * @QUIC_STREAM_RECV_STATE_RECVD: everything has arrived; event
 * @QUIC_STREAM_RECV_STATE_READ: everything was read
 * @QUIC_STREAM_RECV_STATE_RESET_RECVD: the peer has given up; event
 * @QUIC_STREAM_RECV_STATE_RESET_READ: the program knows that
 */
enum quic_stream_state {
	QUIC_STREAM_SEND_STATE_READY,
	QUIC_STREAM_SEND_STATE_SEND,
	QUIC_STREAM_SEND_STATE_SENT,
	QUIC_STREAM_SEND_STATE_RECVD,
	QUIC_STREAM_SEND_STATE_RESET_SENT,
	QUIC_STREAM_SEND_STATE_RESET_RECVD,

	QUIC_STREAM_RECV_STATE_RECV,
	QUIC_STREAM_RECV_STATE_SIZE_KNOWN,
	QUIC_STREAM_RECV_STATE_RECVD,
	QUIC_STREAM_RECV_STATE_READ,
	QUIC_STREAM_RECV_STATE_RESET_RECVD,
	QUIC_STREAM_RECV_STATE_RESET_READ
};

/**
 * struct quic_stream_update - payload of QUIC_EVENT_STREAM_UPDATE
 * @id: stream
 * @state: enum quic_stream_state that was entered
 * @reserved: zero
 * @errcode: application error code of a reset
 * @finalsz: final size in bytes, once it is known
 */
struct quic_stream_update {
	__s64	id;
	__u8	state;
	__u8	reserved[3];
	__u32	errcode;
	__u64	finalsz;
};

/**
 * struct quic_stream_max_data - payload of QUIC_EVENT_STREAM_MAX_DATA
 * @id: stream
 * @max_data: bytes that may be sent on it in total
 */
struct quic_stream_max_data {
	__s64	id;
	__u64	max_data;
};

#define QUIC_CLOSE_PHRASE_BUFFER_SIZE	64

/**
 * struct quic_connection_close - QUIC_SOCKOPT_CONNECTION_CLOSE; event payload
 * @errcode: transport error code, or application error code if @frame is 0
 * @frame: type of the frame that caused a transport error
 * @reserved: zero
 * @phrase: reason in text, ended by a NUL
 */
struct quic_connection_close {
	__u32	errcode;
	__u8	frame;
	__u8	reserved[3];
	__u8	phrase[QUIC_CLOSE_PHRASE_BUFFER_SIZE];
};

/**
 * union quic_event - what follows the first byte of an event, unaligned
 * @update: QUIC_EVENT_STREAM_UPDATE
 * @max_data: QUIC_EVENT_STREAM_MAX_DATA
 * @close: QUIC_EVENT_CONNECTION_CLOSE
 * @info: QUIC_EVENT_CONNECTION_ID
 * @max_stream: QUIC_EVENT_STREAM_MAX_STREAM
 * @local_migration: QUIC_EVENT_CONNECTION_MIGRATION
 * @key_update_phase: QUIC_EVENT_KEY_UPDATE
 */
union quic_event {
	struct quic_stream_update	update;
	struct quic_stream_max_data	max_data;
	struct quic_connection_close	close;
	struct quic_connection_id_info	info;
	__u64	max_stream;
	__u8	local_migration;
	__u8	key_update_phase;
};

/**
 * struct quic_stream_peeloff_info - QUIC_SOCKOPT_STREAM_PEELOFF
 * @stream_id: stream that gets a descriptor of its own
 * @flags: SOCK_CLOEXEC, SOCK_NONBLOCK
 * @sd: the new descriptor
 */
struct quic_stream_peeloff_info {
	__s64	stream_id;
	__u32	flags;
	__s32	sd;
};

/**
 * struct quic_info - QUIC_SOCKOPT_INFO, the counters of a connection
 * @version: QUIC version in use
 * @cipher_type: TLS_CIPHER_* of the 1-RTT keys, 0 before they are set
 * @key_phase: key phase of packets sent, 0 or 1
 * @congestion_control_algo: enum quic_cong_algo
 * @mtu: largest UDP payload sent, in bytes
 * @streams_open: streams of both kinds that are not finished
 * @smoothed_rtt: microseconds (RFC 9002 section 5.3)
 * @rttvar: microseconds (RFC 9002 section 5.3)
 * @min_rtt: microseconds (RFC 9002 section 5.2), 0 before the first sample
 * @latest_rtt: microseconds, 0 before the first sample
 * @cwnd: congestion window in bytes
 * @ssthresh: slow start threshold in bytes, all ones while there is none
 * @bytes_in_flight: bytes sent that are neither acknowledged nor lost
 * @bytes_sent: UDP payload sent in this connection, on all paths
 * @bytes_received: UDP payload of datagrams with an authentic packet, on all paths
 * @packets_sent: QUIC packets sent
 * @packets_received: QUIC packets received and authenticated
 * @packets_lost: packets declared lost (RFC 9002 section 6.1)
 * @packets_spuriously_lost: packets acknowledged after they were declared lost
 * @frames_retransmitted: frames sent again because of a loss or a probe
 * @bytes_lost: size of the packets declared lost
 * @pto: microseconds of the probe time-out, without backoff (RFC 9002 section 6.2)
 * @flags: QUIC_INFO_* bits
 * @path: number of the path in use: 0 for the first one, larger after each move
 * @key_updates: key updates, whichever side began them
 * @pacing_rate: bytes per second that pacing lets go
 * @delivery_rate: bytes per second that the path delivers, 0 before the first sample
 * @packets_acked: packets acknowledged
 * @probe_timeouts: probe time-outs (RFC 9002 section 6.2.1)
 * @bytes_unsent: stream data queued that was not sent yet
 * @send_credit: stream data that the peer still takes in all (RFC 9000 section 4.1)
 *
 * New fields are added at the end only: a program that knows fewer gets fewer,
 * one that knows more sees the length returned.  The addresses of the path are
 * told by getsockname() and getpeername().  ENOTCONN before connect().
 */
struct quic_info {
	__u32	version;
	__u32	cipher_type;
	__u32	key_phase;
	__u32	congestion_control_algo;
	__u32	mtu;
	__u32	streams_open;
	__u32	smoothed_rtt;
	__u32	rttvar;
	__u32	min_rtt;
	__u32	latest_rtt;
	__u64	cwnd;
	__u64	ssthresh;
	__u64	bytes_in_flight;
	__u64	bytes_sent;
	__u64	bytes_received;
	__u64	packets_sent;
	__u64	packets_received;
	__u64	packets_lost;
	__u64	packets_spuriously_lost;
	__u64	frames_retransmitted;
	__u64	bytes_lost;
	__u32	pto;
	__u32	flags;
	__u32	path;
	__u32	key_updates;
	__u64	pacing_rate;
	__u64	delivery_rate;
	__u64	packets_acked;
	__u64	probe_timeouts;
	__u64	bytes_unsent;
	__u64	send_credit;
};

/* Bits of quic_info.flags. */
#define QUIC_INFO_SERVER	0x01	/* the server's end */
#define QUIC_INFO_CONFIRMED	0x02	/* handshake confirmed (RFC 9001 section 4.1.2) */
#define QUIC_INFO_VALIDATED	0x04	/* the peer's address is validated */
#define QUIC_INFO_ECN		0x08	/* the path carries ECN marks */
#define QUIC_INFO_SLOW_START	0x10	/* the window is below the threshold */
#define QUIC_INFO_TIMED_OUT	0x20	/* ended by the idle time-out (RFC 9000 section 10.1) */
#define QUIC_INFO_APP_CLOSED	0x40	/* ended with an error code of the application */
#define QUIC_INFO_PEER_CLOSED	0x80	/* ended by the peer, with a code of either kind */
#define QUIC_INFO_RESET		0x100	/* ended by a stateless reset (RFC 9000 section 10.3) */

/**
 * enum quic_transport_error - codes of RFC 9000 section 20.1 and RFC 9368 section 7.4
 * @QUIC_TRANSPORT_ERROR_NONE: no error
 * @QUIC_TRANSPORT_ERROR_INTERNAL: the endpoint cannot go on
 * @QUIC_TRANSPORT_ERROR_CONNECTION_REFUSED: the server takes no more connections
 * @QUIC_TRANSPORT_ERROR_FLOW_CONTROL: more data than was allowed
 * @QUIC_TRANSPORT_ERROR_STREAM_LIMIT: more streams than were allowed
 * @QUIC_TRANSPORT_ERROR_STREAM_STATE: a frame that the stream's state forbids
 * @QUIC_TRANSPORT_ERROR_FINAL_SIZE: data beyond the end, or another end
 * @QUIC_TRANSPORT_ERROR_FRAME_ENCODING: a frame that cannot be parsed
 * @QUIC_TRANSPORT_ERROR_TRANSPORT_PARAM: a transport parameter that is wrong
 * @QUIC_TRANSPORT_ERROR_CONNECTION_ID_LIMIT: more ids than were allowed
 * @QUIC_TRANSPORT_ERROR_PROTOCOL_VIOLATION: another violation
 * @QUIC_TRANSPORT_ERROR_INVALID_TOKEN: an Initial with a wrong token
 * @QUIC_TRANSPORT_ERROR_APPLICATION: the application closed during the handshake
 * @QUIC_TRANSPORT_ERROR_CRYPTO_BUF_EXCEEDED: too much of the handshake at once
 * @QUIC_TRANSPORT_ERROR_KEY_UPDATE: a key update that was not allowed yet
 * @QUIC_TRANSPORT_ERROR_AEAD_LIMIT_REACHED: the keys were used up
 * @QUIC_TRANSPORT_ERROR_NO_VIABLE_PATH: no path can carry QUIC
 * @QUIC_TRANSPORT_ERROR_VERSION_NEGOTIATION: the version was tampered with
 * @QUIC_TRANSPORT_ERROR_CRYPTO: base to which a TLS alert is added
 */
enum quic_transport_error {
	QUIC_TRANSPORT_ERROR_NONE			= 0x00,
	QUIC_TRANSPORT_ERROR_INTERNAL			= 0x01,
	QUIC_TRANSPORT_ERROR_CONNECTION_REFUSED		= 0x02,
	QUIC_TRANSPORT_ERROR_FLOW_CONTROL		= 0x03,
	QUIC_TRANSPORT_ERROR_STREAM_LIMIT		= 0x04,
	QUIC_TRANSPORT_ERROR_STREAM_STATE		= 0x05,
	QUIC_TRANSPORT_ERROR_FINAL_SIZE			= 0x06,
	QUIC_TRANSPORT_ERROR_FRAME_ENCODING		= 0x07,
	QUIC_TRANSPORT_ERROR_TRANSPORT_PARAM		= 0x08,
	QUIC_TRANSPORT_ERROR_CONNECTION_ID_LIMIT	= 0x09,
	QUIC_TRANSPORT_ERROR_PROTOCOL_VIOLATION		= 0x0a,
	QUIC_TRANSPORT_ERROR_INVALID_TOKEN		= 0x0b,
	QUIC_TRANSPORT_ERROR_APPLICATION		= 0x0c,
	QUIC_TRANSPORT_ERROR_CRYPTO_BUF_EXCEEDED	= 0x0d,
	QUIC_TRANSPORT_ERROR_KEY_UPDATE			= 0x0e,
	QUIC_TRANSPORT_ERROR_AEAD_LIMIT_REACHED		= 0x0f,
	QUIC_TRANSPORT_ERROR_NO_VIABLE_PATH		= 0x10,
	QUIC_TRANSPORT_ERROR_VERSION_NEGOTIATION	= 0x11,
	/* RFC 9001 section 4.8 */
	QUIC_TRANSPORT_ERROR_CRYPTO			= 0x0100
};

#endif /* _UAPI_LINUX_QUIC_H */
