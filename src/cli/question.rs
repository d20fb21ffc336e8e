//! Asks a person before something that can't be undone. Only where somebody can answer: see
//! [`Context::can_ask`](super::Context).

use std::io::Write;

/// Whether the answer to a question is yes; no answer, as at the end of input, is no.
pub(super) fn agrees(question: &str) -> bool {
    let mut terminal = anstream::stderr().lock();
    let asked = write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush());
    let mut answer = String::new();
    let answered = asked.and_then(|()| std::io::stdin().read_line(&mut answer));
    answered.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
