//! Any bytes as a capture.

use pinhole_capture::{Records, link};

/// What one of the formats begins with.
const HEADS: [&[u8]; 3] = [
    b"",
    b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0",
    b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
];

pub(crate) fn run(bytes: &[u8]) {
    for head in HEADS {
        let file = [head, bytes].concat();
        let Ok(records) = Records::new(&file) else { continue };
        let mut count = 0;
        for record in records.flatten() {
            count += 1;
            let found = link::packet(record.link, record.frame);
            assert!(found.is_ok_and(|packet| packet.len() <= record.frame.len()) || found.is_err());
        }
        // No record is shorter than its header.
        assert!(count <= file.len() / 12);
    }
}
