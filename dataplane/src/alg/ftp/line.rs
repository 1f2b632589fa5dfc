//! Lines of one direction of a control session, also those that came and went in pieces.

/// Telnet's escape byte (RFC 854): FTP's control session is a Telnet one, and ABOR comes behind such commands.
const IAC: u8 = 255;
/// The first of the Telnet commands that name an option (WILL, WONT, DO, DONT).
const WILL: u8 = 251;

/// A reader of lines that end with LF (RFC 959 wants CRLF; old clients send LF alone).
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What of the current line was passed before it was complete.
    passed: Vec<u8>,
    /// Whether a line was ever completed.
    any: bool,
    /// The code that ends the reply of several lines which goes on (RFC 959, section 4.2).
    open: Option<u16>,
}

/// One whole line.
#[derive(Debug)]
pub(super) struct Line {
    /// Its text without line end and without leading Telnet commands.
    pub(super) text: Vec<u8>,
    /// The bytes of it that are there now, line end included.
    pub(super) length: usize,
    /// The bytes there now that precede the text.
    pub(super) skipped: usize,
}

impl Line {
    /// Returns the text as it is and with a span of it replaced.
    pub(super) fn replaced(&self, at: usize, length: usize, with: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut after = self.text.get(..at).unwrap_or_default().to_vec();
        after.extend_from_slice(with);
        after.extend_from_slice(self.text.get(at + length..).unwrap_or_default());
        (self.text.clone(), after)
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// A line is complete.
    Line(Line),
    /// It is not, and may go on meanwhile.
    Part {
        /// How many bytes go on: all that are there.
        length: usize,
        /// What is there of the line's text.
        text: Vec<u8>,
    },
    /// It is not, and what is there is to be held.
    Wait,
    /// It is longer than any legitimate one.
    TooLong,
}

impl Lines {
    /// Whether a line was completed before.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// Reads on. A line of which `holds` says so is never passed in part, unless part of it was passed before.
    pub(super) fn next(&mut self, bytes: &[u8], most: usize, holds: impl Fn(&[u8]) -> bool) -> Next {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let there = bytes.get(..end.map_or(bytes.len(), |at| at + 1)).unwrap_or_default();
        if self.passed.len() + there.len() > most {
            return Next::TooLong;
        }
        let skipped = if self.passed.is_empty() { telnet_commands(there) } else { 0 };
        let rest = there.get(skipped..).unwrap_or_default();
        if end.is_some() {
            let mut text = std::mem::take(&mut self.passed);
            text.extend_from_slice(rest);
            while matches!(text.last(), Some(b'\r' | b'\n')) {
                text.pop();
            }
            self.any |= !text.is_empty();
            return Next::Line(Line { text, length: there.len(), skipped });
        }
        if rest.is_empty() && skipped > 0 {
            // Telnet commands alone are passed at once; the line still has not begun.
            return Next::Part { length: there.len(), text: Vec::new() };
        }
        let unfinished_command = self.passed.is_empty() && rest.first() == Some(&IAC);
        if unfinished_command || self.passed.is_empty() && holds(rest) {
            return Next::Wait;
        }
        self.passed.extend_from_slice(rest);
        Next::Part { length: there.len(), text: self.passed.clone() }
    }

    /// Returns the code of a reply that this line ends, `None` for a line that ends none.
    pub(super) fn final_code(&mut self, text: &[u8]) -> Option<u16> {
        let code = reply_code(text);
        let goes_on = text.get(3) == Some(&b'-');
        match (self.open, code) {
            (Some(open), Some(code)) if open == code && !goes_on => {
                self.open = None;
                Some(code)
            }
            (Some(_), _) | (None, None) => None,
            (None, Some(code)) if goes_on => {
                self.open = Some(code);
                None
            }
            (None, Some(code)) => Some(code),
        }
    }
}

/// Reads the three digits that begin a reply.
pub(super) fn reply_code(text: &[u8]) -> Option<u16> {
    let digits = text.get(..3)?;
    digits
        .iter()
        .try_fold(0, |code, digit| digit.is_ascii_digit().then(|| code * 10 + u16::from(digit - b'0')))
}

/// Returns the length of the whole Telnet commands that precede a line.
fn telnet_commands(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        at += match bytes.get(at..) {
            // IAC IAC is a byte of text.
            Some([IAC, IAC, ..]) => return at,
            Some([IAC, command, _, ..]) if *command >= WILL => 3,
            Some([IAC, command, ..]) if *command < WILL => 2,
            Some(_) | None => return at,
        };
    }
}
