//! Text of a gateway, made fit to be stored and shown.

/// Takes at most `most` characters; what is not printable becomes a space, which also keeps out the zero that
/// Postgres does not store.
pub(super) fn clean(text: &str, most: usize) -> String {
    let printable = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let cleaned: String = printable.take(most).collect();
    cleaned.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn control_characters_and_excess_go() {
        assert_eq!(clean(" in7\0does\nnot\u{9b}exist ", 100), "in7 does not exist");
        assert_eq!(clean("äöü", 2), "äö");
        assert_eq!(clean("", 2), "");
    }
}
