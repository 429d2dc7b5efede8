// SPDX-License-Identifier: LGPL-2.1-or-later
//! The part of `<gnutls/gnutls.h>` (3.8) that this crate uses, declared by hand.

use libc::{
    c_char,
    c_int,
    c_uchar,
    c_uint,
    c_void,
    size_t,
    ssize_t,
    time_t, //
};

/// Opaque session of GnuTLS.
#[repr(C)]
pub struct SessionInt {
    _private: [u8; 0],
}
/// `gnutls_session_t`
pub type Session = *mut SessionInt;

/// `gnutls_datum_t`
#[repr(C)]
pub(crate) struct Datum {
    pub(crate) data: *mut c_uchar,
    pub(crate) size: c_uint,
}

/// `gnutls_typed_vdata_st`
#[repr(C)]
pub(crate) struct TypedVdata {
    pub(crate) kind: c_int,
    pub(crate) data: *mut c_uchar,
    pub(crate) size: c_uint,
}

pub(crate) type Opaque = *mut c_void;

pub(crate) type SecretFn =
    unsafe extern "C" fn(Session, c_int, *const c_void, *const c_void, size_t) -> c_int;
pub(crate) type ReadFn =
    unsafe extern "C" fn(Session, c_int, c_int, *const c_void, size_t) -> c_int;
pub(crate) type AlertFn = unsafe extern "C" fn(Session, c_int, c_int, c_int) -> c_int;
pub(crate) type ExtRecvFn = unsafe extern "C" fn(Session, *const c_uchar, size_t) -> c_int;
pub(crate) type ExtSendFn = unsafe extern "C" fn(Session, Opaque) -> c_int;
pub(crate) type ExtDeinitFn = unsafe extern "C" fn(Opaque);
pub(crate) type PskServerFn = unsafe extern "C" fn(Session, *const Datum, *mut Datum) -> c_int;
pub(crate) type KeylogFn = unsafe extern "C" fn(Session, *const c_char, *const Datum) -> c_int;
pub(crate) type VerifyFn = unsafe extern "C" fn(Session) -> c_int;
pub(crate) type PullFn = unsafe extern "C" fn(Opaque, *mut c_void, size_t) -> ssize_t;
pub(crate) type PullTimeoutFn = unsafe extern "C" fn(Opaque, c_uint) -> c_int;
pub(crate) type PushFn = unsafe extern "C" fn(Opaque, *const c_void, size_t) -> ssize_t;
pub(crate) type DbAddFn = unsafe extern "C" fn(Opaque, time_t, *const Datum, *const Datum) -> c_int;

pub(crate) const SERVER: c_uint = 1;
pub(crate) const CLIENT: c_uint = 1 << 1;
pub(crate) const NONBLOCK: c_uint = 1 << 3;
pub(crate) const ENABLE_EARLY_DATA: c_uint = 1 << 20;
pub(crate) const NO_AUTO_SEND_TICKET: c_uint = 1 << 21;
pub(crate) const NO_END_OF_EARLY_DATA: c_uint = 1 << 22;

pub(crate) const SFLAGS_EARLY_DATA: c_uint = 1 << 10;

pub(crate) const CRD_CERTIFICATE: c_int = 1;
pub(crate) const CRD_PSK: c_int = 4;
pub(crate) const X509_FMT_DER: c_int = 0;
pub(crate) const X509_FMT_PEM: c_int = 1;
pub(crate) const CRT_X509: c_int = 1;
pub(crate) const NAME_DNS: c_int = 1;
pub(crate) const DT_DNS_HOSTNAME: c_int = 1;
pub(crate) const DT_KEY_PURPOSE_OID: c_int = 2;
pub(crate) const DT_IP_ADDRESS: c_int = 4;
pub(crate) const PSK_KEY_RAW: c_int = 0;
pub(crate) const ALPN_MANDATORY: c_uint = 1;
pub(crate) const CERT_REQUEST: c_int = 1;
pub(crate) const CERT_REQUIRE: c_int = 2;

pub(crate) const EXT_APPLICATION: c_int = 1;
pub(crate) const EXT_FLAG_CLIENT_HELLO: c_uint = 1 << 1;
pub(crate) const EXT_FLAG_EE: c_uint = 1 << 4;
pub(crate) const EXT_FLAG_TLS: c_uint = 1 << 7;

pub(crate) const E_AGAIN: c_int = -28;
pub(crate) const E_INTERNAL_ERROR: c_int = -59;
pub(crate) const E_SHORT_MEMORY_BUFFER: c_int = -51;
pub(crate) const E_MEMORY_ERROR: c_int = -25;
pub(crate) const E_RECEIVED_ILLEGAL_PARAMETER: c_int = -55;
pub(crate) const E_NO_CERTIFICATE_FOUND: c_int = -49;
pub(crate) const E_CERTIFICATE_REQUIRED: c_int = -112;
pub(crate) const E_ALREADY_REGISTERED: c_int = -209;
pub(crate) const E_CERTIFICATE_VERIFICATION_ERROR: c_int = -348;
pub(crate) const E_INTERRUPTED: c_int = -52;
pub(crate) const E_DB_ENTRY_EXISTS: c_int = -428;

#[link(name = "gnutls")]
unsafe extern "C" {
    pub(crate) fn gnutls_strerror(error: c_int) -> *const c_char;
    pub(crate) fn gnutls_error_to_alert(error: c_int, level: *mut c_int) -> c_int;
    pub(crate) fn gnutls_error_is_fatal(error: c_int) -> c_int;
    pub(crate) static gnutls_malloc: unsafe extern "C" fn(size_t) -> *mut c_void;
    pub(crate) static gnutls_free: unsafe extern "C" fn(*mut c_void);

    pub(crate) fn gnutls_init(session: *mut Session, flags: c_uint) -> c_int;
    pub(crate) fn gnutls_deinit(session: Session);
    pub(crate) fn gnutls_handshake(session: Session) -> c_int;
    pub(crate) fn gnutls_handshake_write(
        session: Session,
        level: c_int,
        data: *const c_void,
        len: size_t,
    ) -> c_int;
    pub(crate) fn gnutls_handshake_set_secret_function(session: Session, func: SecretFn);
    pub(crate) fn gnutls_handshake_set_read_function(session: Session, func: ReadFn);
    pub(crate) fn gnutls_alert_set_read_function(session: Session, func: AlertFn);
    pub(crate) fn gnutls_session_set_keylog_function(session: Session, func: KeylogFn);
    pub(crate) fn gnutls_transport_set_pull_function(session: Session, func: PullFn);
    pub(crate) fn gnutls_transport_set_pull_timeout_function(session: Session, func: PullTimeoutFn);
    pub(crate) fn gnutls_transport_set_push_function(session: Session, func: PushFn);
    pub(crate) fn gnutls_transport_get_int2(session: Session, recv: *mut c_int, send: *mut c_int);
    pub(crate) fn gnutls_priority_set_direct(
        session: Session,
        priorities: *const c_char,
        err_pos: *mut *const c_char,
    ) -> c_int;
    pub(crate) fn gnutls_credentials_set(session: Session, kind: c_int, cred: Opaque) -> c_int;
    pub(crate) fn gnutls_cipher_get(session: Session) -> c_int;
    pub(crate) fn gnutls_early_cipher_get(session: Session) -> c_int;
    pub(crate) fn gnutls_session_is_resumed(session: Session) -> c_int;
    pub(crate) fn gnutls_session_get_data(
        session: Session,
        data: *mut c_void,
        size: *mut size_t,
    ) -> c_int;
    pub(crate) fn gnutls_session_set_data(
        session: Session,
        data: *const c_void,
        size: size_t,
    ) -> c_int;
    pub(crate) fn gnutls_session_get_random(
        session: Session,
        client: *mut Datum,
        server: *mut Datum,
    );
    pub(crate) fn gnutls_session_ticket_enable_server(session: Session, key: *const Datum)
        -> c_int;
    pub(crate) fn gnutls_session_get_flags(session: Session) -> c_uint;
    pub(crate) fn gnutls_record_set_max_early_data_size(session: Session, size: size_t) -> c_int;
    pub(crate) fn gnutls_session_ticket_send(session: Session, nr: c_uint, flags: c_uint) -> c_int;
    pub(crate) fn gnutls_alpn_set_protocols(
        session: Session,
        protocols: *const Datum,
        count: c_uint,
        flags: c_uint,
    ) -> c_int;
    pub(crate) fn gnutls_alpn_get_selected_protocol(session: Session, out: *mut Datum) -> c_int;
    pub(crate) fn gnutls_server_name_set(
        session: Session,
        kind: c_int,
        name: *const c_void,
        len: size_t,
    ) -> c_int;
    pub(crate) fn gnutls_server_name_get(
        session: Session,
        data: *mut c_void,
        len: *mut size_t,
        kind: *mut c_uint,
        index: c_uint,
    ) -> c_int;
    pub(crate) fn gnutls_session_set_verify_cert2(
        session: Session,
        data: *mut TypedVdata,
        elements: c_uint,
        flags: c_uint,
    );
    pub(crate) fn gnutls_session_set_verify_function(session: Session, func: VerifyFn);
    pub(crate) fn gnutls_certificate_verify_peers(
        session: Session,
        data: *mut TypedVdata,
        elements: c_uint,
        status: *mut c_uint,
    ) -> c_int;
    pub(crate) fn gnutls_session_get_verify_cert_status(session: Session) -> c_uint;
    pub(crate) fn gnutls_certificate_verification_status_print(
        status: c_uint,
        kind: c_int,
        out: *mut Datum,
        flags: c_uint,
    ) -> c_int;
    pub(crate) fn gnutls_certificate_server_set_request(session: Session, req: c_int);
    pub(crate) fn gnutls_certificate_get_peers(
        session: Session,
        count: *mut c_uint,
    ) -> *const Datum;

    pub(crate) fn gnutls_session_ext_register(
        session: Session,
        name: *const c_char,
        id: c_int,
        parse_point: c_int,
        recv: ExtRecvFn,
        send: ExtSendFn,
        deinit: Option<ExtDeinitFn>,
        pack: Option<unsafe extern "C" fn(Opaque, Opaque) -> c_int>,
        unpack: Option<unsafe extern "C" fn(Opaque, *mut Opaque) -> c_int>,
        flags: c_uint,
    ) -> c_int;
    pub(crate) fn gnutls_ext_set_data(session: Session, id: c_uint, data: Opaque);
    pub(crate) fn gnutls_ext_get_data(session: Session, id: c_uint, data: *mut Opaque) -> c_int;
    pub(crate) fn gnutls_buffer_append_data(
        buffer: Opaque,
        data: *const c_void,
        len: size_t,
    ) -> c_int;

    pub(crate) fn gnutls_certificate_allocate_credentials(cred: *mut Opaque) -> c_int;
    pub(crate) fn gnutls_certificate_free_credentials(cred: Opaque);
    pub(crate) fn gnutls_certificate_set_x509_system_trust(cred: Opaque) -> c_int;
    pub(crate) fn gnutls_certificate_set_x509_trust_file(
        cred: Opaque,
        file: *const c_char,
        kind: c_int,
    ) -> c_int;
    pub(crate) fn gnutls_certificate_set_x509_key_file(
        cred: Opaque,
        cert: *const c_char,
        key: *const c_char,
        kind: c_int,
    ) -> c_int;

    pub(crate) fn gnutls_certificate_set_x509_key_mem(
        cred: Opaque,
        cert: *const Datum,
        key: *const Datum,
        kind: c_int,
    ) -> c_int;

    pub(crate) fn gnutls_psk_allocate_client_credentials(cred: *mut Opaque) -> c_int;
    pub(crate) fn gnutls_psk_free_client_credentials(cred: Opaque);
    pub(crate) fn gnutls_psk_set_client_credentials2(
        cred: Opaque,
        identity: *const Datum,
        key: *const Datum,
        kind: c_int,
    ) -> c_int;
    pub(crate) fn gnutls_psk_allocate_server_credentials(cred: *mut Opaque) -> c_int;
    pub(crate) fn gnutls_psk_free_server_credentials(cred: Opaque);
    pub(crate) fn gnutls_psk_set_server_credentials_function2(cred: Opaque, func: PskServerFn);

    pub(crate) fn gnutls_anti_replay_init(replay: *mut Opaque) -> c_int;
    pub(crate) fn gnutls_anti_replay_deinit(replay: Opaque);
    pub(crate) fn gnutls_anti_replay_set_add_function(replay: Opaque, func: DbAddFn);
    pub(crate) fn gnutls_anti_replay_set_ptr(replay: Opaque, ptr: Opaque);
    pub(crate) fn gnutls_anti_replay_enable(session: Session, replay: Opaque);
}
