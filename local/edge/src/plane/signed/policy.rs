//! What a signature allows. Source:
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html>.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use serde::Deserialize;

use crate::plane::Pattern;

/// The policy that a URL and a time of expiry stand for; to the letter, because it is what was signed.
pub(super) fn canned(url: &str, expires: &str) -> String {
    format!(
        "{{\"Statement\":[{{\"Resource\":\"{url}\",\"Condition\":{{\"DateLessThan\":{{\"AWS:EpochTime\":{expires}}}}}}}]}}"
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    statement: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    /// All of the distribution when there is none.
    resource: Option<String>,
    condition: Condition,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Condition {
    date_less_than: Time,
    date_greater_than: Option<Time>,
    ip_address: Option<Address>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    /// Seconds since 1970.
    #[serde(rename = "AWS:EpochTime")]
    epoch_time: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    /// An IPv4 address, or a range as CIDR writes it.
    #[serde(rename = "AWS:SourceIp")]
    source_ip: String,
}

/// A policy, read.
pub(super) struct Policy {
    resource: Option<Pattern>,
    until_s: i64,
    from_s: Option<i64>,
    network: Option<Network>,
}

impl Policy {
    /// `None` when it is none, or more than one statement.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(text).ok()?;
        let [statement] = <[Statement; 1]>::try_from(document.statement).ok()?;
        let condition = statement.condition;
        let network = match condition.ip_address {
            Some(address) => Some(Network::parse(&address.source_ip)?),
            None => None,
        };
        Some(Self {
            resource: statement.resource.map(|resource| Pattern::exact(&resource)),
            until_s: condition.date_less_than.epoch_time,
            from_s: condition.date_greater_than.map(|time| time.epoch_time),
            network,
        })
    }

    pub(super) fn allows(&self, url: &str, viewer: IpAddr, now: Timestamp) -> bool {
        let now_s = now.as_second();
        now_s < self.until_s
            && self.from_s.is_none_or(|from_s| now_s > from_s)
            && self.network.as_ref().is_none_or(|network| network.contains(viewer))
            && self.resource.as_ref().is_none_or(|resource| resource.matches(url))
    }
}

/// A range of IPv4 addresses; signed policies know no others.
struct Network {
    bits: u32,
    mask: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, length.parse::<u32>().ok().filter(|length| *length <= 32)?),
            None => (text, 32),
        };
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        Some(Self { bits: address.parse::<Ipv4Addr>().ok()?.to_bits() & mask, mask })
    }

    fn contains(&self, viewer: IpAddr) -> bool {
        match viewer.to_canonical() {
            IpAddr::V4(viewer) => viewer.to_bits() & self.mask == self.bits,
            IpAddr::V6(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    const URL: &str = "http://127.0.0.1:8080/v/a.m3u8?q=1";

    fn policy(resource: &str, more: &str) -> String {
        format!(
            r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":100}}{more}}}}}]}}"#
        )
    }

    #[track_caller]
    fn check(text: &str, viewer: [u8; 4], now_s: i64, allowed: bool) {
        let policy = Policy::parse(text.as_bytes()).unwrap();
        let now = Timestamp::from_second(now_s).unwrap();
        assert_eq!(policy.allows(URL, viewer.into(), now), allowed, "{text} at {now_s}");
    }

    #[test]
    fn a_policy_allows_its_resource_in_its_time_from_its_addresses() {
        let home = [127, 0, 0, 1];
        check(&policy(URL, ""), home, 99, true);
        check(&policy(URL, ""), home, 100, false);
        check(&policy("http*://127.0.0.1:8080/v/*", ""), home, 0, true);
        check(&policy("http://127.0.0.1:8080/v/?.m3u8*", ""), home, 0, true);
        check(&policy("*", ""), home, 0, true);
        check(&policy("http://127.0.0.1:8080/v/", ""), home, 0, false);
        check(&policy("http://127.0.0.1:8080/v/a.m3u8", ""), home, 0, false);
        check(&policy("https://127.0.0.1:8080/*", ""), home, 0, false);
        let from = r#","DateGreaterThan":{"AWS:EpochTime":50}"#;
        check(&policy("*", from), home, 50, false);
        check(&policy("*", from), home, 51, true);
        for (range, viewer, allowed) in [
            ("127.0.0.1", home, true),
            ("127.0.0.2/31", home, false),
            ("127.0.0.0/31", home, true),
            ("10.0.0.0/8", [10, 200, 3, 4], true),
            ("10.0.0.0/8", home, false),
            ("0.0.0.0/0", home, true),
        ] {
            check(&policy("*", &format!(r#","IpAddress":{{"AWS:SourceIp":"{range}"}}"#)), viewer, 0, allowed);
        }
        check(r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":100}}}]}"#, home, 0, true);
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"Statement":[]}"#,
            r#"{"Statement":[{"Resource":"*"}]}"#,
            r#"{"Statement":[{"Resource":"*","Condition":{}}]}"#,
            &policy("*", r#","IpAddress":{"AWS:SourceIp":"::1"}"#),
            &policy("*", r#","IpAddress":{"AWS:SourceIp":"1.2.3.4/33"}"#),
            &policy("*", r#","Odd":1"#),
            r#"{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":"100"}}}]}"#,
        ] {
            assert!(Policy::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_canned_policy_of_a_url_allows_that_url_alone(path in "/[a-z/._-]{0,20}", other in "/[a-z/._-]{0,20}") {
            let url = format!("http://h{path}");
            let policy = Policy::parse(canned(&url, "10").as_bytes()).unwrap();
            let allows = |url: &str| policy.allows(url, [127, 0, 0, 1].into(), Timestamp::UNIX_EPOCH);
            prop_assert!(allows(&url));
            prop_assert_eq!(allows(&format!("http://h{other}")), path == other);
        }
    }
}
