//! Requirements in the names of tests.

/// The clauses of a document that a test is named after.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Reference {
    pub(crate) rfc: u16,
    /// As documents spell them: `REQ-5`, `REQ-3a`, `2.2`.
    pub(crate) clauses: Vec<String>,
}

impl Reference {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut words = name.strip_prefix("rfc")?.split('_').peekable();
        let rfc = words.next()?.parse().ok()?;
        let mut clauses = Vec::new();
        // Most documents number requirements, RFC 6092 recommendations.
        if let Some(kind) = words.next_if(|word| ["req", "rec"].contains(word)) {
            while let Some(number) = words.next_if(|word| is_clause(word)) {
                clauses.push(format!("{}-{number}", kind.to_uppercase()));
                words.next_if_eq(&"and");
            }
        } else {
            words.next_if_eq(&"section");
            let numbers: Vec<&str> = std::iter::from_fn(|| words.next_if(|word| is_number(word))).collect();
            clauses.push(numbers.join("."));
        }
        Some(Self { rfc, clauses })
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a word is a number, perhaps with the letter of a part.
fn is_clause(word: &str) -> bool {
    is_number(word.strip_suffix(|letter: char| ('a'..='d').contains(&letter)).unwrap_or(word))
}

#[test]
fn names_say_which_clauses_they_are_about() {
    let parse = |name| Reference::parse(name).map(|reference| (reference.rfc, reference.clauses.join(" ")));
    let expect = |rfc, clauses: &str| Some((rfc, clauses.to_owned()));
    assert_eq!(parse("rfc4787_req_5_a_mapping_lives"), expect(4787, "REQ-5"));
    assert_eq!(parse("rfc4787_req_3a_a_mapping_lives"), expect(4787, "REQ-3a"));
    assert_eq!(parse("rfc5508_req_4_and_5_errors"), expect(5508, "REQ-4 REQ-5"));
    assert_eq!(parse("rfc6092_rec_41_and_42_errors"), expect(6092, "REC-41 REC-42"));
    assert_eq!(parse("rfc7857_section_2_2_resets"), expect(7857, "2.2"));
    assert_eq!(parse("rfc7857_2_2_resets"), expect(7857, "2.2"));
    assert_eq!(parse("rfc_is_a_word"), None);
    assert_eq!(parse("blocks"), None);
}
