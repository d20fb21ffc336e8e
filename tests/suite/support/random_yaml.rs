//! Documents for the comparison with PyYAML.

use super::random_flows::Random;

const SCALARS: &[&str] = &[
    "a",
    "b",
    "key",
    "1",
    "yes",
    "No",
    "\"q\"",
    "'s'",
    "x y",
    "~",
    "*a",
    "*n0",
    "*n1",
    "&a z",
    "!!str 1",
    "!!int '7'",
    "a:b",
    "a#b",
    "\"a\\n b\"",
    "- ",
    "-x",
    "?x",
    ":x",
    "a, b",
    "[]",
    "{}",
    "2024-01-01",
    "2024-01-01 10:00:00 +01:00",
    "\"multi\n  line\"",
    "p\n  q",
    "%x",
    "@x",
    "`",
    "a: b",
    "|\n  lit\n  x",
    ">-\n  f\n\n  g",
    "|+\n  k\n\n",
    "\"a\" b",
    "http://x/y?z",
    "!vault x",
    "{{ a.b }}",
    "\"{{ x }}\"",
    "$X",
    "a]",
    "a}",
    "it's",
    "é",
    "\"é\\u1234\"",
    "0x1F",
    "1:30",
    "1e3",
    ".5",
    "1_000",
    "010",
    "<<: *a",
    "<<: *n0",
    "# c",
    "*n0 ",
    "! 12",
    "null",
    ".inf",
    "!!seq",
    "=",
];
const SIGNS: &[&str] = &[
    "a", "b", "1", ":", "-", " ", "\n", "\n  ", " ", ",", "[", "]", "{", "}", "?", "#", "&", "*",
    "!", "|", ">", "'", "\"", "%", "@", "\\", "~", "<", ".", "=", "+", "_", "\n  ", "\n- ", ": ",
    "- ", "é", "---\n", "<<: ", "...\n", "\r\n", "\r", "\u{85}", "!!", "!a,", "\t",
];
const NUMBERS: &[&str] = &[
    "0", "1", "5", "6", "7", "9", "12", "30", "_", ":", ".", "+", "-", "e", "E", "x", "o", "b",
    "f", "F", "0x", "0b", "0o", "2024", "-01", "-1", "T", "t", " ", ":00", "Z", "inf", "nan", "~",
    "n",
];
const WORDS: &[&str] = &[
    "yes", "no", "true", "false", "on", "off", "null", "y", "n", "inf", ".inf", "nan", ".nan", "<<",
];
const TAGS: &[&str] = &[
    "str",
    "int",
    "float",
    "bool",
    "null",
    "timestamp",
    "seq",
    "map",
    "omap",
    "pairs",
    "set",
    "binary",
    "merge",
    "value",
];

/// A document of one of several kinds: in good order, changed in a few places, of signs alone, or
/// one scalar.
pub(crate) fn document(random: &mut Random) -> Vec<u8> {
    let text = match random.below(10) {
        0..=2 => ordered(random),
        3..=5 => changed(random),
        6..=7 => (0..=random.below(14)).map(|_| random.pick(SIGNS)).collect(),
        _ => scalar(random),
    };
    text.into_bytes()
}

fn ordered(random: &mut Random) -> String {
    let start =
        random.pick(&["", "", "", "---\n", "--- ", "%YAML 1.1\n---\n", "# c\n", "\u{feff}"]);
    let end = random.pick(&["", "\n", "\n", "\n...\n", "\n# x\n", "\n...\n# x", "\n  "]);
    format!("{start}{}{end}", node(random, 3, 0).trim_start_matches('\n'))
}

fn changed(random: &mut Random) -> String {
    let mut chars: Vec<String> = ordered(random).chars().map(String::from).collect();
    for _ in 0..=random.below(2) {
        let place = random.below(chars.len() + 1);
        if random.chance(50) && place < chars.len() {
            chars.remove(place);
        } else {
            chars.insert(place, random.pick(SIGNS).to_owned());
        }
    }
    chars.concat()
}

fn scalar(random: &mut Random) -> String {
    let text: String = if random.chance(20) {
        let word = random.pick(WORDS);
        match random.below(4) {
            0 => word.to_uppercase(),
            1 => word[..1].to_uppercase() + &word[1..],
            2 => format!("{}{word}", random.pick(&["+", "-", "."])),
            _ => word.to_owned(),
        }
    } else {
        (0..=random.below(6)).map(|_| random.pick(NUMBERS)).collect()
    };
    let quote = random.pick(&["", "", "", "'", "\""]);
    let tag = if random.chance(30) { format!("!!{} ", random.pick(TAGS)) } else { String::new() };
    match random.below(4) {
        0 => format!("{tag}{quote}{text}{quote}\n"),
        1 => format!("- {tag}{quote}{text}{quote}\n"),
        2 => format!("[{tag}{quote}{text}{quote}]\n"),
        _ => format!("{quote}{text}{quote}: x\n1: y\nyes: z\n1.0: w\n"),
    }
}

fn node(random: &mut Random, depth: usize, indent: usize) -> String {
    if depth == 0 || random.chance(35) {
        return random.pick(SCALARS).to_owned();
    }
    if random.chance(25) {
        let items: Vec<String> = (0..random.below(4)).map(|_| node(random, 0, indent)).collect();
        return format!("[{}{}]", items.join(", "), random.pick(&["", ",", ""]));
    }
    if random.chance(20) {
        let items: Vec<String> = (0..random.below(4))
            .map(|_| {
                let key = node(random, 0, indent);
                let colon = random.pick(&[": ", ": ", ":", "? "]);
                let depth = if random.chance(30) { depth - 1 } else { 0 };
                format!("{key}{colon}{}", node(random, depth, indent))
            })
            .collect();
        return format!("{{{}}}", items.join(", "));
    }
    let line = format!("\n{}", " ".repeat(indent));
    let anchor = match random.below(4) {
        0 => format!(" &n{}", random.below(4)),
        1 => random.pick(&[" # c", "", " !!map", " !!omap"]).to_owned(),
        _ => String::new(),
    };
    let parts: String = (0..=random.below(3))
        .map(|number| {
            if random.chance(70) {
                let key = match random.below(6) {
                    0 => random.pick(SCALARS).to_owned(),
                    1 => "<<".to_owned(),
                    _ => format!("k{number}"),
                };
                let colon = random.pick(&[": ", ": ", ": ", ":", " : "]);
                let deeper = indent + random.pick(&[2, 2, 2, 0, 1, 3]);
                format!("{line}{key}{colon}{}", node(random, depth - 1, deeper))
            } else {
                let dash = random.pick(&["- ", "- ", "-", "-  "]);
                let deeper = indent + random.pick(&[2, 2, 0, 4]);
                format!("{line}{dash}{}", node(random, depth - 1, deeper))
            }
        })
        .collect();
    format!("{anchor}{parts}")
}
