// SPDX-License-Identifier: GPL-2.0

//! Abstractions over the kernel's networking: what a transport protocol written in safe Rust needs.
//!
//! Built around [`sock::Sock`]: a `struct sock` whose protocol part is a Rust value protected by
//! the socket lock. [`proto`] and [`ops`] turn an implementation of [`sock::Protocol`] into the C
//! tables, [`udp_tunnel`] and [`route`] carry datagrams, [`hash`] finds sockets again.

pub mod addr;
mod calls;
pub mod frag;
pub mod hash;
pub mod icmp;
pub mod inet;
pub mod lock;
pub mod msg;
pub mod netns;
pub mod ops;
pub mod proc;
pub mod proto;
pub mod protosw;
pub mod route;
pub mod skb;
pub mod slot;
pub mod sock;
pub mod sockopt;
pub mod sysctl;
pub mod timer;
mod udp_socket;
pub mod udp_tunnel;
pub mod wake;
pub mod work;
pub mod xmit;
