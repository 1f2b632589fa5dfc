//! Captures of our own.

use std::time::Duration;

/// How a capture is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    /// Little-endian microseconds of Ethernet.
    Ethernet,
    /// Big-endian nanoseconds of a Linux cooked device.
    Cooked,
    /// The next generation, of raw IP.
    Next,
}

/// Packets and when they were captured.
pub(crate) type Traffic = Vec<(Duration, Vec<u8>)>;

pub(crate) fn capture(traffic: &Traffic, format: Format) -> Vec<u8> {
    let mut file = Vec::new();
    match format {
        Format::Ethernet => push(&mut file, &[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1], u32::to_le_bytes),
        Format::Cooked => push(&mut file, &[0xa1b2_3c4d, 0x0002_0004, 0, 0, 65_535, 113], u32::to_be_bytes),
        Format::Next => {
            let section = [0x1a2b_3c4d, 1, u32::MAX, u32::MAX];
            block(&mut file, 0x0a0d_0d0a, &section, &[]);
            block(&mut file, 1, &[101, 0], &[]);
        }
    }
    for (time, packet) in traffic {
        let seconds = u32::try_from(time.as_secs()).unwrap();
        let ethernet = [&[2; 12][..], &[8, 0], packet].concat();
        let cooked = [&[0; 14][..], &[8, 0], packet].concat();
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        match format {
            Format::Ethernet => {
                let header = [seconds, time.subsec_micros(), length(&ethernet), length(&ethernet)];
                push(&mut file, &header, u32::to_le_bytes);
                file.extend(ethernet);
            }
            Format::Cooked => {
                let header = [seconds, time.subsec_nanos(), length(&cooked), length(&cooked)];
                push(&mut file, &header, u32::to_be_bytes);
                file.extend(cooked);
            }
            Format::Next => {
                let micros = u64::try_from(time.as_micros()).unwrap();
                let [high, low] =
                    [micros >> 32, micros & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
                block(&mut file, 6, &[0, high, low, length(packet), length(packet)], packet);
            }
        }
    }
    file
}

fn push(file: &mut Vec<u8>, numbers: &[u32], order: fn(u32) -> [u8; 4]) {
    file.extend(numbers.iter().copied().flat_map(order));
}

fn block(file: &mut Vec<u8>, kind: u32, numbers: &[u32], bytes: &[u8]) {
    let padding = vec![0; bytes.len().next_multiple_of(4) - bytes.len()];
    let total = u32::try_from(12 + 4 * numbers.len() + bytes.len() + padding.len()).unwrap();
    push(file, &[kind, total], u32::to_le_bytes);
    push(file, numbers, u32::to_le_bytes);
    file.extend([bytes, &padding].concat());
    push(file, &[total], u32::to_le_bytes);
}
