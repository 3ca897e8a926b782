//! Pages: how many results, and where the next page begins.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use vodline_core::AwsError;

use crate::error;

/// Results on a page if the caller does not say, or says 0.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html>.
const DEFAULT: usize = 100;

/// Most results on a page.
const MAX: i64 = 1_000;

/// Results on a page.
pub(super) fn size(max_results: Option<i64>) -> Result<usize, AwsError> {
    match max_results {
        None | Some(0) => Ok(DEFAULT),
        Some(asked) if asked < 0 => {
            Err(error::constraint(asked, "maxResults", "have value greater than or equal to 0"))
        }
        Some(asked) if asked > MAX => {
            Err(error::constraint(asked, "maxResults", "have value less than or equal to 1000"))
        }
        Some(asked) => Ok(usize::try_from(asked).unwrap_or(DEFAULT)),
    }
}

/// Where a list goes on. `list` names the list, so that the token of one cannot be used with another.
pub(super) fn token(list: &str, position: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}\n{position}"))
}

/// The position in a token, if there is a token.
pub(super) fn position(list: &str, token: Option<&str>) -> Result<Option<String>, AwsError> {
    let Some(token) = token else { return Ok(None) };
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| {
            let (named, position) = text.split_once('\n')?;
            (named == list).then(|| position.to_owned())
        })
        .map(Some)
        .ok_or_else(error::unknown_token)
}

/// The position in a token whose list is ordered by number.
pub(super) fn number(list: &str, token: Option<&str>) -> Result<Option<i64>, AwsError> {
    position(list, token)?.map(|position| position.parse().map_err(|_| error::unknown_token())).transpose()
}

/// Cuts a list that was read one longer than the page, and says where it goes on.
pub(super) fn cut<T>(items: &mut Vec<T>, size: usize, list: &str, at: impl FnOnce(&T) -> String) -> Option<String> {
    if items.len() <= size {
        return None;
    }
    items.truncate(size);
    items.last().map(|last| token(list, &at(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_its_list() {
        let token = token("executions", "42");
        assert_eq!(number("executions", Some(&token)).ok().flatten(), Some(42));
        for wrong in [number("history", Some(&token)), number("executions", Some("%%%"))] {
            assert_eq!(wrong.err().map(|error| error.message), Some("Invalid Token: 'Invalid token'".to_owned()));
        }
        assert_eq!(number("executions", None).ok(), Some(None));
    }

    #[test]
    fn sizes_have_bounds() {
        assert_eq!(size(None).ok(), Some(100));
        assert_eq!(size(Some(0)).ok(), Some(100));
        assert_eq!(size(Some(7)).ok(), Some(7));
        assert!(size(Some(-1)).is_err());
        assert!(size(Some(1_001)).is_err());
    }
}
