//! Server-sent events, as far as a program that waits for the last one has to understand them.

/// The most of a field that is looked at.
const MAX_FIELD_BYTES: usize = 64;

/// What was read of events, of which only their ids and the last one's name matter.
#[derive(Debug, Default)]
pub(super) struct Events {
    id: Option<String>,
    done: bool,
    line: Vec<u8>,
}

impl Events {
    /// The id of the event that was read last.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether that was the last one that there is.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Reads what comes until it ends.
    pub(super) async fn all(&mut self, mut response: reqwest::Response) -> reqwest::Result<()> {
        self.line.clear();
        while let Some(bytes) = response.chunk().await? {
            self.read(&bytes);
        }
        Ok(())
    }

    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                // The data are long, and not looked at.
                _ if self.line.len() < MAX_FIELD_BYTES => self.line.push(*byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        match line.split_once(": ") {
            Some(("id", id)) => self.id = Some(id.to_owned()),
            Some(("event", "done")) => self.done = true,
            Some(_) | None => {}
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text =
            "id: 7\nevent: progress\ndata: {\"event\": \"done\"}\n\n:\n\nid: done\nevent: done\ndata: 1\n\n";
        for size in 1..text.len() {
            let mut events = Events::default();
            let mut parts = text.as_bytes().chunks(size);
            let before = parts.by_ref().take(30 / size).flatten().copied().collect::<Vec<u8>>();
            events.read(&before);
            assert!(!events.done);
            parts.for_each(|part| events.read(part));
            assert_eq!((events.id.as_deref(), events.done), (Some("done"), true), "{size}");
        }
    }
}
