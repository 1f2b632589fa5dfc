//! What clients say.

use super::address::{self, Announcement, Form};

/// The commands of RFC 959, 1639, 2228, 2389, 2428, 2640, 3659, 7151 and those in wide use beside them.
const KNOWN: [&[u8]; 64] = [
    b"ABOR", b"ACCT", b"ADAT", b"ALLO", b"APPE", b"AUTH", b"AVBL", b"CCC", b"CDUP", b"CLNT", b"CONF",
    b"CSID", b"CWD", b"DELE", b"DSIZ", b"ENC", b"EPRT", b"EPSV", b"FEAT", b"HASH", b"HELP", b"HOST", b"LANG",
    b"LIST", b"LPRT", b"LPSV", b"MDTM", b"MFCT", b"MFF", b"MFMT", b"MIC", b"MKD", b"MLSD", b"MLST", b"MODE",
    b"NLST", b"NOOP", b"OPTS", b"PASS", b"PASV", b"PBSZ", b"PORT", b"PROT", b"PWD", b"QUIT", b"REIN",
    b"REST", b"RETR", b"RMD", b"RNFR", b"RNTO", b"SITE", b"SIZE", b"SMNT", b"STAT", b"STOR", b"STOU",
    b"STRU", b"SYST", b"TYPE", b"USER", b"XCWD", b"XMKD", b"XPWD",
];

/// A command as far as the ALG cares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Command {
    /// PORT or EPRT with an endpoint.
    Active(Announcement),
    /// PORT or EPRT without one.
    Malformed(&'static str),
    /// PASV.
    Passive,
    /// EPSV.
    ExtendedPassive,
    /// EPSV ALL.
    ExtendedPassiveAll,
    /// AUTH.
    Auth,
    /// QUIT.
    Quit,
    /// Another of FTP's.
    Other,
    /// None of FTP's.
    Unknown,
    /// No command at all, to which no server answers.
    Empty,
}

fn verb_of(text: &[u8]) -> (Vec<u8>, usize) {
    let length = text.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
    (text.get(..length).unwrap_or_default().to_ascii_uppercase(), length)
}

/// Whether an unfinished line may become one that names an endpoint.
pub(super) fn may_announce(text: &[u8]) -> bool {
    let (verb, length) = verb_of(text);
    let announcing: [&[u8]; 2] = [b"PORT", b"EPRT"];
    if length < text.len() {
        announcing.contains(&verb.as_slice())
    } else {
        starts_one_of(&verb, &announcing)
    }
}

/// Whether an unfinished line may become a command of FTP, or an empty one.
pub(super) fn may_be_known(text: &[u8]) -> bool {
    // What may be the line's end is no part of it.
    let end = text.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    let text = text.get(..end).unwrap_or_default();
    let (verb, length) = verb_of(text);
    if length < text.len() { KNOWN.contains(&verb.as_slice()) } else { starts_one_of(&verb, &KNOWN) }
}

fn starts_one_of(prefix: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| word.starts_with(prefix))
}

/// Reads a whole line.
pub(super) fn parse(text: &[u8]) -> Command {
    let (verb, length) = verb_of(text);
    let spaces = text.iter().skip(length).take_while(|&&byte| byte == b' ').count();
    let at = length + spaces;
    let argument = text.get(at..).unwrap_or_default().trim_ascii_end();
    match verb.as_slice() {
        b"" => Command::Empty,
        b"PORT" => match address::decimals(argument) {
            Some((named, length)) if spaces > 0 && length == argument.len() => {
                Command::Active(Announcement { message: "PORT", named, form: Form::Decimals, at, length })
            }
            Some(_) | None => Command::Malformed("PORT"),
        },
        b"EPRT" => match address::fields(argument) {
            Some((named, form, inner, length)) if spaces > 0 => {
                Command::Active(Announcement { message: "EPRT", named, form, at: at + inner, length })
            }
            Some(_) | None => Command::Malformed("EPRT"),
        },
        b"PASV" => Command::Passive,
        b"EPSV" if argument.eq_ignore_ascii_case(b"ALL") => Command::ExtendedPassiveAll,
        b"EPSV" => Command::ExtendedPassive,
        b"AUTH" => Command::Auth,
        b"QUIT" => Command::Quit,
        verb if KNOWN.contains(&verb) => Command::Other,
        _ => Command::Unknown,
    }
}
