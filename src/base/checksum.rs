//! Checksums whose values are on disk or on the ring: they may never change.

use crc_fast::CrcAlgorithm;

/// CRC-32C (Castagnoli), for what is on disk. Source: RFC 3720, appendix B.4.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32_of(CrcAlgorithm::Crc32Iscsi, bytes)
}

/// CRC-32/IEEE (ISO-HDLC), for rings that agree with influx-proxy.
pub fn crc32_ieee(bytes: &[u8]) -> u32 {
    crc32_of(CrcAlgorithm::Crc32IsoHdlc, bytes)
}

fn crc32_of(algorithm: CrcAlgorithm, bytes: &[u8]) -> u32 {
    u32::try_from(crc_fast::checksum(algorithm, bytes)).expect("a 32-bit checksum")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_checksums_have_their_published_check_values() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32_ieee(b"123456789"), 0xCBF4_3926);
    }
}
