// SPDX-License-Identifier: GPL-2.0

//! The values of `setsockopt(2)` and `getsockopt(2)`.
//!
//! Both follow the rule of the QUIC interface: whatever length the program gives, the shorter of
//! its length and the kernel's is copied.
//!
//! C header: [`include/linux/sockptr.h`](srctree/include/linux/sockptr.h)

use kernel::prelude::*;

use crate::linux::bindings;

/// The value given to `setsockopt`.
pub struct OptIn {
    ptr: bindings::sockptr_t,
    len: usize,
}

impl OptIn {
    /// # Safety
    ///
    /// If `ptr` is a kernel pointer it must have `len` readable bytes.
    pub(super) unsafe fn new(ptr: bindings::sockptr_t, len: u32) -> Self {
        // CAST: u32 to usize on a 64-bit kernel.
        Self {
            ptr,
            len: len as usize,
        }
    }

    /// Length that the program gave, bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte was given.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies the value into `out`: as much as was given and fits. The rest of `out` is untouched.
    pub fn read(&self, out: &mut [u8]) -> Result<usize> {
        let len = self.len.min(out.len());
        // SAFETY: no more than was promised to `new`.
        unsafe { read(self.ptr, out.get_mut(..len).unwrap_or_default()) }?;
        Ok(len)
    }

    /// The value as an array, zero-extended.
    pub fn read_array<const N: usize>(&self) -> Result<[u8; N]> {
        let mut out = [0; N];
        self.read(&mut out)?;
        Ok(out)
    }
}

/// The place for the value of `getsockopt`; it may carry an argument too.
pub struct OptOut {
    value: bindings::sockptr_t,
    length: bindings::sockptr_t,
    len: usize,
}

impl OptOut {
    /// # Safety
    ///
    /// - If `length` is a kernel pointer, an `int` must be there.
    /// - If `value` is a kernel pointer, it must have as many bytes as that says.
    pub(super) unsafe fn new(
        value: bindings::sockptr_t,
        length: bindings::sockptr_t,
    ) -> Result<Self> {
        let mut bytes = [0u8; 4];
        // SAFETY: promised by the caller.
        unsafe { read(length, &mut bytes) }?;
        let len = usize::try_from(i32::from_ne_bytes(bytes)).map_err(|_| EINVAL)?;
        Ok(Self { value, length, len })
    }

    /// Room that the program has, bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the program has no room at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads the argument that the program left in the buffer, zero-extended.
    pub fn read_array<const N: usize>(&self) -> Result<[u8; N]> {
        let mut out = [0; N];
        let len = self.len.min(N);
        let part = out.get_mut(..len).unwrap_or_default();
        // SAFETY: no more than there is, by the promise to `new`.
        unsafe { read(self.value, part) }?;
        Ok(out)
    }

    /// Writes the value, cut to the program's room, and its length.
    pub fn write(&self, value: &[u8]) -> Result {
        let value = value.get(..self.len).unwrap_or(value);
        let len = i32::try_from(value.len()).map_err(|_| EINVAL)?;
        // SAFETY: an `int`, by the promise to `new`.
        unsafe { write(self.length, &len.to_ne_bytes()) }?;
        // SAFETY: no more than there is room for, by the promise to `new`.
        unsafe { write(self.value, value) }
    }

    /// Writes the value if all of it fits, else `EINVAL`.
    pub fn write_all(&self, value: &[u8]) -> Result {
        if value.len() > self.len {
            return Err(EINVAL);
        }
        self.write(value)
    }
}

/// # Safety
///
/// If `from` is a kernel pointer it must have as many readable bytes as `to`.
unsafe fn read(from: bindings::sockptr_t, to: &mut [u8]) -> Result {
    if to.is_empty() {
        return Ok(());
    }
    // SAFETY: `to` has its length; a bad user pointer is an error, a kernel one was promised.
    let left =
        unsafe { bindings::copy_from_sockptr_offset(to.as_mut_ptr().cast(), from, 0, to.len()) };
    if left == 0 {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// # Safety
///
/// If `to` is a kernel pointer it must have room for as many bytes as `from` has.
unsafe fn write(to: bindings::sockptr_t, from: &[u8]) -> Result {
    if from.is_empty() {
        return Ok(());
    }
    // SAFETY: as in `read`.
    let left = unsafe { bindings::copy_to_sockptr(to, from.as_ptr().cast(), from.len()) };
    if left == 0 {
        Ok(())
    } else {
        Err(EFAULT)
    }
}
