//! How deeply a source can nest, found without recursion.
//!
//! The parser, the evaluator and the destructor of a syntax tree are recursive; a source made to
//! be deep must not end the process. The depth found here is an upper bound: brackets and
//! operators that are open at once.

/// The deepest source that is parsed. CPython's parser gives up far below, so nothing that Python
/// can load is refused here (docs/facts/python.md, "Python's own rules").
pub(crate) const LIMIT: usize = 4000;

/// What is said of a source that nests more deeply.
pub(crate) const TOO_DEEP: &str = "the source is nested too deeply";

/// The depth up to which a source is read on a stack of [`super::STACK`]. Nearly
/// all files stay below; what is deeper gets a larger stack.
pub(crate) const SHALLOW: usize = 100;

#[derive(Default)]
struct Depth {
    open: Vec<usize>,
    operators: usize,
    total: usize,
    deepest: usize,
}

impl Depth {
    /// Each operator may be a level of the tree, as in `not not x` or `a.b.c`, until a comma or a
    /// line end closes them.
    fn operator(&mut self) {
        self.operators += 1;
        self.total += 1;
        self.deepest = self.deepest.max(self.total);
    }

    fn open(&mut self) {
        self.operator();
        self.open.push(std::mem::take(&mut self.operators));
    }

    fn close(&mut self) {
        self.separate();
        if let Some(operators) = self.open.pop() {
            self.operators = operators;
        }
    }

    fn separate(&mut self) {
        self.total = self.total.saturating_sub(self.operators);
        self.operators = 0;
    }
}

/// An upper bound of the depth of the syntax tree of `text`.
pub(crate) fn depth(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut depth = Depth::default();
    let mut indentation = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match KINDS.get(usize::from(*byte)).unwrap_or(&Kind::Other) {
            Kind::Word => {
                let rest = bytes.get(at..).unwrap_or_default();
                let length = rest.iter().take_while(|byte| is_word(**byte)).count();
                // One letter is no operator, and most words are longer than the longest one.
                if (1..LONGEST_OPERATOR).contains(&length)
                    && bytes.get(at - 1..at + length).is_some_and(is_operator)
                {
                    depth.operator();
                }
                at += length;
            }
            Kind::Operator => depth.operator(),
            Kind::Comment => at += line_length(bytes, at),
            Kind::Quote => at = skip_string(bytes, at - 1, &mut depth),
            Kind::Open => depth.open(),
            Kind::Close => depth.close(),
            Kind::Comma => depth.separate(),
            // Inside brackets a line end means nothing. Outside, the blanks of the next line stand
            // for the blocks that are open: one blank may be one level.
            Kind::End if depth.open.is_empty() => {
                depth.separate();
                let blanks = blanks(bytes, at);
                indentation = indentation.max(blanks);
                at += blanks;
            }
            Kind::End | Kind::Other => {}
        }
    }
    depth.deepest + indentation
}

/// The length of `lambda`.
const LONGEST_OPERATOR: usize = 6;

/// What a byte of the source means for the depth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Other,
    Word,
    Operator,
    Comment,
    Quote,
    Open,
    Close,
    Comma,
    End,
}

#[expect(clippy::indexing_slicing, reason = "at compile time, where it can't panic")]
const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Other; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => Kind::Word,
            b'#' => Kind::Comment,
            b'"' | b'\'' => Kind::Quote,
            b'(' | b'[' | b'{' => Kind::Open,
            b')' | b']' | b'}' => Kind::Close,
            b',' => Kind::Comma,
            b'\n' | b'\r' | b';' => Kind::End,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'@' | b'&' | b'|' | b'^' | b'~' | b'.' | b':'
            | b'=' | b'<' | b'>' => Kind::Operator,
            _ => Kind::Other,
        };
        byte += 1;
    }
    kinds
};

fn is_word(byte: u8) -> bool {
    KINDS.get(usize::from(byte)) == Some(&Kind::Word)
}

fn is_operator(word: &[u8]) -> bool {
    matches!(word, b"not" | b"lambda" | b"if" | b"else" | b"await" | b"and" | b"or" | b"in" | b"is")
}

fn line_length(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())
}

fn blanks(bytes: &[u8], at: usize) -> usize {
    bytes
        .get(at..)
        .map_or(0, |rest| rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count())
}

/// Skips a string literal that starts at `start`. Operators inside braces count, for it may be an
/// f-string.
fn skip_string(bytes: &[u8], start: usize, depth: &mut Depth) -> usize {
    let quote = bytes.get(start).copied().unwrap_or(b'"');
    let is_triple = bytes.get(start..start + 3) == Some(&[quote; 3]);
    let mut at = start + if is_triple { 3 } else { 1 };
    let mut braces = 0_usize;
    let before = depth.operators;
    loop {
        if is_triple && braces == 0 {
            // Nothing else matters in a docstring, and they are long.
            let rest = bytes.get(at..).unwrap_or_default();
            at += memchr::memchr3(quote, b'\\', b'{', rest).unwrap_or(rest.len());
        }
        let Some(byte) = bytes.get(at) else { break };
        at += 1;
        match byte {
            b'\\' => at += 1,
            // A brace is a replacement field only in an f-string. Which prefix the literal has is
            // not looked at, so braces of plain strings count as well: the depth is an upper bound.
            b'{' => {
                braces += 1;
                depth.operator();
            }
            b'+' | b'-' | b'(' | b'[' | b'.' | b'~' | b'*' if braces > 0 => depth.operator(),
            b'\n' if !is_triple => break,
            byte if *byte == quote => {
                if !is_triple {
                    break;
                }
                if bytes.get(at..at + 2) == Some(&[quote; 2]) {
                    at += 2;
                    break;
                }
            }
            _ => {}
        }
    }
    // What was open inside a literal is closed with it.
    let inside = depth.operators.saturating_sub(before);
    depth.total = depth.total.saturating_sub(inside);
    depth.operators = before;
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wide_is_not_deep() {
        let wide = format!("x = [{}]\n", "-1, ".repeat(10_000));
        assert!(depth(&wide) < 10);
        assert!(depth(&"x = a.b(c)\n".repeat(10_000)) < 10);
    }

    #[test]
    fn brackets_and_operators_that_stay_open_are_deep() {
        assert!(depth(&"(".repeat(5000)) >= 5000);
        assert!(depth(&"not ".repeat(5000)) >= 5000);
        assert!(depth(&format!("f'{{{}1}}'", "-".repeat(5000))) >= 5000);
    }

    #[test]
    fn comments_and_strings_do_not_count() {
        assert_eq!(depth(&format!("# {}\n", "(".repeat(500))), 0);
        assert_eq!(depth(&format!("'{}'", "(".repeat(500))), 0);
    }
}
