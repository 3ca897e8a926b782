//! From text to [`Call`].

use serde_json::Value;

use super::{Argument, Call, FUNCTIONS, Function, InvalidCall};
use crate::jsonpath::Path;
use crate::limits::INTRINSIC_NESTING_MAX;

pub(super) fn parse(text: &str) -> Result<Call, InvalidCall> {
    let mut parser = Parser { text, at: 0 };
    parser.blanks();
    let call = parser.call(1)?;
    parser.blanks();
    match parser.rest() {
        "" => Ok(call),
        rest => Err(InvalidCall(format!("unexpected '{rest}' after the call"))),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn call(&mut self, depth: usize) -> Result<Call, InvalidCall> {
        if depth > INTRINSIC_NESTING_MAX {
            return Err(InvalidCall(format!("calls nest deeper than {INTRINSIC_NESTING_MAX}")));
        }
        let start = self.at;
        let length = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(self.rest().len());
        let name = self.take(length);
        let (_, function) = FUNCTIONS
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| InvalidCall(format!("no function '{name}'")))?;
        self.blanks();
        self.expect('(')?;
        let mut arguments = Vec::new();
        self.blanks();
        if !self.eat(')') {
            loop {
                arguments.push(self.argument(depth)?);
                self.blanks();
                if self.eat(')') {
                    break;
                }
                self.expect(',')?;
            }
        }
        if !function.takes(arguments.len()) {
            return Err(InvalidCall(format!("'{name}' does not take {} arguments", arguments.len())));
        }
        let text = self.text.get(start..self.at).unwrap_or_default().into();
        Ok(Call { text, function: *function, arguments })
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, InvalidCall> {
        self.blanks();
        match self.rest().chars().next() {
            Some('\'') => self.string(),
            Some('$') => {
                let text = self.path_text();
                Path::parse(text).map(Argument::Path).map_err(|e| InvalidCall(e.to_string()))
            }
            Some('S') => self.call(depth + 1).map(Argument::Call),
            _ => {
                let length = self.rest().find([',', ')']).unwrap_or(self.rest().len());
                let text = self.take(length).trim();
                let literal = serde_json::from_str(text).ok().filter(|value: &Value| !value.is_string());
                literal.map(Argument::Literal).ok_or_else(|| InvalidCall(format!("'{text}' is no argument")))
            }
        }
    }

    /// A path reaches to the comma or parenthesis that is in none of its own brackets or quotes.
    fn path_text(&mut self) -> &'t str {
        let mut brackets = 0_usize;
        let mut parentheses = 0_usize;
        let mut quote = None;
        let end = self.rest().find(|c: char| {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '[') => brackets += 1,
                (None, ']') => brackets = brackets.saturating_sub(1),
                (None, '(') => parentheses += 1,
                (None, ')') if parentheses > 0 => parentheses -= 1,
                (None, ',' | ')') => return brackets == 0 && parentheses == 0,
                (None, _) => {}
            }
            false
        });
        self.take(end.unwrap_or(self.rest().len())).trim_end()
    }

    fn string(&mut self) -> Result<Argument, InvalidCall> {
        self.expect('\'')?;
        let rest = self.rest();
        let mut meant = String::new();
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    let written = self.take(at).into();
                    self.expect('\'')?;
                    return Ok(Argument::Text { written, meant: meant.into() });
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('\'' | '\\' | '{' | '}'))) => meant.push(c),
                    Some((_, 'n')) => meant.push('\n'),
                    Some((_, 'r')) => meant.push('\r'),
                    Some((_, 't')) => meant.push('\t'),
                    Some((_, c)) => {
                        meant.push('\\');
                        meant.push(c);
                    }
                    None => break,
                },
                c => meant.push(c),
            }
        }
        Err(InvalidCall("a quote is missing".to_owned()))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> &'t str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, c: char) -> Result<(), InvalidCall> {
        if self.eat(c) { Ok(()) } else { Err(InvalidCall(format!("'{c}' is missing"))) }
    }
}

impl Function {
    /// Whether the function takes so many arguments.
    fn takes(self, count: usize) -> bool {
        match self {
            Self::Array => true,
            Self::Format => count >= 1,
            Self::Uuid => count == 0,
            Self::ArrayLength
            | Self::ArrayUnique
            | Self::Base64Decode
            | Self::Base64Encode
            | Self::JsonToString
            | Self::StringToJson => count == 1,
            Self::ArrayContains
            | Self::ArrayGetItem
            | Self::ArrayPartition
            | Self::Hash
            | Self::MathAdd
            | Self::StringSplit => count == 2,
            Self::ArrayRange | Self::JsonMerge => count == 3,
            Self::MathRandom => count == 2 || count == 3,
        }
    }
}
