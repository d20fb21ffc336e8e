//! Calls of builtins and of the standard library that give constants.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use super::by_name::is_odd_enum;
use super::model_rules::is_plain_pattern;
use super::objects::property;
use super::subscripts::as_index;
use super::{Interpreter, as_type};
use crate::default::std_value::{Date, PathKind, StdValue, Time, join_path};
use crate::number::{Int, LARGEST_WHOLE, float_repr};
use crate::symbols;
use crate::value::{FieldInfo, Keywords, MethodKind, Type, Value, keyword, set_keyword};

impl<'a> Interpreter<'a> {
    pub(super) fn call_standard(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        // Python could answer these, but another machine or another day would answer something
        // else.
        if let Some(why) = symbols::volatile(path) {
            let shown = path.strip_prefix("datetime.").unwrap_or(path);
            return self.unknown(format!("`{shown}()`: {why}"));
        }
        if let Some(value) = self.typing_call(path, arguments, keywords) {
            return value;
        }
        // From here on all arguments have to be known: the functions below look into them.
        let given = arguments.iter().chain(keywords.iter().map(|(_, value)| value));
        if let Some(unknown) = given.clone().find_map(|value| value.find_unknown(self.here())) {
            return Value::Unknown(unknown);
        }
        let value = match path.strip_prefix("builtins.") {
            Some(name) => self.builtin(name, arguments, keywords),
            None => library(path, arguments, keywords)
                .map(Value::Std)
                .or_else(|| Self::other(path, arguments, keywords)),
        };
        value.unwrap_or_else(|| {
            self.unknown(format!("`{}()` is not evaluated", path.trim_start_matches("builtins.")))
        })
    }

    /// Calls that make or mark types; their arguments may be unknown.
    fn typing_call(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<Value<'a>> {
        let first = || arguments.first().cloned();
        Some(match path {
            "builtins.staticmethod" => Value::Wrapped(Rc::new(first()?), MethodKind::Static),
            "builtins.classmethod" => Value::Wrapped(Rc::new(first()?), MethodKind::Class),
            "builtins.property" if arguments.len() == 1 && keywords.is_empty() => {
                property("property", first()?)
            }
            "builtins.property"
                if let ([getter @ Value::Function(_), setter @ Value::Function(_)], true) =
                    (arguments, keywords.is_empty()) =>
            {
                let parts = [("fget", getter), ("fset", setter)];
                let parts = parts.map(|(name, part)| (name.into(), part.clone()));
                Value::object(None, "property", parts.to_vec())
            }
            "builtins.property" => {
                self.lose_arguments(arguments, keywords, "a property may change it");
                Value::opaque("property")
            }
            "copy.copy" => match arguments {
                [Value::List(items)] => Value::list(items.to_vec()),
                [Value::Set(items)] => Value::set(items.to_vec()),
                [value] if self.factory_of(value).is_some() => return None,
                [Value::Dict(entries)] => Value::dict(entries.to_vec()),
                [value @ Value::Tuple(_)] => value.clone(),
                _ => return None,
            },
            "copy.deepcopy" => match arguments {
                [value] if value.is_constant() && self.defaults.borrow().is_empty() => {
                    value.copied()
                }
                _ => return None,
            },
            "dataclasses.dataclass" => self.dataclass_decorator(arguments, keywords, false),
            "dataclasses.field"
                if keyword(keywords, "default").is_some()
                    && keyword(keywords, "default_factory").is_some() =>
            {
                self.note_possible_error("a field has a default and a default factory");
                self.unknown("a field with both defaults")
            }
            "dataclasses.field" => {
                Value::Field(Rc::new(FieldInfo { keywords: keywords.clone(), is_pydantic: false }))
            }
            "enum.auto" => Value::Auto(Rc::new(())),
            "typing.NewType" => Value::of_type(Type::Named(as_type(arguments.get(1)?.clone()))),
            "typing.TypeVar"
                if arguments.len() == 2
                    || (arguments.len() > 1 && keyword(keywords, "bound").is_some()) =>
            {
                self.note_possible_error("the constraints of a type variable are refused");
                self.unknown("a type variable with odd constraints")
            }
            "typing.TypeVar" => Value::of_type(Type::Variable {
                bound: keyword(keywords, "bound").cloned().map(as_type),
                constraints: arguments.iter().skip(1).cloned().map(as_type).collect(),
            }),
            "typing.TypeAliasType" => Value::of_type(Type::Alias {
                name: first()?.as_str()?.into(),
                module: Rc::clone(&self.scope_here().module.name),
                value: arguments.get(1)?.clone(),
            }),
            "typing.cast" => arguments.get(1)?.clone(),
            "collections.namedtuple" => self.named_tuple(arguments, keywords),
            "enum.Enum" | "enum.IntEnum" | "enum.StrEnum"
                if arguments.get(1).is_some_and(|members| is_odd_enum(path, members)) =>
            {
                self.note_possible_error("the members of an enum may be refused");
                self.unknown("an enum with odd members")
            }
            "enum.Enum" | "enum.IntEnum" | "enum.StrEnum" if arguments.len() > 1 => {
                self.functional_enum(path, arguments, keywords)
            }
            "enum.unique"
            | "typing.final"
            | "typing.runtime_checkable"
            | "functools.total_ordering" => match arguments {
                [value @ Value::Class(_)] => value.clone(),
                _ => return None,
            },
            "builtins.object" if !arguments.is_empty() => return None,
            // An object that is certainly there and certainly has no JSON form.
            "types.SimpleNamespace" | "builtins.object" => Value::opaque("an object"),
            "logging.getLogger" => Value::opaque("a logger"),
            _ => return None,
        })
    }

    fn builtin(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<Value<'a>> {
        if name == "dict" {
            return Self::dictionary_of(arguments, keywords);
        }
        if !keywords.is_empty() {
            return None;
        }
        Some(match (name, arguments) {
            ("str", []) => Value::text(""),
            ("int", []) => Value::int(0),
            ("int", [Value::Int(_)]) => arguments.first()?.clone(),
            ("int", [Value::Bool(truth)]) => Value::int(i128::from(*truth)),
            ("int", [Value::Str(text)]) => {
                Value::Int(Int::parse(text.trim()).filter(|_| is_decimal(text.trim()))?)
            }
            ("int", [Value::Float(float)]) if float.abs() < LARGEST_WHOLE => {
                Value::Int(Int::parse_signed(&format!("{}", float.trunc()))?)
            }
            ("float", []) => Value::Float(0.0),
            ("float", [value]) => Value::Float(float_of(value)?),
            ("bool", [value]) => Value::Bool(Self::truth(value)?),
            ("complex", [real, imaginary]) => Value::Complex(float_of(real)?, float_of(imaginary)?),
            ("abs", [Value::Int(Int::Small(number))]) => Value::int(number.checked_abs()?),
            ("abs", [Value::Float(number)]) => Value::Float(number.abs()),
            ("bytearray" | "bytes", [Value::Bytes(bytes)]) => Value::Bytes(Rc::clone(bytes)),
            ("print", _) => Value::None,
            _ => return self.of_items(name, arguments),
        })
    }

    fn dictionary_of(arguments: &[Value<'a>], keywords: &Keywords<'a>) -> Option<Value<'a>> {
        let mut entries = match arguments {
            [] => Vec::new(),
            [Value::Dict(entries)] => entries.to_vec(),
            [Value::List(items) | Value::Tuple(items) | Value::View(items)] => {
                let mut entries = Vec::new();
                for item in items.iter() {
                    let (Value::Tuple(pair) | Value::List(pair)) = item else { return None };
                    let [key, value] = &pair[..] else { return None };
                    Self::put(&mut entries, key.clone(), value.clone());
                }
                entries
            }
            _ => return None,
        };
        if keyword(keywords, "**").is_some() {
            return None;
        }
        for (name, value) in keywords {
            Self::put(&mut entries, Value::Str(Rc::clone(name)), value.clone());
        }
        Some(Value::dict(entries))
    }

    fn other(path: &str, arguments: &[Value<'a>], keywords: &Keywords<'a>) -> Option<Value<'a>> {
        if !keywords.is_empty() {
            return None;
        }
        let strings: Option<Vec<&str>> = arguments.iter().map(Value::as_str).collect();
        Some(match (path, strings.as_deref(), arguments) {
            ("collections.OrderedDict", _, _) => Self::dictionary_of(arguments, keywords)?,
            ("textwrap.dedent", Some([text]), _) => Value::text(crate::docstring::dedent(text)),
            ("inspect.cleandoc", Some([text]), _) => Value::text(crate::docstring::clean(text)),
            ("os.path.join", Some([first, rest @ ..]), _) => {
                let mut joined = (*first).to_owned();
                for part in rest {
                    if part.starts_with('/') {
                        joined.clear();
                    } else if !joined.is_empty() && !joined.ends_with('/') {
                        joined.push('/');
                    }
                    joined.push_str(part);
                }
                Value::text(joined)
            }
            ("os.path.basename", Some([path]), _) => {
                Value::text(path.rsplit('/').next().unwrap_or_default())
            }
            ("math.floor", _, [Value::Float(number)]) if number.abs() < LARGEST_WHOLE => {
                Value::Int(Int::parse_signed(&format!("{}", number.floor()))?)
            }
            ("math.ceil", _, [Value::Float(number)]) if number.abs() < LARGEST_WHOLE => {
                Value::Int(Int::parse_signed(&format!("{}", number.ceil()))?)
            }
            ("math.sqrt", _, [number]) => {
                let root = float_of(number)?;
                (root >= 0.0).then(|| Value::Float(root.sqrt()))?
            }
            _ => return None,
        })
    }
}

impl Int {
    /// Reads decimal digits with a sign.
    fn parse_signed(text: &str) -> Option<Self> {
        match text.strip_prefix('-') {
            Some(digits) => Int::parse(digits)?.negated(),
            None => Int::parse(text),
        }
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.as_bytes();
    !digits.is_empty()
        && digits.iter().all(u8::is_ascii_digit)
        && (digits.len() == 1 || !text.starts_with('0'))
}

fn float_of(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Float(float) => Some(*float),
        Value::Int(int) => Some(int.to_float()),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::Str(text) => {
            // Python also takes underscores between digits; such a text is left unknown.
            let text = text.trim().to_ascii_lowercase();
            let is_named =
                matches!(text.trim_start_matches(['+', '-']), "inf" | "infinity" | "nan");
            let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.e".contains(&b));
            (is_named || is_plain).then(|| text.parse().ok())?
        }
        _ => None,
    }
}

/// Constants of the standard library.
fn library<'a>(path: &str, arguments: &[Value<'a>], keywords: &Keywords<'a>) -> Option<StdValue> {
    match path {
        "datetime.timedelta" => timedelta(arguments, keywords),
        "datetime.date" => {
            let [year, month, day] = integers(arguments, keywords, ["year", "month", "day"])?;
            Some(StdValue::Date(Date::new(year?, month?, day?)?))
        }
        "datetime.datetime" => date_and_time(arguments, keywords),
        "datetime.time" => {
            let (rest, offset) = split_zone(keywords)?;
            let names = ["hour", "minute", "second", "microsecond"];
            let parts = integers(arguments, &rest, names)?;
            Some(StdValue::Time(Time::new(parts.map(|part| part.unwrap_or(0)), offset)?))
        }
        _ if !keywords.is_empty() && path != "uuid.UUID" => None,
        "datetime.date.fromisoformat" => Date::parse(only_text(arguments)?).map(StdValue::Date),
        "datetime.timezone" => match arguments {
            [Value::Std(StdValue::Delta(delta))] if delta % 60_000_000 == 0 => {
                Some(StdValue::Zone(i64::try_from(delta / 60_000_000).ok()?))
            }
            _ => None,
        },
        "decimal.Decimal" => decimal(arguments),
        "fractions.Fraction" => fraction(arguments),
        "uuid.UUID" => uuid(arguments, keywords),
        "pathlib.Path" | "pathlib.PosixPath" => path_of(arguments, PathKind::Path),
        "pathlib.PurePath" | "pathlib.PurePosixPath" => path_of(arguments, PathKind::Pure),
        "re.compile" => match arguments {
            [Value::Str(pattern)] if is_plain_pattern(pattern) => {
                Some(StdValue::Regex(Rc::clone(pattern)))
            }
            _ => None,
        },
        "zoneinfo.ZoneInfo" => zone_info(only_text(arguments)?),
        _ => address(path, only_text(arguments)?),
    }
}

fn only_text<'v>(arguments: &'v [Value<'_>]) -> Option<&'v str> {
    match arguments {
        [Value::Str(text)] => Some(text),
        _ => None,
    }
}

/// Whole numbers given by position or name; the outer `None` if something else is given.
fn integers<'a, const N: usize>(
    arguments: &[Value<'a>],
    keywords: &Keywords<'a>,
    names: [&str; N],
) -> Option<[Option<i64>; N]> {
    let is_known = keywords.iter().all(|(name, _)| names.contains(&&**name));
    if arguments.len() > N || !is_known {
        return None;
    }
    let mut numbers = [None; N];
    for (at, (number, name)) in numbers.iter_mut().zip(names).enumerate() {
        if let Some(value) = arguments.get(at).or_else(|| keyword(keywords, name)) {
            *number = Some(as_index(value)?);
        }
    }
    Some(numbers)
}

fn timedelta<'a>(arguments: &[Value<'a>], keywords: &Keywords<'a>) -> Option<StdValue> {
    let units = ["days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"];
    let positional = units.iter().copied().zip(arguments);
    let by_name = keywords.iter().map(|(name, value)| (&**name, value));
    let mut total: i128 = 0;
    for (name, value) in positional.chain(by_name) {
        let unit = StdValue::unit(name)?;
        let part = match value {
            Value::Int(int) => unit.checked_mul(int.small()?)?,
            Value::Float(float) => halves(unit, *float)?,
            _ => return None,
        };
        total = total.checked_add(part)?;
    }
    let is_in_range = total.unsigned_abs() < 86_400_000_000 * 999_999_999;
    (is_in_range && arguments.len() <= units.len()).then_some(StdValue::Delta(total))
}

/// `count` units in microseconds, where it comes out even. Python rounds half to even at the last
/// microsecond, which is not imitated.
fn halves(unit: i128, count: f64) -> Option<i128> {
    for parts in [1_i128, 2, 4, 5, 8, 10, 20, 50, 100, 1000] {
        let whole = count * float_of(&Value::int(parts))?;
        if whole.fract() == 0.0 && whole.abs() < 1e12 && unit % parts == 0 {
            let whole = Int::parse_signed(&float_repr(whole).replace(".0", ""))?.small()?;
            return whole.checked_mul(unit / parts);
        }
    }
    None
}

fn split_zone<'a>(keywords: &Keywords<'a>) -> Option<(Keywords<'a>, Option<i64>)> {
    let offset = match keyword(keywords, "tzinfo") {
        None | Some(Value::None) => None,
        Some(Value::Std(StdValue::Zone(offset))) => Some(*offset),
        Some(_) => return None,
    };
    let mut rest = keywords.clone();
    rest.retain(|(name, _)| &**name != "tzinfo");
    Some((rest, offset))
}

fn date_and_time<'a>(arguments: &[Value<'a>], keywords: &Keywords<'a>) -> Option<StdValue> {
    let (mut rest, mut offset) = split_zone(keywords)?;
    let mut arguments = arguments;
    if let [first @ .., Value::Std(StdValue::Zone(zone))] = arguments
        && first.len() == 7
    {
        (arguments, offset) = (first, Some(*zone));
    }
    if rest.is_empty() {
        set_keyword(&mut rest, "microsecond", Value::int(0));
        if arguments.len() == 7 {
            rest.clear();
        }
    }
    let names = ["year", "month", "day", "hour", "minute", "second", "microsecond"];
    let [year, month, day, time @ ..] = integers(arguments, &rest, names)?;
    let date = Date::new(year?, month?, day?)?;
    Some(StdValue::DateTime(date, Time::new(time.map(|part| part.unwrap_or(0)), offset)?))
}

/// `Decimal` of what it prints unchanged.
fn decimal(arguments: &[Value<'_>]) -> Option<StdValue> {
    let text = match arguments {
        [Value::Str(text)] => text.trim().to_owned(),
        [Value::Int(int)] => int.to_string(),
        [] => "0".to_owned(),
        _ => return None,
    };
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty()
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
        && !digits.ends_with('.');
    // `str(Decimal("0.0000001"))` is `1E-7`: from seven places on Python writes an exponent.
    let zeros = fraction.bytes().take_while(|byte| *byte == b'0').count();
    let is_plain = zeros < 6 || whole.bytes().any(|byte| byte != b'0');
    if !is_number || !is_plain {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(StdValue::Decimal(format!("{sign}{whole}{point}{fraction}").into()))
}

fn fraction(arguments: &[Value<'_>]) -> Option<StdValue> {
    let (numerator, denominator) = match arguments {
        [Value::Int(numerator)] => (numerator.small()?, 1),
        [Value::Int(numerator), Value::Int(denominator)] => {
            (numerator.small()?, denominator.small()?)
        }
        [Value::Str(text)] => {
            let (numerator, denominator) = text.split_once('/')?;
            (numerator.parse().ok()?, denominator.parse().ok()?)
        }
        _ => return None,
    };
    if denominator == 0 {
        return None;
    }
    // Python keeps fractions in lowest terms.
    let (mut left, mut right) = (numerator.checked_abs()?, denominator.checked_abs()?);
    while right != 0 {
        (left, right) = (right, left % right);
    }
    let divisor = left.max(1) * denominator.signum();
    Some(StdValue::Fraction(numerator / divisor, denominator / divisor))
}

fn uuid<'a>(arguments: &[Value<'a>], keywords: &Keywords<'a>) -> Option<StdValue> {
    let digits = match (arguments, keywords.as_slice()) {
        ([Value::Str(text)], []) => {
            let text = text.replace("urn:", "").replace("uuid:", "");
            text.trim_matches(['{', '}']).replace('-', "").to_ascii_lowercase()
        }
        ([], [(name, Value::Int(int))]) if &**name == "int" => {
            format!("{:032x}", u128::try_from(int.small()?).ok()?)
        }
        _ => return None,
    };
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut text = digits;
    // From the back, so that each position still counts digits only.
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    Some(StdValue::Uuid(text.into()))
}

fn path_of(arguments: &[Value<'_>], kind: PathKind) -> Option<StdValue> {
    let parts: Option<Vec<&str>> = arguments
        .iter()
        .map(|part| match part {
            Value::Str(text) | Value::Std(StdValue::Path(text, _)) => Some(&**text),
            _ => None,
        })
        .collect();
    Some(StdValue::Path(join_path(&parts?).into(), kind))
}

fn zone_info(name: &str) -> Option<StdValue> {
    const REGIONS: &[&str] = &[
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
        "Etc",
    ];
    // Which zones there are depends on the machine's database. A name in one of these regions
    // is taken for one of them.
    let is_region = name.split_once('/').is_some_and(|(region, _)| REGIONS.contains(&region));
    (is_region || matches!(name, "UTC" | "GMT")).then(|| StdValue::ZoneInfo(name.into()))
}

fn address(path: &str, text: &str) -> Option<StdValue> {
    let v4 = |text: &str| text.parse::<Ipv4Addr>().ok();
    let v6 = |text: &str| {
        // Addresses with an embedded IPv4 one are written differently by Python.
        let printed = text.parse::<Ipv6Addr>().ok()?.to_string();
        (!printed.contains('.')).then_some(printed)
    };
    let class = match path {
        "ipaddress.IPv4Address" | "ipaddress.ip_address" if v4(text).is_some() => {
            "ipaddress.IPv4Address"
        }
        "ipaddress.IPv6Address" | "ipaddress.ip_address" => {
            return Some(StdValue::Address("ipaddress.IPv6Address", v6(text)?.into()));
        }
        "ipaddress.IPv4Network" | "ipaddress.ip_network" => {
            let (base, prefix) = text.split_once('/').unwrap_or((text, "32"));
            let (base, prefix) = (v4(base)?, prefix.parse::<u32>().ok()?);
            // A network with bits set behind its prefix raises `ValueError`.
            let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
            let is_network = prefix <= 32 && base.to_bits() & host == 0;
            let printed = format!("{base}/{prefix}");
            return is_network.then(|| StdValue::Address("ipaddress.IPv4Network", printed.into()));
        }
        _ => return None,
    };
    Some(StdValue::Address(class, text.into()))
}
