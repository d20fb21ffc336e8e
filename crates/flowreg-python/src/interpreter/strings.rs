//! Text: f-strings, `%`, `format`, `str`, `repr` and the methods constants are made with.

use std::rc::Rc;

use ruff_python_ast::{
    ConversionFlag, ExprFString, FStringPart, InterpolatedElement, InterpolatedStringElement,
};

use super::ancestors::ancestors;
use super::exceptions::text_of;
use super::objects::{Held, class_of, look_along};
use super::operators::LONGEST;
use super::subscripts::{as_index, stepped};
use super::{Evaluated, Interpreter};
use crate::number::{complex_repr, float_repr};
use crate::value::{Keywords, Scope, Text, Value, keyword};

impl<'a> Interpreter<'a> {
    pub(super) fn formatted_string(
        &self,
        string: &'a ExprFString,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        let mut text = String::new();
        for part in &string.value {
            match part {
                FStringPart::Literal(literal) => text.push_str(literal),
                FStringPart::FString(string) => match self.elements(&string.elements, scope)? {
                    Ok(part) => text.push_str(&part),
                    Err(unknown) => return Ok(unknown),
                },
            }
        }
        Ok(if text.len() > LONGEST {
            self.unknown("the text is too long")
        } else {
            Value::text(text)
        })
    }

    fn elements(
        &self,
        elements: &'a [InterpolatedStringElement],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Result<String, Value<'a>>> {
        let mut text = String::new();
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(literal) => text.push_str(&literal.value),
                InterpolatedStringElement::Interpolation(element) => {
                    match self.interpolation(element, scope)? {
                        Ok(part) => text.push_str(&part),
                        Err(unknown) => return Ok(Err(unknown)),
                    }
                }
            }
        }
        Ok(Ok(text))
    }

    fn interpolation(
        &self,
        element: &'a InterpolatedElement,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Result<String, Value<'a>>> {
        let value = self.value(&element.expression, scope)?;
        // `f"{x=}"` repeats the source text, with its blanks.
        if element.debug_text.is_some() {
            return Ok(Err(self.unknown("a debug f-string")));
        }
        let converted = match element.conversion {
            ConversionFlag::None => match class_of(&value) {
                Some(class)
                    if !matches!(look_along(&ancestors(class), "__format__"), Held::Missing) =>
                {
                    self.unknown("a `__format__` of a class")
                }
                Some(_) => self.stringified(&value)?,
                None => value.clone(),
            },
            ConversionFlag::Str => self.stringified(&value)?,
            ConversionFlag::Repr => self.repr(&value)?,
            ConversionFlag::Ascii => self.unknown("`!a` in an f-string"),
        };
        let specification = match &element.format_spec {
            Some(specification) => match self.elements(&specification.elements, scope)? {
                Ok(text) => text,
                Err(unknown) => return Ok(Err(unknown)),
            },
            None => String::new(),
        };
        Ok(match format_value(&converted, &specification) {
            Some(text) => Ok(text),
            None => Err(self.unknown_because(&converted, "an f-string of such a value")),
        })
    }

    fn shown(&self, text: Option<String>, value: &Value<'a>) -> Value<'a> {
        self.note_implicit_use([value]);
        text.map_or_else(|| self.unknown_because(value, "text of such a value"), Value::text)
    }

    /// `repr` for messages.
    pub(super) fn show(value: &Value<'a>) -> String {
        repr(value).unwrap_or_else(|| "…".to_owned())
    }

    /// `str(value)`.
    pub(super) fn stringified(&self, value: &Value<'a>) -> Evaluated<Value<'a>> {
        for method in ["__str__", "__repr__"] {
            if let Some(text) = self.text_by(value, method) {
                return text;
            }
        }
        Ok(self.shown(display(value), value))
    }

    /// `repr(value)`.
    pub(super) fn repr(&self, value: &Value<'a>) -> Evaluated<Value<'a>> {
        let text = self.text_by(value, "__repr__");
        text.unwrap_or_else(|| Ok(self.shown(repr(value), value)))
    }

    /// What an object says of itself, if it has a method for it.
    fn text_by(&self, value: &Value<'a>, method: &str) -> Option<Evaluated<Value<'a>>> {
        let class = class_of(value)?;
        match look_along(&ancestors(class), method) {
            Held::Found(_) => self.special_method(value, method, &[]),
            _ => None,
        }
    }

    /// `template % arguments`.
    pub(super) fn percent(&self, template: &str, arguments: &Value<'a>) -> Evaluated<Value<'a>> {
        let items = match arguments {
            Value::Tuple(items) => items.to_vec(),
            other => vec![other.clone()],
        };
        let mut items = items.iter();
        let mut text = String::new();
        let mut chars = template.chars();
        while let Some(char) = chars.next() {
            if char != '%' {
                text.push(char);
                continue;
            }
            let mut specification = String::new();
            let kind = loop {
                match chars.next() {
                    // Widths and precisions only. Flags, `*` and `%(name)s` end the search below
                    // and are unknown.
                    Some(char @ ('0'..='9' | '.')) => specification.push(char),
                    other => break other,
                }
            };
            if kind == Some('%') && specification.is_empty() {
                text.push('%');
                continue;
            }
            let Some(value) = items.next() else {
                return self.raise("TypeError", "not enough arguments for format string");
            };
            let part = match (kind, value) {
                (Some('s'), value) if specification.is_empty() => display(value),
                (Some('r'), value) if specification.is_empty() => repr(value),
                (Some('d' | 'i'), Value::Int(_)) => format_value(value, &specification),
                (Some('f'), Value::Float(_) | Value::Int(_)) => {
                    format_value(value, &format!("{specification}f"))
                }
                _ => None,
            };
            let Some(part) = part else {
                return Ok(self.unknown_because(arguments, "a `%` format"));
            };
            text.push_str(&part);
        }
        // A dictionary may bring more than the template uses.
        if items.next().is_some() && !matches!(arguments, Value::Dict(_)) {
            return self.raise("TypeError", "not all arguments converted during string formatting");
        }
        Ok(Value::text(text))
    }

    pub(super) fn text_slice(&self, text: &Value<'a>, index: &Value<'a>) -> Value<'a> {
        let chars: Vec<char> = text.as_str().unwrap_or_default().chars().collect();
        if let Value::Slice(slice) = index
            && let Some(places) = stepped(slice, chars.len())
        {
            let part = places.into_iter().filter_map(|at| chars.get(at));
            return Value::text(part.collect::<String>());
        }
        let range = match index {
            Value::Slice(_) => None,
            other => as_index(other).and_then(|at| {
                let length = i64::try_from(chars.len()).ok()?;
                let at = usize::try_from(if at < 0 { at + length } else { at }).ok()?;
                Some(at..at + 1)
            }),
        };
        match range.and_then(|range| chars.get(range)) {
            Some(part) => Value::text(part.iter().collect::<String>()),
            None => self.unknown_because(index, "an index of a text"),
        }
    }
}

/// `str.title`: a capital after everything that is not a letter.
pub(crate) fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut is_after_letter = false;
    for char in text.chars() {
        if is_after_letter {
            titled.extend(char.to_lowercase());
        } else {
            titled.push_str(&titlecase(char));
        }
        is_after_letter = char.is_uppercase() || char.is_lowercase();
    }
    titled
}

/// The title case of a character, for those that Python writes differently from upper case.
fn titlecase(char: char) -> String {
    match char {
        'Ǆ'..='ǆ' => "ǅ".to_owned(),
        'Ǉ'..='ǉ' => "ǈ".to_owned(),
        'Ǌ'..='ǌ' => "ǋ".to_owned(),
        'Ǳ'..='ǳ' => "ǲ".to_owned(),
        // Georgian letters have an upper case, but no title case of their own.
        'ა'..='ჿ' => char.to_string(),
        _ => {
            let mut upper = char.to_uppercase();
            let first: String = upper.by_ref().take(1).collect();
            first + &upper.flat_map(char::to_lowercase).collect::<String>()
        }
    }
}

/// `str(value)` of a constant.
pub(crate) fn display(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.to_string()),
        Value::Std(std_value) => std_value.display(),
        Value::Opaque(_) => text_of(value),
        other => repr(other),
    }
}

/// `repr(value)` of a constant that is not too large.
pub(super) fn repr(value: &Value<'_>) -> Option<String> {
    if value.is_constant() { repr_of(value) } else { None }
}

fn repr_of(value: &Value<'_>) -> Option<String> {
    Some(match value {
        Value::None => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => float_repr(*float),
        Value::Complex(real, imaginary) if *real == 0.0 => complex_repr(*real, *imaginary),
        Value::Str(text) => quoted(text)?,
        Value::List(items) if items.len() < 1000 => {
            let items: Option<Vec<String>> = items.iter().map(repr_of).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Tuple(items) if items.len() < 1000 => {
            let items: Option<Vec<String>> = items.iter().map(repr_of).collect();
            match &items?[..] {
                [only] => format!("({only},)"),
                items => format!("({})", items.join(", ")),
            }
        }
        _ => return None,
    })
}

/// A text in Python's quotes; `None` if it has characters that need more thought.
fn quoted(text: &Text) -> Option<String> {
    // Which characters Python escapes depends on Unicode tables. ASCII is what names and paths are
    // made of.
    if text.chars().any(|char| char.is_control() || char == '\\' || !char.is_ascii()) {
        return None;
    }
    // Python prefers single quotes, unless only single quotes would have to be escaped.
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let escaped = if quote == '\'' { text.replace('\'', "\\'") } else { text.to_string() };
    Some(format!("{quote}{escaped}{quote}"))
}

/// `format(value, specification)` for the common specifications.
pub(crate) fn format_value(value: &Value<'_>, specification: &str) -> Option<String> {
    if specification.is_empty() {
        return display(value);
    }
    let layout = Layout::parse(specification)?;
    let (sign, body) = match value {
        // Text refuses signs, zeros and commas: `ValueError`.
        Value::Str(text) if matches!(layout.kind, None | Some('s')) && !layout.is_numeric => {
            let cut: String = match layout.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text.to_string(),
            };
            return Some(layout.pad("", &cut, '<'));
        }
        Value::Int(int)
            if matches!(layout.kind, None | Some('d')) && layout.precision.is_none() =>
        {
            split_sign(int.to_string())
        }
        Value::Int(int) if layout.kind == Some('x') => split_sign(hexadecimal(int.small()?)),
        Value::Int(int) if layout.kind == Some('f') => {
            split_sign(format!("{:.*}", layout.precision.unwrap_or(6), int.to_float()))
        }
        Value::Float(float) if float.is_finite() => match layout.kind {
            Some('f') => split_sign(format!("{:.*}", layout.precision.unwrap_or(6), float)),
            Some('%') => {
                let percent = float * 100.0;
                split_sign(format!("{:.*}%", layout.precision.unwrap_or(6), percent))
            }
            _ => return None,
        },
        _ => return None,
    };
    let body = if layout.has_commas { with_commas(&body) } else { body };
    let sign = if sign.is_empty() && layout.has_plus { "+" } else { sign };
    Some(layout.pad(sign, &body, '>'))
}

fn hexadecimal(number: i128) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:x}", number.unsigned_abs())
}

fn split_sign(text: String) -> (&'static str, String) {
    match text.strip_prefix('-') {
        Some(rest) => ("-", rest.to_owned()),
        None => ("", text),
    }
}

fn with_commas(body: &str) -> String {
    let (whole, rest) = match body.find(['.', '%']) {
        Some(at) => body.split_at(at),
        None => (body, ""),
    };
    let mut grouped = String::new();
    for (at, char) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(char);
    }
    grouped + rest
}

/// A parsed format specification.
#[derive(Default)]
struct Layout {
    fill: Option<char>,
    align: Option<char>,
    has_plus: bool,
    is_numeric: bool,
    has_commas: bool,
    width: usize,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Layout {
    fn parse(specification: &str) -> Option<Self> {
        let mut layout = Layout::default();
        let chars: Vec<char> = specification.chars().collect();
        let mut rest = &chars[..];
        if let [fill, align @ ('<' | '>' | '^'), after @ ..] = rest {
            (layout.fill, layout.align, rest) = (Some(*fill), Some(*align), after);
        } else if let [align @ ('<' | '>' | '^'), after @ ..] = rest {
            (layout.align, rest) = (Some(*align), after);
        }
        if let ['+', after @ ..] = rest {
            (layout.has_plus, layout.is_numeric, rest) = (true, true, after);
        }
        if let ['0', after @ ..] = rest {
            (layout.is_numeric, rest) = (true, after);
            if layout.align.is_none() {
                layout.fill = Some('0');
            }
        }
        let (width, after) = digits(rest);
        layout.width = width.unwrap_or(0);
        rest = after;
        if let [',', after @ ..] = rest {
            (layout.has_commas, layout.is_numeric, rest) = (true, true, after);
        }
        if let ['.', after @ ..] = rest {
            let (precision, after) = digits(after);
            (layout.precision, rest) = (Some(precision?), after);
        }
        if let [kind @ ('d' | 'f' | 's' | 'x' | '%'), after @ ..] = rest {
            (layout.kind, rest) = (Some(*kind), after);
        }
        // A width of a billion in a source must not take the memory.
        let is_small = layout.width <= 1000 && layout.precision.is_none_or(|many| many <= 100);
        (rest.is_empty() && is_small).then_some(layout)
    }

    fn pad(&self, sign: &str, body: &str, default: char) -> String {
        let length = sign.len() + body.chars().count();
        let missing = self.width.saturating_sub(length);
        let fill = self.fill.unwrap_or(' ').to_string();
        // `05d` puts zeros between the sign and the digits.
        if self.align.is_none() && self.fill == Some('0') {
            return format!("{sign}{}{body}", "0".repeat(missing));
        }
        match self.align.unwrap_or(default) {
            '<' => format!("{sign}{body}{}", fill.repeat(missing)),
            '^' => {
                let left = missing / 2;
                format!("{}{sign}{body}{}", fill.repeat(left), fill.repeat(missing - left))
            }
            _ => format!("{}{sign}{body}", fill.repeat(missing)),
        }
    }
}

fn digits(chars: &[char]) -> (Option<usize>, &[char]) {
    let length = chars.iter().take_while(|char| char.is_ascii_digit()).count();
    let (number, rest) = chars.split_at(length);
    (number.iter().collect::<String>().parse().ok(), rest)
}

/// `template.format(...)` with plain fields.
pub(super) fn format_template<'a>(
    template: &str,
    arguments: &[Value<'a>],
    keywords: &Keywords<'a>,
) -> Option<String> {
    let mut text = String::new();
    let mut next = 0;
    let mut chars = template.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '{' if chars.peek() == Some(&'{') => {
                chars.next();
                text.push('{');
            }
            '}' if chars.peek() == Some(&'}') => {
                chars.next();
                text.push('}');
            }
            '{' => {
                let mut field = String::new();
                loop {
                    match chars.next()? {
                        '}' => break,
                        // A field inside a field (`{:{width}}`) is not evaluated.
                        '{' => return None,
                        char => field.push(char),
                    }
                }
                let (name, specification) = field.split_once(':').unwrap_or((&field, ""));
                let value = if name.is_empty() {
                    next += 1;
                    arguments.get(next - 1)?
                } else if let Ok(at) = name.parse::<usize>() {
                    arguments.get(at)?
                } else {
                    keyword(keywords, name)?
                };
                text.push_str(&format_value(value, specification)?);
            }
            '}' => return None,
            char => text.push(char),
        }
        if text.len() > LONGEST {
            return None;
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_made_as_python_makes_them() {
        assert_eq!(title("url2x_y"), "Url2X_Y");
        assert_eq!(title("camelCase"), "Camelcase");
        assert_eq!(title("éclair_à"), "Éclair_À");
    }

    #[test]
    fn format_specifications_follow_python() {
        let formatted = |value: Value<'_>, spec: &str| format_value(&value, spec).unwrap();
        assert_eq!(formatted(Value::int(7), "03d"), "007");
        assert_eq!(formatted(Value::Float(0.5), ".2f"), "0.50");
        assert_eq!(formatted(Value::int(-7), "04d"), "-007");
        assert_eq!(formatted(Value::int(1_234_567), ","), "1,234,567");
        assert_eq!(formatted(Value::text("ab"), ">4"), "  ab");
        assert_eq!(formatted(Value::text("ab"), "*^5"), "*ab**");
        assert!(format_value(&Value::text("ab"), "d").is_none());
    }
}
