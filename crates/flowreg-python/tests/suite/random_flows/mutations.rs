//! Mutations of sources: broken bytes, lines and tokens, two files in one, and bombs: little
//! text that means a lot of work or memory to whoever evaluates it.

use super::hazards::{line, lines};
use super::random::Random;

/// Expressions that are large, long or deep.
const EXPRESSIONS: &str = include_str!("bombs/expressions.txt");
/// Statements that never end, double themselves or refer to themselves.
const STATEMENTS: &str = include_str!("bombs/statements.txt");

/// What opens, holds and closes one level of nesting.
const NESTING: &[(&str, &str, &str)] = &[
    ("(", "1", ")"),
    ("[", "", "]"),
    ("{1: ", "2", "}"),
    ("-", "1", ""),
    ("not ", "1", ""),
    ("lambda: ", "1", ""),
    ("1 + ", "1", ""),
    ("x.", "y", ""),
    ("f'{", "1", "}'"),
    ("(1 if ", "1", " else 2)"),
    ("list[", "int", "]"),
    ("Optional[", "int", "]"),
    ("int | ", "str", ""),
    ("f(", "1", ")"),
    ("[*", "[]", "]"),
    ("{**", "{}", "}"),
    ("1 < ", "2", ""),
    ("\"a\" ", "\"b\"", ""),
    ("[x for x in ", "y", "]"),
    ("(x := ", "1", ")"),
    ("await ", "x", ""),
    ("1 ** ", "1", ""),
    ("", "a", "[0]"),
    ("", "a", ".b"),
    ("", "a", "()"),
    ("", "a", ".strip()"),
];

/// Each bomb in a small source: as a constant that a flow uses, as a default, in an f-string.
pub(crate) fn bombs() -> Vec<String> {
    let header = "import datetime, fractions, math, re\nfrom collections import namedtuple\n\
                  from datetime import date, datetime, timedelta, timezone\nfrom decimal import \
                  Decimal\nfrom enum import Enum\nfrom pathlib import Path\nfrom typing import \
                  Literal\nfrom uuid import UUID\n\nfrom prefect import flow\nfrom pydantic import \
                  Field\n\n";
    let flow = "@flow\ndef bombed(x=V, y=(V, V), z=f\"{V}\"): ...\n";
    let expressions = lines(EXPRESSIONS);
    let statements = lines(STATEMENTS);
    let constants = expressions.iter().map(|bomb| format!("{header}V = {bomb}\n{flow}"));
    let defaults =
        expressions.iter().map(|bomb| format!("{header}@flow\ndef bombed(x={bomb}): ...\n"));
    let names = expressions
        .iter()
        .map(|bomb| format!("{header}@flow(name=str({bomb}))\ndef bombed(x: int): ...\n"));
    let statements = statements.iter().map(|bomb| format!("{header}{bomb}\n{flow}"));
    constants.chain(defaults).chain(names).chain(statements).collect()
}

pub(crate) struct Mutator<'r> {
    pub random: &'r mut Random,
    pub sources: &'r [Vec<u8>],
}

impl Mutator<'_> {
    /// A source with a few mutations.
    pub(crate) fn source(&mut self) -> Vec<u8> {
        let mut source = self.any();
        for _ in 0..=self.random.below(4) {
            source = self.mutated(source);
        }
        // Mutations of mutations grow without end; nobody's flow file is larger.
        source.truncate(1 << 20);
        source
    }

    fn any(&mut self) -> Vec<u8> {
        self.sources[self.random.below(self.sources.len())].clone()
    }

    fn mutated(&mut self, source: Vec<u8>) -> Vec<u8> {
        match self.random.below(20) {
            0 => self.flipped(source),
            1 => self.inserted(source),
            2..5 => self.lines_moved(&source),
            5..8 => self.tokens_moved(&source),
            8 => self.spliced(&source),
            9 => source[..self.random.below(source.len() + 1)].to_vec(),
            10..14 => self.with_bomb(&source),
            14..18 => self.with_statement(&source),
            _ => self.with_nesting(&source),
        }
    }

    fn flipped(&mut self, mut source: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.random.below(8) {
            if !source.is_empty() {
                let at = self.random.below(source.len());
                source[at] ^= 1 << self.random.below(8);
            }
        }
        source
    }

    fn inserted(&mut self, mut source: Vec<u8>) -> Vec<u8> {
        let long = "x".repeat(100_000);
        let wide = "é😀".repeat(20_000);
        let pieces: &[&[u8]] = &[
            b"\0",
            b"\xff\xfe",
            b"\xed\xa0\x80",
            b"\xf0\x9f",
            b"\r",
            b"\x0c",
            b"\xef\xbb\xbf",
            b"# -*- coding: latin-1 -*-\n",
            b"\\\n",
            b"\"\"\"",
            long.as_bytes(),
            wide.as_bytes(),
        ];
        let piece = self.random.pick(pieces);
        let at = self.random.below(source.len() + 1);
        source.splice(at..at, piece.iter().copied());
        source
    }

    fn lines_moved(&mut self, source: &[u8]) -> Vec<u8> {
        let mut lines: Vec<&[u8]> = source.split(|byte| *byte == b'\n').collect();
        self.moved(&mut lines);
        lines.join(&b'\n')
    }

    fn tokens_moved(&mut self, source: &[u8]) -> Vec<u8> {
        let mut tokens = tokens(source);
        self.moved(&mut tokens);
        tokens.concat()
    }

    fn moved(&mut self, pieces: &mut Vec<&[u8]>) {
        for _ in 0..=self.random.below(3) {
            if pieces.is_empty() {
                return;
            }
            let one = self.random.below(pieces.len());
            let other = self.random.below(pieces.len());
            match self.random.below(5) {
                0 => drop(pieces.remove(one)),
                1 => pieces.insert(other, pieces[one]),
                2 => pieces.swap(one, other),
                3 => drop(pieces.drain(one.min(other)..(one.min(other) + 5).min(pieces.len()))),
                _ => {
                    let repeated = vec![pieces[one]; 1 + self.random.below(300)];
                    pieces.splice(other..other, repeated);
                }
            }
        }
    }

    fn spliced(&mut self, source: &[u8]) -> Vec<u8> {
        let other = self.any();
        let end = self.random.below(source.len() + 1);
        let start = self.random.below(other.len() + 1);
        [&source[..end], &other[start..]].concat()
    }

    /// An expression in the place of one that follows a `=`.
    fn with_bomb(&mut self, source: &[u8]) -> Vec<u8> {
        let bomb = line(self.random, EXPRESSIONS);
        self.with_expression(source, &bomb)
    }

    fn with_nesting(&mut self, source: &[u8]) -> Vec<u8> {
        let (open, inner, close) = self.random.pick(NESTING);
        let depth = self.random.pick(&[10, 50, 100, 200, 1000, 20_000]);
        let nested = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
        self.with_expression(source, &nested)
    }

    fn with_expression(&mut self, source: &[u8], expression: &str) -> Vec<u8> {
        let signs: Vec<usize> =
            (0..source.len()).filter(|at| b"=:".contains(&source[*at])).collect();
        if signs.is_empty() {
            return [source, b"\nV = ", expression.as_bytes(), b"\n"].concat();
        }
        let start = signs[self.random.below(signs.len())] + 1;
        let ends = b",)\n]";
        let end =
            (start..source.len()).find(|at| ends.contains(&source[*at])).unwrap_or(source.len());
        [&source[..start], b" ", expression.as_bytes(), &source[end..]].concat()
    }

    /// A statement between two others, and a flow that uses what it makes.
    fn with_statement(&mut self, source: &[u8]) -> Vec<u8> {
        let statement = line(self.random, STATEMENTS);
        let starts: Vec<usize> = (1..source.len())
            .filter(|at| source[at - 1] == b'\n' && !source[*at].is_ascii_whitespace())
            .collect();
        let at = if starts.is_empty() { 0 } else { starts[self.random.below(starts.len())] };
        let flow = if self.random.chance(70) {
            "\n\nfrom prefect import flow\n\n\n@flow\ndef bombed(x=V, y: \"V\" = None): ...\n"
        } else {
            ""
        };
        let imports = "from prefect import flow\n";
        [
            &source[..at],
            imports.as_bytes(),
            statement.as_bytes(),
            b"\n",
            &source[at..],
            flow.as_bytes(),
        ]
        .concat()
    }
}

/// Words, spaces and single signs.
fn tokens(source: &[u8]) -> Vec<&[u8]> {
    let kind = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => 0,
        b' ' => 1,
        _ => 2,
    };
    source.chunk_by(|one, other| kind(*one) == kind(*other) && kind(*one) != 2).collect()
}
