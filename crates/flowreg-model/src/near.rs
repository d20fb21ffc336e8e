//! "Did you mean": the name that a misspelt one was most likely meant to be.

/// The name that is most similar to the word, if one is similar enough to be what was meant.
///
/// Jaro-Winkler gives 1 for equal words, and weighs the beginning more, where people rarely mistype.
/// 0.7 is the bound that clap uses for its own suggestions.
pub fn nearest<'n>(word: &str, names: &[&'n str]) -> Option<&'n str> {
    names
        .iter()
        .map(|name| (strsim::jaro_winkler(word, name), *name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| name)
}
