//! Page-aligned memory that direct I/O accepts.

use crate::base::limits::PAGE;
use glommio::io::DmaBuffer;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

/// Page-aligned bytes to be filled.
pub struct Buffer(DmaBuffer);

/// A filled buffer that the disk, the hot window and deliveries read at the same time.
#[derive(Clone)]
pub struct SharedBuffer {
    pub(super) memory: Rc<DmaBuffer>,
    capacity: usize,
}

/// Bytes that came from a disk.
pub enum Bytes {
    Direct(glommio::io::ReadResult),
    Heap(Vec<u8>),
}

impl Buffer {
    /// Zeroed memory of `bytes`, rounded up to whole pages.
    pub fn new(bytes: usize) -> Buffer {
        let size = bytes.max(1).next_multiple_of(PAGE);
        let mut memory = glommio::allocate_dma_buffer_global(size);
        memory.as_bytes_mut().fill(0);
        Buffer(memory)
    }

    /// Memory as it comes, for whoever writes every byte of it before it is frozen. Under test it is full
    /// of what nobody may meet again.
    pub fn unfilled(bytes: usize) -> Buffer {
        let size = bytes.max(1).next_multiple_of(PAGE);
        #[cfg_attr(not(test), expect(unused_mut, reason = "only a test fills it"))]
        let mut memory = glommio::allocate_dma_buffer_global(size);
        #[cfg(test)]
        memory.as_bytes_mut().fill(0xa5);
        Buffer(memory)
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_bytes_mut()
    }

    pub fn capacity(&self) -> usize {
        self.0.len()
    }

    /// Ends the filling: the first `len` bytes, a multiple of a page, are what will be written. It takes less
    /// than twice as much memory: a buffer that is half empty is copied to a smaller one.
    pub fn freeze(mut self, len: usize) -> SharedBuffer {
        assert!(len.is_multiple_of(PAGE) && len <= self.0.len(), "frozen at {len}");
        if len > 0 && len <= self.0.len() / 2 {
            let mut exact = glommio::allocate_dma_buffer_global(len);
            exact.as_bytes_mut().copy_from_slice(&self.0.as_bytes()[..len]);
            return SharedBuffer { memory: Rc::new(exact), capacity: len };
        }
        let capacity = self.capacity();
        self.0.trim_to_size(len);
        SharedBuffer { memory: Rc::new(self.0), capacity }
    }
}

impl SharedBuffer {
    /// Bytes of memory that it takes: less than twice its own.
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

impl Deref for SharedBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.memory.as_bytes()
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Direct(read) => read,
            Bytes::Heap(read) => read,
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.capacity())
    }
}

impl fmt::Debug for SharedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedBuffer({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_is_half_empty_gives_its_memory_back() {
        for (capacity, len, moves) in [(16, 1, true), (16, 8, true), (16, 9, false), (1, 1, false)]
        {
            let mut buffer = Buffer::new(capacity * PAGE);
            buffer.bytes_mut().fill(7);
            let before = buffer.bytes().as_ptr();
            let frozen = buffer.freeze(len * PAGE);
            assert_eq!(frozen.as_ptr() != before, moves, "{len} of {capacity} pages");
            let expected = if moves { len } else { capacity };
            assert_eq!(frozen.capacity(), expected * PAGE);
            assert!(frozen.len() == len * PAGE && frozen.iter().all(|byte| *byte == 7));
        }
    }
}
