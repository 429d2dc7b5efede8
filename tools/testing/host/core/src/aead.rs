// SPDX-License-Identifier: GPL-2.0

//! Packet protection primitives: the host's twin of `rust/aead.rs`.
//!
//! The kernel uses `crypto_aead` and its AES library; this twin uses the RustCrypto crates.  The
//! nonce is the IV with the packet number mixed in (RFC 9001 section 5.3), so a key never sees one
//! chosen by a caller.

#![forbid(unsafe_code)]

use aes::cipher::{
    BlockEncrypt,
    KeyIvInit,
    StreamCipher,
    StreamCipherSeek, //
};
use aes_gcm::aead::{
    generic_array::GenericArray,
    AeadInPlace,
    KeyInit, //
};
use hmac::Mac;

#[path = "../../../../../rust/aead/suite.rs"]
mod suite;

pub use suite::{
    Hash,
    KeyError,
    Suite,
    TAG_LEN, //
};

/// Computes an HMAC over the concatenation of `data`.  A shorter `out` takes the first bytes, a
/// longer one keeps its tail.
pub fn hmac(hash: Hash, key: &[u8], data: &[&[u8]], out: &mut [u8]) {
    fn run<M: Mac + KeyInit>(key: &[u8], data: &[&[u8]], out: &mut [u8]) {
        // HMAC takes keys of any length, so this cannot fail.
        let Ok(mut mac) = <M as Mac>::new_from_slice(key) else {
            return;
        };
        data.iter().for_each(|part| mac.update(part));
        let digest = mac.finalize().into_bytes();
        out.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    }
    match hash {
        Hash::Sha256 => run::<hmac::Hmac<sha2::Sha256>>(key, data, out),
        Hash::Sha384 => run::<hmac::Hmac<sha2::Sha384>>(key, data, out),
    }
}

#[cfg(test)]
std::thread_local! {
    /// Bytes that [`ct_eq`] has compared: what its time depends on.
    pub static COMPARED: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// Compares in time that depends on the lengths only.
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    #[cfg(test)]
    COMPARED.set(COMPARED.get() + a.len().min(b.len()));
    let differ = a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y));
    a.len() == b.len() && core::hint::black_box(differ) == 0
}

type Ccm = ccm::Ccm<aes::Aes128, ccm::consts::U16, ccm::consts::U12>;

enum Cipher {
    Aes128Gcm(std::boxed::Box<aes_gcm::Aes128Gcm>),
    Aes256Gcm(std::boxed::Box<aes_gcm::Aes256Gcm>),
    Aes128Ccm(std::boxed::Box<Ccm>),
    ChaCha20Poly1305(std::boxed::Box<chacha20poly1305::ChaCha20Poly1305>),
}

impl Cipher {
    fn new(suite: Suite, key: &[u8]) -> Result<Self, KeyError> {
        fn make<C: KeyInit>(key: &[u8]) -> Result<std::boxed::Box<C>, KeyError> {
            C::new_from_slice(key)
                .map(std::boxed::Box::new)
                .map_err(|_| KeyError::Invalid)
        }
        Ok(match suite {
            Suite::Aes128Gcm => Cipher::Aes128Gcm(make(key)?),
            Suite::Aes256Gcm => Cipher::Aes256Gcm(make(key)?),
            Suite::Aes128Ccm => Cipher::Aes128Ccm(make(key)?),
            Suite::ChaCha20Poly1305 => Cipher::ChaCha20Poly1305(make(key)?),
        })
    }

    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> Result<[u8; 16], KeyError> {
        let nonce = GenericArray::from_slice(nonce);
        match self {
            Cipher::Aes128Gcm(c) => c.encrypt_in_place_detached(nonce, aad, text),
            Cipher::Aes256Gcm(c) => c.encrypt_in_place_detached(nonce, aad, text),
            Cipher::Aes128Ccm(c) => c.encrypt_in_place_detached(nonce, aad, text),
            Cipher::ChaCha20Poly1305(c) => c.encrypt_in_place_detached(nonce, aad, text),
        }
        .map(Into::into)
        .map_err(|_| KeyError::Invalid)
    }

    fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), KeyError> {
        let nonce = GenericArray::from_slice(nonce);
        let tag = GenericArray::from_slice(tag);
        match self {
            Cipher::Aes128Gcm(c) => c.decrypt_in_place_detached(nonce, aad, text, tag),
            Cipher::Aes256Gcm(c) => c.decrypt_in_place_detached(nonce, aad, text, tag),
            Cipher::Aes128Ccm(c) => c.decrypt_in_place_detached(nonce, aad, text, tag),
            Cipher::ChaCha20Poly1305(c) => c.decrypt_in_place_detached(nonce, aad, text, tag),
        }
        .map_err(|_| KeyError::Authentication)
    }
}

/// The key that protects packets in one direction.
pub struct PacketKey {
    suite: Suite,
    cipher: Cipher,
    iv: [u8; 12],
}

impl PacketKey {
    /// Makes a key; in the kernel this may sleep.
    pub fn new(suite: Suite, key: &[u8], iv: &[u8; 12]) -> Result<Self, KeyError> {
        crate::mem::fail::check()?;
        Self::new_library(suite, key, iv)
    }

    /// Makes a key in any context and without allocation, for Initial packets, Retry and tokens.
    pub fn new_library(suite: Suite, key: &[u8], iv: &[u8; 12]) -> Result<Self, KeyError> {
        Ok(Self {
            suite,
            cipher: Cipher::new(suite, key)?,
            iv: *iv,
        })
    }

    /// Replaces the key, in any context and without allocation.
    pub fn rekey(&mut self, key: &[u8], iv: &[u8; 12]) -> Result<(), KeyError> {
        self.cipher = Cipher::new(self.suite, key)?;
        self.iv = *iv;
        Ok(())
    }

    /// Seals `packet[header_len..inline_end]` followed by the segments of `tail`, with
    /// `packet[..header_len]` as associated data, and returns the length of the packet with tag.
    pub fn seal(
        &mut self,
        pn: u64,
        packet: &mut [u8],
        header_len: usize,
        inline_end: usize,
        tail: &[&[u8]],
    ) -> Result<usize, KeyError> {
        let mut end = inline_end;
        for segment in tail {
            let next = end.saturating_add(segment.len());
            let to = packet.get_mut(end..next).ok_or(KeyError::Invalid)?;
            to.copy_from_slice(segment);
            end = next;
        }
        let total = end.saturating_add(TAG_LEN);
        let packet = packet.get_mut(..total).ok_or(KeyError::Invalid)?;
        let (header, rest) = packet
            .split_at_mut_checked(header_len)
            .ok_or(KeyError::Invalid)?;
        let (text, tag) = rest
            .split_at_mut_checked(end.checked_sub(header_len).ok_or(KeyError::Invalid)?)
            .ok_or(KeyError::Invalid)?;
        tag.copy_from_slice(&self.cipher.seal(&self.nonce(pn), header, text)?);
        Ok(total)
    }

    /// Opens `packet[header_len..]` in place and returns the length of the plain text there.
    pub fn open(
        &mut self,
        pn: u64,
        packet: &mut [u8],
        header_len: usize,
    ) -> Result<usize, KeyError> {
        let (header, rest) = packet
            .split_at_mut_checked(header_len)
            .ok_or(KeyError::Invalid)?;
        let len = rest.len().checked_sub(TAG_LEN).ok_or(KeyError::Invalid)?;
        let (text, tag) = rest.split_at_mut_checked(len).ok_or(KeyError::Invalid)?;
        self.cipher.open(&self.nonce(pn), header, text, tag)?;
        Ok(len)
    }

    fn nonce(&self, pn: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        let tail = nonce.iter_mut().rev().zip(pn.to_le_bytes());
        tail.for_each(|(to, from)| *to ^= from);
        nonce
    }
}

impl core::fmt::Debug for PacketKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PacketKey({:?})", self.suite)
    }
}

enum HeaderCipher {
    Aes128(std::boxed::Box<aes::Aes128>),
    Aes256(std::boxed::Box<aes::Aes256>),
    ChaCha20([u8; 32]),
}

/// The key that protects packet numbers and flags in one direction (RFC 9001 section 5.4).
pub struct HeaderKey(HeaderCipher);

impl HeaderKey {
    /// Makes a key, in any context and without allocation.
    pub fn new(suite: Suite, key: &[u8]) -> Result<Self, KeyError> {
        fn make<C: KeyInit>(key: &[u8]) -> Result<std::boxed::Box<C>, KeyError> {
            C::new_from_slice(key)
                .map(std::boxed::Box::new)
                .map_err(|_| KeyError::Invalid)
        }
        Ok(Self(match suite {
            Suite::Aes128Gcm | Suite::Aes128Ccm => HeaderCipher::Aes128(make(key)?),
            Suite::Aes256Gcm => HeaderCipher::Aes256(make(key)?),
            Suite::ChaCha20Poly1305 => {
                HeaderCipher::ChaCha20(key.try_into().map_err(|_| KeyError::Invalid)?)
            }
        }))
    }

    /// Computes the mask for the first byte and the packet number from a sample of the payload.
    pub fn mask(&self, sample: &[u8; 16]) -> [u8; 5] {
        let block = match &self.0 {
            HeaderCipher::Aes128(cipher) => {
                let mut block = GenericArray::from(*sample);
                cipher.encrypt_block(&mut block);
                block.into()
            }
            HeaderCipher::Aes256(cipher) => {
                let mut block = GenericArray::from(*sample);
                cipher.encrypt_block(&mut block);
                block.into()
            }
            HeaderCipher::ChaCha20(key) => chacha_block(key, sample),
        };
        let [a, b, c, d, e, ..] = block;
        [a, b, c, d, e]
    }
}

impl core::fmt::Debug for HeaderKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HeaderKey")
    }
}

/// The first bytes of the key stream whose counter and nonce are the sample.
fn chacha_block(key: &[u8; 32], sample: &[u8; 16]) -> [u8; 16] {
    let [c0, c1, c2, c3, nonce @ ..] = sample;
    let counter = u32::from_le_bytes([*c0, *c1, *c2, *c3]);
    let mut cipher = chacha20::ChaCha20::new(key.into(), nonce.into());
    cipher.seek(u64::from(counter).saturating_mul(64));
    let mut block = [0; 16];
    cipher.apply_keystream(&mut block);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITES: [Suite; 4] = [
        Suite::Aes128Gcm,
        Suite::Aes256Gcm,
        Suite::Aes128Ccm,
        Suite::ChaCha20Poly1305,
    ];

    #[test]
    fn what_is_sealed_opens_and_a_flipped_bit_does_not() {
        for suite in SUITES {
            let key = vec![7; suite.key_len()];
            let mut seal = PacketKey::new(suite, &key, &[3; 12]).unwrap();
            let mut packet = [0; 64];
            packet[..8].copy_from_slice(b"headabcd");
            let len = seal
                .seal(9, &mut packet, 4, 8, &[b"ef", b"", b"g"])
                .unwrap();
            assert_eq!(len, 11 + TAG_LEN);
            let sealed = packet;
            assert_eq!(seal.open(9, &mut packet[..len], 4), Ok(7));
            assert_eq!(&packet[..11], b"headabcdefg");
            for bit in 0..len * 8 {
                let mut bad = sealed;
                bad[bit / 8] ^= 1 << (bit % 8);
                let got = seal.open(9, &mut bad[..len], 4);
                assert_eq!(got, Err(KeyError::Authentication));
            }
            let mut other = sealed;
            assert_eq!(
                seal.open(10, &mut other[..len], 4),
                Err(KeyError::Authentication)
            );
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_errors() {
        for suite in SUITES {
            assert!(PacketKey::new(suite, &[0; 7], &[0; 12]).is_err());
            assert!(HeaderKey::new(suite, &[0; 7]).is_err());
            let mut key = PacketKey::new(suite, &vec![0; suite.key_len()], &[0; 12]).unwrap();
            assert_eq!(key.seal(0, &mut [0; 20], 4, 8, &[]), Err(KeyError::Invalid));
            assert_eq!(key.seal(0, &mut [0; 40], 9, 8, &[]), Err(KeyError::Invalid));
            assert_eq!(key.open(0, &mut [0; 19], 4), Err(KeyError::Invalid));
            assert_eq!(key.open(0, &mut [0; 3], 4), Err(KeyError::Invalid));
        }
    }

    #[test]
    fn comparison_sees_every_byte_and_the_length() {
        assert!(ct_eq(b"abc", b"abc"));
        assert!(!ct_eq(b"abc", b"abd"));
        assert!(!ct_eq(b"abc", b"ab"));
        assert!(!ct_eq(b"", b"a"));
    }
}
