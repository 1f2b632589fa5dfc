//! IPFIX messages (RFC 7011) with the information elements and events of RFC 8158.

mod template;

use std::time::Duration;

use tokio::time::Instant;

use crate::export::frame::{Frame, Framing};
use crate::export::record::Record;
use template::{ALL, Template};

/// Version 10 is IPFIX.
const VERSION: u16 = 10;
const HEADER_BYTES: usize = 16;
const SET_HEADER_BYTES: usize = 4;
const TEMPLATE_SET: u16 = 2;
const OPTIONS_TEMPLATE_SET: u16 = 3;
/// A collector that starts after this exporter knows how to read its datagrams after this time (RFC 7011, section 8.4).
const TEMPLATE_REFRESH: Duration = Duration::from_secs(60);
/// Bytes of one message in a stream, where any length up to 65,535 would do: what is read at once by a collector.
const STREAM_MESSAGE_BYTES: usize = 8_192;

/// Writes the messages of one observation domain.
#[derive(Debug)]
pub(super) struct Encoder {
    domain: u32,
    framing: Framing,
    /// Data records in the messages of this transport session so far (RFC 7011, section 3.1).
    sequence: u32,
    /// When the templates have to be sent; `None` when never again.
    templates_due: Option<Instant>,
}

impl Encoder {
    pub(super) fn new(domain: u32) -> Self {
        Self { domain, framing: Framing::Stream, sequence: 0, templates_due: None }
    }

    /// Begins a transport session, in which nothing was sent yet.
    pub(super) fn begin(&mut self, framing: Framing, now: Instant) {
        self.framing = framing;
        self.sequence = 0;
        self.templates_due = Some(now);
    }

    /// Returns when [`Self::encode`] has something to say without a record.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.templates_due
    }

    /// Returns the messages of some records, with the templates where these are due.
    pub(super) fn encode(&mut self, records: &[Record], wall_ms: u64, now: Instant) -> Vec<Frame> {
        let most = match self.framing {
            Framing::Datagrams { most } => most,
            Framing::Stream => STREAM_MESSAGE_BYTES,
        };
        let export_time = u32::try_from(wall_ms / 1_000).unwrap_or(u32::MAX);
        let mut messages = Messages::new(most, export_time, self.domain, self.sequence);
        if self.templates_due.is_some_and(|due| due <= now) {
            for template in ALL {
                messages.add_template(template);
            }
            self.templates_due = match self.framing {
                Framing::Datagrams { .. } => now.checked_add(TEMPLATE_REFRESH),
                Framing::Stream => None,
            };
        }
        for record in records {
            match template::data(record, self.domain) {
                Some((template, values)) => messages.add(template.id, &values),
                None => messages.skip(),
            }
        }
        let (frames, sequence) = messages.finish();
        self.sequence = sequence;
        frames
    }
}

/// Messages under construction.
struct Messages {
    most: usize,
    export_time: u32,
    domain: u32,
    sequence: u32,
    done: Vec<Frame>,
    /// The message that is being written, with its header still to be filled in.
    bytes: Vec<u8>,
    /// Number and place of its last set.
    set: Option<(u16, usize)>,
    /// Data records in it.
    data: u32,
    /// Records that are done with when it is sent.
    records: usize,
}

impl Messages {
    fn new(most: usize, export_time: u32, domain: u32, sequence: u32) -> Self {
        Self {
            most,
            export_time,
            domain,
            sequence,
            done: Vec::new(),
            bytes: vec![0; HEADER_BYTES],
            set: None,
            data: 0,
            records: 0,
        }
    }

    fn add_template(&mut self, template: &Template) {
        let count = u16::try_from(template.fields.len()).unwrap_or(u16::MAX);
        let mut bytes = Vec::new();
        bytes.extend(template.id.to_be_bytes());
        bytes.extend(count.to_be_bytes());
        if template.scope > 0 {
            bytes.extend(template.scope.to_be_bytes());
        }
        for field in template.fields {
            bytes.extend(field.0.to_be_bytes());
            bytes.extend(field.1.to_be_bytes());
        }
        self.put(if template.scope > 0 { OPTIONS_TEMPLATE_SET } else { TEMPLATE_SET }, &bytes);
    }

    fn add(&mut self, set: u16, values: &[u8]) {
        self.put(set, values);
        self.data = self.data.wrapping_add(1);
        self.records += 1;
    }

    /// Counts a record that has no form here.
    fn skip(&mut self) {
        self.records += 1;
    }

    /// Writes a record into a set of its kind, in a new message where this one is full.
    fn put(&mut self, set: u16, record: &[u8]) {
        let header = if self.set.is_some_and(|(id, _)| id == set) { 0 } else { SET_HEADER_BYTES };
        if self.bytes.len() > HEADER_BYTES && self.bytes.len() + header + record.len() > self.most {
            self.end_message();
        }
        if self.set.is_none_or(|(id, _)| id != set) {
            self.end_set();
            self.set = Some((set, self.bytes.len()));
            self.bytes.extend(set.to_be_bytes());
            self.bytes.extend([0; 2]);
        }
        self.bytes.extend(record);
    }

    fn end_set(&mut self) {
        if let Some((_, at)) = self.set.take() {
            let length = self.bytes.len() - at;
            self.write_u16(at + 2, length);
        }
    }

    fn end_message(&mut self) {
        self.end_set();
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend(VERSION.to_be_bytes());
        header.extend([0; 2]);
        header.extend(self.export_time.to_be_bytes());
        header.extend(self.sequence.to_be_bytes());
        header.extend(self.domain.to_be_bytes());
        if let Some(place) = self.bytes.get_mut(..HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
        self.write_u16(2, self.bytes.len());
        self.sequence = self.sequence.wrapping_add(std::mem::take(&mut self.data));
        let bytes = std::mem::replace(&mut self.bytes, vec![0; HEADER_BYTES]);
        self.done.push(Frame { bytes, records: std::mem::take(&mut self.records) });
    }

    fn write_u16(&mut self, at: usize, value: usize) {
        let value = u16::try_from(value).unwrap_or(u16::MAX);
        if let Some(place) = self.bytes.get_mut(at..at + 2) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// Returns the messages, and the sequence number of the next one.
    fn finish(mut self) -> (Vec<Frame>, u32) {
        if self.bytes.len() > HEADER_BYTES {
            self.end_message();
        } else if self.records > 0 {
            // Nothing but records without a form: there is nothing to send, and they are done with.
            self.done.push(Frame { bytes: Vec::new(), records: self.records });
        }
        (self.done, self.sequence)
    }
}

#[cfg(test)]
mod tests;
