// SPDX-License-Identifier: GPL-2.0

//! CRYPTO_SECRET: the secrets of TLS, which runs in user space.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    aead::Hash,
    conn::Secret,
    crypto::keys::wipe,
    drive,
    errno::errno,
    linux::net::{
        inet,
        sock::Sock,
        sockopt::OptIn, //
    },
    settings,
    socket::Quic,
    uapi::{
        SecretHead,
        SECRET_SIZE, //
    },
};

pub(super) fn set(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let mut bytes = value.read_array::<SECRET_SIZE>()?;
    let result = install(sk, &bytes);
    wipe(&mut bytes);
    result
}

fn install(sk: &Sock<Quic>, bytes: &[u8; SECRET_SIZE]) -> Result {
    let head = SecretHead::decode(bytes);
    let level = settings::secret_level(head.level).ok_or(EINVAL)?;
    let suite = settings::suite(head.cipher).ok_or(EINVAL)?;
    let rest = bytes.get(SecretHead::SIZE..).unwrap_or_default();
    let hash: Hash = suite.hash();
    let secret = Secret {
        send: match head.send {
            0 => false,
            1 => true,
            _ => return Err(EINVAL),
        },
        level,
        suite,
        bytes: rest.get(..hash.len()).ok_or(EINVAL)?,
    };
    let mut sk = sk.lock();
    if sk.sk().raw().state() != inet::SYN_RECV {
        return Err(EINVAL);
    }
    let is_app_rx = head.level == crate::uapi::level::APP && !secret.send;
    let at = sk.attached().ok_or(EINVAL)?;
    let result = at
        .call(|core, cx| core.install_secret(cx, secret))
        .map_err(errno);
    if result.is_ok() && head.level == crate::uapi::level::APP {
        at.cipher = head.cipher;
    }
    if is_app_rx && result.is_ok() && !sk.is_server() {
        // From here on both options return what this connection brings.
        sk.options.ticket = KVec::new();
        sk.options.token = KVec::new();
    }
    drive::drive(&mut sk);
    result
}
