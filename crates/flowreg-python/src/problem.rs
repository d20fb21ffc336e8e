//! Problems with the source around them, as people read them.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::source::position;
use flowreg_model::{FlowProblem, ProblemCode};

/// Makes problems of one file.
pub(crate) struct Problems<'s> {
    pub path: &'s str,
    pub text: &'s str,
}

impl Problems<'_> {
    /// A problem at a place in the source.
    pub(crate) fn at(&self, code: ProblemCode, place: usize, message: String) -> FlowProblem {
        let (line, column) = position(self.text, place);
        let excerpt = Some(self.excerpt(place, &message));
        FlowProblem { path: self.path.to_owned(), line, column, code, message, excerpt }
    }

    fn excerpt(&self, place: usize, message: &str) -> String {
        // Only the line itself is rendered: the renderer's cost grows with the text that it is given,
        // and generated files may have many problems.
        let place = floor(self.text, place);
        let start = self.text.get(..place).and_then(|text| text.rfind('\n')).map_or(0, |at| at + 1);
        let end = self
            .text
            .get(place..)
            .and_then(|text| text.find('\n'))
            .map_or(self.text.len(), |at| place + at);
        let line: String =
            self.text.get(start..end).unwrap_or_default().chars().take(200).collect();
        let marked = floor(&line, place - start);
        let after = line.get(marked..).and_then(|rest| rest.chars().next());
        let span = marked..marked + after.map_or(0, char::len_utf8);
        let number = usize::try_from(position(self.text, place).0).unwrap_or(1);
        let snippet = Snippet::source(line.as_str())
            .line_start(number)
            .path(self.path)
            .annotation(AnnotationKind::Primary.span(span));
        let report = [Level::ERROR.primary_title(message).element(snippet)];
        let rendered = Renderer::plain().render(&report).clone();
        // The first line repeats the message, which whoever prints the problem has already.
        rendered.split_once('\n').map_or(String::new(), |(_, excerpt)| excerpt.to_owned())
    }
}

/// The nearest place at or before `place` where a character starts.
fn floor(text: &str, place: usize) -> usize {
    let mut place = place.min(text.len());
    while !text.is_char_boundary(place) {
        place -= 1;
    }
    place
}
