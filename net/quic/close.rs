// SPDX-License-Identifier: GPL-2.0

//! `close(2)`, `shutdown(2)`, and what remains to be done after them.
//!
//! A connection that was open lives on without a descriptor for its closing period (RFC 9000 10.2),
//! kept by its timer and by the lookup tables, so that a lost CONNECTION_CLOSE is repeated. Then a
//! work item takes it apart in process context. A socket of the kernel's own, which does not keep its
//! network namespace, is taken apart at once.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    common::error::ErrorCode,
    conn::State as ConnState,
    drive,
    linux::{
        net::{
            inet,
            sock::Owned, //
        },
        uapi::SHUT_RD, //
    },
    listen,
    socket::{
        Quic,
        Role, //
    },
    tables, //
};

/// The last descriptor is gone.
pub(crate) fn close(sk: &mut Owned<'_, Quic>) {
    if matches!(sk.role, Role::Listener(_)) {
        listen::stop(sk);
    }
    end(sk, false);
    let is_over = !matches!(&sk.role, Role::Connection(at) if at.core.state() != ConnState::Closed);
    // Without its namespace a connection has no closing period: CONNECTION_CLOSE was sent once, and
    // the peer's idle time-out has to do if it was lost.
    if is_over || !sk.sk().raw().keeps_net() {
        tear_down(sk);
    }
}

/// Ends the connection; `SHUT_RD` does so silently.
pub(crate) fn shutdown(sk: &mut Owned<'_, Quic>, how: i32) -> Result {
    match &sk.role {
        Role::Idle => return Err(ENOTCONN),
        Role::Listener(_) => {
            listen::stop(sk);
            return Ok(());
        }
        Role::Connection(at) if !at.is_open() => return Err(ENOTCONN),
        Role::Connection(_) => {}
    }
    end(sk, how == SHUT_RD);
    sk.sk().raw().wake_all();
    Ok(())
}

/// Ends an open connection with what the user set by CONNECTION_CLOSE, after sending what the
/// windows allow.
fn end(sk: &mut Owned<'_, Quic>, silent: bool) {
    drive::drive(sk);
    let close = sk.options.close;
    let established = sk.sk().raw().state() == inet::ESTABLISHED;
    let Role::Connection(at) = &mut sk.role else {
        return;
    };
    if !at.is_open() {
        return;
    }
    let code = u64::from(close.errcode);
    at.silent = silent;
    at.call(|core, cx| {
        if established {
            core.close(cx, true, code, close.phrase());
        } else if close.chosen {
            // A code chosen during the handshake is TLS's: a transport code.
            core.close(cx, false, code, close.phrase());
        } else {
            core.close(cx, false, ErrorCode::APPLICATION_ERROR.0, b"");
        }
    });
    drive::drive(sk);
}

/// Takes everything apart: nobody will find the socket any more. Process context.
pub(crate) fn tear_down(sk: &mut Owned<'_, Quic>) {
    let sock = sk.sk();
    if let Role::Connection(mut at) = core::mem::replace(&mut sk.role, Role::Idle) {
        tables::clear(sock, &mut at);
        drop(at);
    }
    sk.end_timer();
    sk.settle_wmem(0);
    sk.settle_rmem(0);
    sk.settle_objects(0);
    sock.raw().set_state(inet::CLOSE);
    for other in &mut sk.other_tunnels {
        if let Some(tunnel) = other.take() {
            tunnel.release();
        }
    }
    if let Some(tunnel) = sk.tunnel.take() {
        tunnel.release();
    }
    sock.raw().free_policies();
}
