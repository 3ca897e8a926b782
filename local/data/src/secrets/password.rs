//! Random passwords.
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html>.

use vodline_core::{AwsError, Entropy};

use super::invalid_parameter;

pub(super) const LENGTH_DEFAULT: usize = 32;
const LENGTH_MAX: usize = 4096;

const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What a password is to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Password<'a> {
    pub(super) length: usize,
    pub(super) exclude_characters: &'a str,
    pub(super) exclude_lowercase: bool,
    pub(super) exclude_uppercase: bool,
    pub(super) exclude_numbers: bool,
    pub(super) exclude_punctuation: bool,
    pub(super) include_space: bool,
    /// At least one of each kind that is not excluded.
    pub(super) require_each: bool,
}

pub(super) fn generate(entropy: &dyn Entropy, wanted: &Password<'_>) -> Result<String, AwsError> {
    if wanted.length == 0 || wanted.length > LENGTH_MAX {
        return Err(invalid_parameter(format!("The password length must be from 1 to {LENGTH_MAX}.")));
    }
    let kinds = [
        (LOWERCASE, !wanted.exclude_lowercase),
        (UPPERCASE, !wanted.exclude_uppercase),
        (NUMBERS, !wanted.exclude_numbers),
        (PUNCTUATION, !wanted.exclude_punctuation),
        (" ", wanted.include_space),
    ];
    let kinds: Vec<Vec<char>> = kinds
        .into_iter()
        .filter(|(_, included)| *included)
        .map(|(characters, _)| characters.chars().filter(|c| !wanted.exclude_characters.contains(*c)).collect())
        .filter(|characters: &Vec<char>| !characters.is_empty())
        .collect();
    let all = kinds.concat();
    if all.is_empty() {
        return Err(invalid_parameter("The password has no characters to choose from."));
    }
    let mut password = Vec::with_capacity(wanted.length);
    if wanted.require_each {
        if kinds.len() > wanted.length {
            return Err(invalid_parameter("The password is too short for one of each included type."));
        }
        password.extend(kinds.iter().map(|kind| kind[below(entropy, kind.len())]));
    }
    while password.len() < wanted.length {
        password.push(all[below(entropy, all.len())]);
    }
    // The required ones stand first; shuffle (Fisher and Yates).
    for last in (1..password.len()).rev() {
        password.swap(last, below(entropy, last + 1));
    }
    Ok(password.into_iter().collect())
}

/// A number from 0 up to, but not including, `bound` (at most 2^32), each as likely as any other.
pub(super) fn below(entropy: &dyn Entropy, bound: usize) -> usize {
    let bound = bound as u64;
    // What is left over when 2^64 numbers are dealt out to `bound` places would favour some of them.
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        let number = u64::from_le_bytes(bytes);
        if number < fair {
            return (number % bound) as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;
    use vodline_core::SeededEntropy;

    use super::*;

    proptest! {
        #[test]
        fn is_what_was_wanted(
            seed: u64, length in 1_usize..80, exclude_characters in "[ -~]{0,20}", exclude_lowercase: bool,
            exclude_uppercase: bool, exclude_numbers: bool, exclude_punctuation: bool, include_space: bool, require_each: bool,
        ) {
            let wanted = Password {
                length, exclude_characters: &exclude_characters, exclude_lowercase, exclude_uppercase, exclude_numbers,
                exclude_punctuation, include_space, require_each,
            };
            let Ok(password) = generate(&SeededEntropy::new(seed), &wanted) else { return Ok(()) };
            prop_assert_eq!(password.chars().count(), length);
            prop_assert!(!password.chars().any(|c| exclude_characters.contains(c)));
            prop_assert!(!exclude_lowercase || !password.chars().any(|c| c.is_ascii_lowercase()));
            prop_assert!(!exclude_punctuation || !password.chars().any(|c| c.is_ascii_punctuation()));
            prop_assert!(include_space || !password.contains(' '));
            let numbers_left = NUMBERS.chars().any(|c| !exclude_characters.contains(c));
            if require_each && !exclude_numbers && numbers_left {
                prop_assert!(password.chars().any(|c| c.is_ascii_digit()));
            }
        }
    }

    #[test]
    fn is_long_enough_by_default() {
        let wanted = Password {
            length: LENGTH_DEFAULT,
            exclude_characters: "",
            exclude_lowercase: false,
            exclude_uppercase: false,
            exclude_numbers: false,
            exclude_punctuation: false,
            include_space: false,
            require_each: true,
        };
        let one = generate(&SeededEntropy::new(1), &wanted).unwrap();
        let other = generate(&SeededEntropy::new(2), &wanted).unwrap();
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }
}
