//! Which bucket a host name addresses.

use s3s::{
    S3Result,
    host::{S3Host, VirtualHost},
};

/// The domains under which a bucket's name may stand as a label (virtual-hosted style).
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    domains: Vec<String>,
}

impl Hosts {
    pub(crate) fn new(region: &str) -> Self {
        Self {
            domains: vec![
                format!("s3.{region}.amazonaws.com"),
                "s3.amazonaws.com".into(),
                "s3.localhost".into(),
                "localhost".into(),
            ],
        }
    }

    /// The bucket in front of one of the domains; `None` for the domains themselves and for everything else, whose paths then
    /// begin with the bucket.
    pub(crate) fn bucket<'a>(&self, host: &'a str) -> Option<&'a str> {
        let host = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let domain = self.domains.iter().find(|domain| {
            host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })?;
        host.strip_suffix(domain.as_str())?.strip_suffix('.')
    }
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let parsed = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            Some(bucket) => parsed.with_bucket(bucket),
            None => parsed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_hosts() {
        let hosts = Hosts::new("eu-west-1");
        for (host, bucket) in [
            ("localhost:4566", None),
            ("films.localhost:4566", Some("films")),
            ("s3.localhost", None),
            ("my.films.s3.localhost:80", Some("my.films")),
            ("films.s3.eu-west-1.amazonaws.com", Some("films")),
            ("films.s3.amazonaws.com", Some("films")),
            ("s3.amazonaws.com", None),
            ("films.s3.us-east-2.amazonaws.com", None),
            ("home.example:4566", None),
            ("notlocalhost", None),
        ] {
            assert_eq!(hosts.bucket(host), bucket, "{host}");
        }
    }
}
