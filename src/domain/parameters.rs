//! The parameters of a request for a list.

/// What is wrong with a parameter that there is none of this name for.
pub(super) const UNKNOWN: &str = "there is no such parameter";

/// Hands each parameter to `take`, in their order, until one is refused. A name that is not among those that `repeat`
/// may come once.
///
/// # Errors
/// The refused parameter's name, and what is wrong with it.
pub(super) fn read<'a>(
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    repeat: &[&str],
    mut take: impl FnMut(&'a str, &'a str) -> Result<(), String>,
) -> Result<(), (String, String)> {
    let mut seen = Vec::new();
    for (name, value) in parameters {
        let fail = |detail: String| (name.to_owned(), detail);
        if seen.contains(&name) && !repeat.contains(&name) {
            return Err(fail("is given twice".to_owned()));
        }
        seen.push(name);
        take(name, value).map_err(fail)?;
    }
    Ok(())
}
