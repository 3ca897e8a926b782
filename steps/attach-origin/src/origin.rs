//! The origin, as the distribution should have it.

use aws_sdk_cloudfront::{
    error::BuildError,
    types::{
        CustomHeaders, CustomOriginConfig, DistributionConfig, Origin, OriginCustomHeader, OriginProtocolPolicy,
        OriginSslProtocols, Origins, SslProtocol,
    },
};

/// The header by which MediaPackage knows the distribution.
/// Source: <https://docs.aws.amazon.com/mediapackage/latest/ug/cdn-auth-setup.html>.
const HEADER: &str = "X-MediaPackage-CDNIdentifier";

/// CloudFront's defaults, spelled out.
/// Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesOrigin.html>.
const CONNECTION_ATTEMPTS: i32 = 3;
const CONNECTION_SECONDS: i32 = 10;
const READ_SECONDS: i32 = 30;
const KEEPALIVE_SECONDS: i32 = 5;

/// An origin for a packaging group's egress.
///
/// # Errors
/// Never, unless the SDK wants more members than it did.
pub fn of_group(id: &str, domain_name: &str, secret: &str) -> Result<Origin, BuildError> {
    let header = OriginCustomHeader::builder().header_name(HEADER).header_value(secret).build()?;
    let tls = OriginSslProtocols::builder().quantity(1).items(SslProtocol::TlSv12).build()?;
    let transport = CustomOriginConfig::builder()
        .http_port(80)
        .https_port(443)
        .origin_protocol_policy(OriginProtocolPolicy::HttpsOnly)
        .origin_ssl_protocols(tls)
        .origin_read_timeout(READ_SECONDS)
        .origin_keepalive_timeout(KEEPALIVE_SECONDS)
        .build()?;
    Origin::builder()
        .id(id)
        .domain_name(domain_name)
        .origin_path("")
        .custom_headers(CustomHeaders::builder().quantity(1).items(header).build()?)
        .custom_origin_config(transport)
        .connection_attempts(CONNECTION_ATTEMPTS)
        .connection_timeout(CONNECTION_SECONDS)
        .build()
}

/// Makes the distribution have this origin; whether that changed anything. An origin of the same id with another domain or
/// header value is replaced.
///
/// # Errors
/// As [`of_group`].
pub fn attach(config: &mut DistributionConfig, origin: Origin) -> Result<bool, BuildError> {
    let mut items = config.origins.take().map(|origins| origins.items).unwrap_or_default();
    let known = items.iter_mut().find(|known| known.id == origin.id);
    let changed = match known {
        Some(known) if is_same(known, &origin) => false,
        Some(known) => {
            *known = origin;
            true
        }
        None => {
            items.push(origin);
            true
        }
    };
    let quantity = i32::try_from(items.len()).unwrap_or(i32::MAX);
    config.origins = Some(Origins::builder().quantity(quantity).set_items(Some(items)).build()?);
    Ok(changed)
}

/// Whether two origins send the same secret to the same host; what else was tuned by hand is left alone.
fn is_same(known: &Origin, wanted: &Origin) -> bool {
    known.domain_name == wanted.domain_name && secret(known) == secret(wanted)
}

fn secret(origin: &Origin) -> Option<&str> {
    let headers = origin.custom_headers.as_ref()?.items.as_deref().unwrap_or_default();
    let header = headers.iter().find(|header| header.header_name.eq_ignore_ascii_case(HEADER))?;
    Some(&header.header_value)
}
