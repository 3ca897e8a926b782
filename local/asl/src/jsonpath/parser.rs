//! From text to [`Path`].

use super::filter::{Comparison, Filter, Operand, Pattern};
use super::{Function, InvalidPath, Path, Root, Segment};
use crate::limits::NESTING_MAX;

pub(super) fn parse(text: &str) -> Result<Path, InvalidPath> {
    let mut parser = Parser { rest: text, depth: 0 };
    let path = parser.path(text, PathIn::Field)?;
    match parser.rest.chars().next() {
        None => Ok(path),
        Some(c) => Err(InvalidPath(format!("unexpected character '{c}'"))),
    }
}

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

/// Where a path stands decides what ends it.
#[derive(Clone, Copy, PartialEq)]
enum PathIn {
    Field,
    Filter,
}

impl<'t> Parser<'t> {
    fn path(&mut self, text: &str, place: PathIn) -> Result<Path, InvalidPath> {
        let start = self.rest;
        let root = self.root(place)?;
        let segments = self.segments(place)?;
        let end = start.len() - self.rest.len();
        let text = if place == PathIn::Field { text } else { start.get(..end).unwrap_or_default() };
        Ok(Path { text: text.into(), root, segments })
    }

    fn root(&mut self, place: PathIn) -> Result<Root, InvalidPath> {
        if place == PathIn::Filter && self.eat("@") {
            return Ok(Root::Input);
        }
        if !self.eat("$") {
            return Err(InvalidPath("a path starts with '$'".to_owned()));
        }
        if place == PathIn::Field && self.eat("$") {
            return Ok(Root::Context);
        }
        let name: usize = self.rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
        match self.rest.chars().next() {
            Some(first) if name > 0 && !first.is_numeric() => Ok(Root::Variable(self.take(name).into())),
            _ => Ok(Root::Input),
        }
    }

    fn segments(&mut self, place: PathIn) -> Result<Vec<Segment>, InvalidPath> {
        let mut segments = Vec::new();
        loop {
            let descend = self.eat("..");
            let segment = if self.rest.starts_with('[') {
                self.bracket()?
            } else if descend || self.eat(".") {
                self.dotted(place)?
            } else {
                return Ok(segments);
            };
            let last = matches!(segment, Segment::Function(_));
            segments.push(if descend && !last { Segment::Descend(Box::new(segment)) } else { segment });
            if last {
                return Ok(segments);
            }
        }
    }

    /// What follows a dot: a name, `*`, or a function call.
    fn dotted(&mut self, place: PathIn) -> Result<Segment, InvalidPath> {
        if self.eat("*") {
            return Ok(Segment::Wildcard);
        }
        let is_operator = |c: char| matches!(c, '=' | '!' | '<' | '>' | '~' | '&' | '|');
        let ends = |c: char| {
            matches!(c, '.' | '[' | ']' | '(' | ')' | ',' | '\'' | '"')
                || c.is_whitespace()
                || (place == PathIn::Filter && is_operator(c))
        };
        let length = self.rest.find(ends).unwrap_or(self.rest.len());
        if length == 0 {
            return Err(InvalidPath("a name is missing after '.'".to_owned()));
        }
        let name = self.take(length);
        if !self.eat("(") {
            return Ok(Segment::Name(name.into()));
        }
        let argument = self.rest.find(')').ok_or_else(|| InvalidPath("')' is missing".to_owned()))?;
        let argument = self.take(argument).trim();
        self.eat(")");
        let function = match (name, argument) {
            ("min", "") => Function::Min,
            ("max", "") => Function::Max,
            ("avg", "") => Function::Avg,
            ("stddev", "") => Function::StdDev,
            ("sum", "") => Function::Sum,
            ("length" | "size", "") => Function::Length,
            ("keys", "") => Function::Keys,
            ("first", "") => Function::First,
            ("last", "") => Function::Last,
            ("index", argument) if argument.parse::<i64>().is_ok() => Function::Index(argument.parse().unwrap_or(0)),
            _ => return Err(InvalidPath(format!("no function '{name}({argument})'"))),
        };
        Ok(Segment::Function(function))
    }

    fn bracket(&mut self) -> Result<Segment, InvalidPath> {
        self.eat("[");
        self.blanks();
        let segment = if self.eat("*") {
            Segment::Wildcard
        } else if self.eat("?") {
            self.blanks();
            self.expect("(")?;
            let filter = self.filter()?;
            self.expect(")")?;
            Segment::Filter(Box::new(filter))
        } else if self.rest.starts_with(['\'', '"']) {
            self.names()?
        } else {
            self.numbers()?
        };
        self.blanks();
        self.expect("]")?;
        Ok(segment)
    }

    fn names(&mut self) -> Result<Segment, InvalidPath> {
        let mut names = vec![self.quoted()?.into_boxed_str()];
        while self.comma() {
            names.push(self.quoted()?.into_boxed_str());
        }
        Ok(match <[Box<str>; 1]>::try_from(names) {
            Ok([name]) => Segment::Name(name),
            Err(names) => Segment::Names(names),
        })
    }

    fn numbers(&mut self) -> Result<Segment, InvalidPath> {
        let first = self.integer();
        self.blanks();
        if self.eat(":") {
            self.blanks();
            return Ok(Segment::Slice(first, self.integer()));
        }
        let missing = || InvalidPath("an index is missing in '[]'".to_owned());
        let mut indices = vec![first.ok_or_else(missing)?];
        while self.comma() {
            indices.push(self.integer().ok_or_else(missing)?);
        }
        Ok(match indices.as_slice() {
            [index] => Segment::Index(*index),
            _ => Segment::Indices(indices),
        })
    }

    fn filter(&mut self) -> Result<Filter, InvalidPath> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(InvalidPath("the filter nests too deep".to_owned()));
        }
        let mut any = vec![self.conjunction()?];
        while self.eat("||") {
            any.push(self.conjunction()?);
        }
        self.depth -= 1;
        Ok(Filter::Any(any))
    }

    fn conjunction(&mut self) -> Result<Filter, InvalidPath> {
        let mut all = vec![self.condition()?];
        self.blanks();
        while self.eat("&&") {
            all.push(self.condition()?);
            self.blanks();
        }
        Ok(Filter::All(all))
    }

    fn condition(&mut self) -> Result<Filter, InvalidPath> {
        self.blanks();
        if self.eat("!") {
            self.depth += 1;
            if self.depth > NESTING_MAX {
                return Err(InvalidPath("the filter nests too deep".to_owned()));
            }
            let inner = self.condition()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(inner)));
        }
        if self.eat("(") {
            let inner = self.filter()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let left = self.operand()?;
        self.blanks();
        let Some(comparison) = self.comparison() else { return Ok(Filter::Exists(left)) };
        self.blanks();
        let right = self.operand()?;
        self.blanks();
        Ok(Filter::Compare(left, comparison, right))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        const SIGNS: [(&str, Comparison); 7] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("=~", Comparison::Matches),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        const WORDS: [(&str, Comparison); 8] = [
            ("in", Comparison::In),
            ("nin", Comparison::NotIn),
            ("contains", Comparison::Contains),
            ("subsetof", Comparison::SubsetOf),
            ("anyof", Comparison::AnyOf),
            ("noneof", Comparison::NoneOf),
            ("size", Comparison::Size),
            ("empty", Comparison::Empty),
        ];
        if let Some((_, comparison)) = SIGNS.iter().find(|(sign, _)| self.eat(sign)) {
            return Some(*comparison);
        }
        let length = self.rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(self.rest.len());
        let word = self.rest.get(..length)?;
        let (_, comparison) = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
        self.take(length);
        Some(*comparison)
    }

    fn operand(&mut self) -> Result<Operand, InvalidPath> {
        self.blanks();
        match self.rest.chars().next() {
            Some('@') => Ok(Operand::Item(self.path("", PathIn::Filter)?)),
            Some('$') => Ok(Operand::Root(self.path("", PathIn::Filter)?)),
            Some('/') => self.regex(),
            Some('\'' | '"') => Ok(Operand::Literal(self.quoted()?.into())),
            Some('[' | '{') => self.json(),
            _ => {
                let ends = |c: char| matches!(c, ')' | '&' | '|' | '=' | '!' | '<' | '>') || c.is_whitespace();
                let length = self.rest.find(ends).unwrap_or(self.rest.len());
                let text = self.take(length);
                serde_json::from_str(text)
                    .map(Operand::Literal)
                    .map_err(|_| InvalidPath(format!("'{text}' cannot be compared")))
            }
        }
    }

    /// An array or object literal; Jayway lets its strings stand in single quotes.
    fn json(&mut self) -> Result<Operand, InvalidPath> {
        let mut depth = 0_usize;
        let mut quote = None;
        let mut text = String::new();
        for (at, c) in self.rest.char_indices() {
            match (quote, c) {
                (Some(open), c) if c == open => {
                    quote = None;
                    text.push('"');
                }
                (Some('\''), '"') => text.push_str("\\\""),
                (Some(_), c) => text.push(c),
                (None, '\'' | '"') => {
                    quote = Some(c);
                    text.push('"');
                }
                (None, c) => {
                    text.push(c);
                    match c {
                        '[' | '{' => depth += 1,
                        ']' | '}' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    if depth == 0 {
                        self.take(at + c.len_utf8());
                        let invalid = |_| InvalidPath(format!("'{text}' is not JSON"));
                        return serde_json::from_str(&text).map(Operand::Literal).map_err(invalid);
                    }
                }
            }
        }
        Err(InvalidPath("']' is missing".to_owned()))
    }

    fn regex(&mut self) -> Result<Operand, InvalidPath> {
        self.eat("/");
        let mut escaped = false;
        let end = self.rest.find(|c: char| {
            let end = c == '/' && !escaped;
            escaped = c == '\\' && !escaped;
            end
        });
        let pattern = self.take(end.ok_or_else(|| InvalidPath("'/' is missing".to_owned()))?);
        self.eat("/");
        let length = self.rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(self.rest.len());
        let flags = self.take(length);
        Pattern::new(pattern, flags.contains('i')).map(Operand::Pattern).map_err(InvalidPath)
    }

    fn quoted(&mut self) -> Result<String, InvalidPath> {
        let unterminated = || InvalidPath("a quote is missing".to_owned());
        let mut chars = self.rest.char_indices();
        let (_, quote) = chars.next().filter(|(_, c)| matches!(c, '\'' | '"')).ok_or_else(unterminated)?;
        let mut text = String::new();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.take(at + 1);
                return Ok(text);
            }
            if c == '\\' {
                let (_, escaped) = chars.next().ok_or_else(unterminated)?;
                text.push(escaped);
            } else {
                text.push(c);
            }
        }
        Err(unterminated())
    }

    fn integer(&mut self) -> Option<i64> {
        let digits = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let number = self.rest.get(..self.rest.len() - digits.len() + length)?.parse().ok()?;
        self.take(self.rest.len() - digits.len() + length);
        Some(number)
    }

    fn comma(&mut self) -> bool {
        self.blanks();
        let comma = self.eat(",");
        self.blanks();
        comma
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), InvalidPath> {
        self.blanks();
        if self.eat(token) { Ok(()) } else { Err(InvalidPath(format!("'{token}' is missing"))) }
    }

    /// Takes `length` bytes, which must end between characters.
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}
