//! `{"wildcard": "dir/*/file"}`: `*` stands for any characters, `\*` and `\\` for themselves.

/// How many positions of a field's wildcards one value may hold open at once before AWS calls the rule too complex. AWS does
/// not publish its measure; this bound parts the patterns known to be taken from those known to be refused.
const OPEN_POSITIONS_MAX: usize = 10;

/// A compiled wildcard: the literal text between its stars, of which there is one fewer.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    literals: Vec<String>,
}

impl Wildcard {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut literals = vec![String::new()];
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            // AWS counts positions in the quoted text.
            let position = at + 1;
            let next = characters.peek().map(|&(_, next)| next);
            let literal = match (character, next) {
                ('*', Some('*')) => return Err(format!("Consecutive wildcard characters at pos {position}")),
                ('*', _) => {
                    literals.push(String::new());
                    continue;
                }
                ('\\', Some(escaped @ ('*' | '\\'))) => {
                    characters.next();
                    escaped
                }
                ('\\', _) => return Err(format!("Invalid escape character at pos {position}")),
                (literal, _) => literal,
            };
            if let Some(last) = literals.last_mut() {
                last.push(literal);
            }
        }
        Ok(Self { literals })
    }

    /// Linear in the text: each literal is looked for once, leftmost first, which is never worse than further right.
    pub(super) fn matches(&self, text: &str) -> bool {
        match self.literals.as_slice() {
            [] => false,
            [only] => text == only,
            [first, middle @ .., last] => {
                let Some(mut rest) =
                    text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
                else {
                    return false;
                };
                middle
                    .iter()
                    .all(|literal| rest.find(literal.as_str()).map(|at| rest = &rest[at + literal.len()..]).is_some())
            }
        }
    }

    /// The wildcard as the automaton that AWS builds of it: `None` is a star.
    fn positions(&self) -> Vec<Option<u8>> {
        let mut positions = Vec::new();
        for (index, literal) in self.literals.iter().enumerate() {
            if index > 0 {
                positions.push(None);
            }
            positions.extend(literal.bytes().map(Some));
        }
        positions
    }
}

/// Refuses wildcards of one field that together are too complex. The value that keeps most positions open is, near enough, one
/// of the wildcards' own literal texts run together.
pub(super) fn check_complexity(wildcards: &[&Wildcard]) -> Result<(), String> {
    let automata: Vec<_> = wildcards.iter().map(|wildcard| wildcard.positions()).collect();
    for wildcard in wildcards {
        let mut open: Vec<Vec<bool>> = automata.iter().map(|positions| start(positions)).collect();
        for byte in wildcard.literals.iter().flat_map(|literal| literal.bytes()) {
            let mut count = 0;
            for (positions, open) in automata.iter().zip(&mut open) {
                *open = step(positions, open, byte);
                count += open.iter().filter(|open| **open).count();
            }
            if count > OPEN_POSITIONS_MAX {
                return Err("Rule is too complex - try using fewer wildcard characters or fewer repeating character \
                            sequences after a wildcard character"
                    .into());
            }
        }
    }
    Ok(())
}

fn start(positions: &[Option<u8>]) -> Vec<bool> {
    let mut open = vec![false; positions.len() + 1];
    enter(positions, &mut open, 0);
    open
}

/// Opens a position, and the one after it when it is a star, which may stand for nothing.
fn enter(positions: &[Option<u8>], open: &mut [bool], at: usize) {
    open[at] = true;
    if positions.get(at) == Some(&None) {
        open[at + 1] = true;
    }
}

fn step(positions: &[Option<u8>], open: &[bool], byte: u8) -> Vec<bool> {
    let mut next = vec![false; open.len()];
    for (at, position) in positions.iter().enumerate().filter(|&(at, _)| open[at]) {
        match position {
            None => enter(positions, &mut next, at),
            Some(expected) if *expected == byte => enter(positions, &mut next, at + 1),
            Some(_) => {}
        }
    }
    next
}
