//! Buckets and their configuration.

use std::sync::Arc;

use s3s::{S3ErrorCode, S3Request, S3Response, dto::*};

use super::{check_owner, refuse};
use crate::{
    bucket::{self, Bucket, Versioning},
    cors::{CorsRule, METHODS},
    failure::Failure,
    service::Core,
    uploads,
    versions::s3_time,
};

/// The most buckets of one answer.
const MAX_BUCKETS: i32 = 10_000;

/// The most CORS rules of a bucket. Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>.
const MAX_CORS_RULES: usize = 100;

/// The region that has no location constraint, for history's sake.
const CLASSIC_REGION: &str = "us-east-1";

/// Reads a bucket, which must exist.
async fn find(core: &Arc<Core>, name: String, owner: Option<String>) -> Result<Bucket, Failure> {
    check_owner(core, owner.as_deref())?;
    core.blocking(move |core| core.store.read(|connection| bucket::find(connection, &name))).await
}

/// Changes a bucket, which must exist.
async fn change(
    core: &Arc<Core>,
    name: String,
    owner: Option<String>,
    work: impl FnOnce(&rusqlite::Transaction<'_>, &Bucket) -> Result<(), Failure> + Send + 'static,
) -> Result<(), Failure> {
    check_owner(core, owner.as_deref())?;
    core.blocking(move |core| {
        core.store.write(|transaction| {
            let bucket = bucket::find(transaction, &name)?;
            work(transaction, &bucket)
        })
    })
    .await
}

pub(super) async fn create_bucket(
    core: &Arc<Core>,
    request: S3Request<CreateBucketInput>,
) -> Result<S3Response<CreateBucketOutput>, Failure> {
    let input = request.input;
    refuse!("CreateBucket", input,
        grant_full_control => "GrantFullControl",
        grant_read => "GrantRead",
        grant_read_acp => "GrantReadACP",
        grant_write => "GrantWrite",
        grant_write_acp => "GrantWriteACP",
    );
    if input.acl.as_ref().is_some_and(|acl| acl.as_str() != BucketCannedACL::PRIVATE) {
        return Err(Failure::unsupported("CreateBucket", "ACL"));
    }
    if input.object_lock_enabled_for_bucket == Some(true) {
        return Err(Failure::unsupported("CreateBucket", "ObjectLockEnabledForBucket"));
    }
    if input.object_ownership.as_ref().is_some_and(|rule| rule.as_str() != ObjectOwnership::BUCKET_OWNER_ENFORCED) {
        return Err(Failure::unsupported("CreateBucket", "ObjectOwnership"));
    }
    let configuration = input.create_bucket_configuration.unwrap_or_default();
    refuse!("CreateBucket", configuration, bucket => "Bucket", location => "Location");
    let region = &core.account.region;
    let wanted = configuration.location_constraint.as_ref().map_or(CLASSIC_REGION, |constraint| constraint.as_str());
    if wanted != region {
        return Err(Failure::new(
            S3ErrorCode::IllegalLocationConstraintException,
            format!(
                "The {wanted} location constraint is incompatible for the region specific endpoint this request was sent to."
            ),
        ));
    }
    let name = input.bucket;
    let location = format!("/{name}");
    let new = core
        .blocking(move |core| core.store.write(|transaction| bucket::insert(transaction, &name, core.clock.now())))
        .await?;
    // In us-east-1 alone, making a bucket one already owns is no error.
    if !new && region != CLASSIC_REGION {
        return Err(Failure::new(
            S3ErrorCode::BucketAlreadyOwnedByYou,
            "Your previous request to create the named bucket succeeded and you already own it.",
        ));
    }
    Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
}

pub(super) async fn delete_bucket(
    core: &Arc<Core>,
    request: S3Request<DeleteBucketInput>,
) -> Result<S3Response<DeleteBucketOutput>, Failure> {
    let DeleteBucketInput { bucket: name, expected_bucket_owner } = request.input;
    check_owner(core, expected_bucket_owner.as_deref())?;
    core.blocking(move |core| {
        let files = core.store.write(|transaction| {
            bucket::find(transaction, &name)?;
            let files = uploads::abort_all(transaction, &name)?;
            bucket::delete(transaction, &name)?;
            Ok::<_, Failure>(files)
        })?;
        core.files.discard(files, core.clock.now());
        Ok(())
    })
    .await?;
    Ok(S3Response::new(DeleteBucketOutput {}))
}

pub(super) async fn head_bucket(
    core: &Arc<Core>,
    request: S3Request<HeadBucketInput>,
) -> Result<S3Response<HeadBucketOutput>, Failure> {
    find(core, request.input.bucket, request.input.expected_bucket_owner).await?;
    Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(core.account.region.clone()), ..Default::default() }))
}

pub(super) async fn list_buckets(
    core: &Arc<Core>,
    request: S3Request<ListBucketsInput>,
) -> Result<S3Response<ListBucketsOutput>, Failure> {
    let ListBucketsInput { bucket_region, continuation_token, max_buckets, prefix } = request.input;
    let region = core.account.region.clone();
    let elsewhere = bucket_region.is_some_and(|wanted| wanted != region);
    let limit = match max_buckets.unwrap_or(MAX_BUCKETS) {
        limit @ 1..=MAX_BUCKETS => usize::try_from(limit).unwrap_or_default(),
        _ => return Err(Failure::invalid_argument("The max-buckets value must be between 1 and 10000.")),
    };
    let wanted = prefix.clone().unwrap_or_default();
    // The token is the name of the last bucket told.
    let after = continuation_token.unwrap_or_default();
    let mut found = core
        .blocking(move |core| core.store.read(|connection| bucket::list(connection, &wanted, &after, limit + 1)))
        .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    if elsewhere {
        found.clear();
    }
    let continuation_token = found.last().filter(|_| more).map(|bucket| bucket.name.clone());
    let buckets = found
        .into_iter()
        .map(|bucket| s3s::dto::Bucket {
            bucket_region: Some(region.clone()),
            creation_date: Some(s3_time(bucket.created)),
            name: Some(bucket.name),
        })
        .collect();
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token,
        owner: Some(super::lists::owner(core)),
        prefix,
    }))
}

pub(super) async fn get_bucket_location(
    core: &Arc<Core>,
    request: S3Request<GetBucketLocationInput>,
) -> Result<S3Response<GetBucketLocationOutput>, Failure> {
    find(core, request.input.bucket, request.input.expected_bucket_owner).await?;
    let region = &core.account.region;
    let location_constraint = (region != CLASSIC_REGION).then(|| BucketLocationConstraint::from(region.clone()));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
}

pub(super) async fn get_bucket_versioning(
    core: &Arc<Core>,
    request: S3Request<GetBucketVersioningInput>,
) -> Result<S3Response<GetBucketVersioningOutput>, Failure> {
    let bucket = find(core, request.input.bucket, request.input.expected_bucket_owner).await?;
    let status = match bucket.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED)),
        Versioning::Suspended => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::SUSPENDED)),
    };
    Ok(S3Response::new(GetBucketVersioningOutput { status, mfa_delete: None }))
}

pub(super) async fn put_bucket_versioning(
    core: &Arc<Core>,
    request: S3Request<PutBucketVersioningInput>,
) -> Result<S3Response<PutBucketVersioningOutput>, Failure> {
    let input = request.input;
    refuse!("PutBucketVersioning", input, mfa => "MFA");
    refuse!("PutBucketVersioning", input.versioning_configuration, mfa_delete => "MfaDelete");
    let versioning = match input.versioning_configuration.status.as_ref().map(|status| status.as_str()) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => {
            return Err(Failure::new(
                S3ErrorCode::IllegalVersioningConfigurationException,
                "The Versioning element must be specified",
            ));
        }
    };
    change(core, input.bucket, input.expected_bucket_owner, move |transaction, bucket| {
        bucket::set_versioning(transaction, &bucket.name, versioning)
    })
    .await?;
    Ok(S3Response::new(PutBucketVersioningOutput {}))
}

pub(super) async fn get_bucket_cors(
    core: &Arc<Core>,
    request: S3Request<GetBucketCorsInput>,
) -> Result<S3Response<GetBucketCorsOutput>, Failure> {
    let GetBucketCorsInput { bucket: name, expected_bucket_owner } = request.input;
    check_owner(core, expected_bucket_owner.as_deref())?;
    let rules = core
        .blocking(move |core| core.store.read(|connection| bucket::cors(connection, &name)))
        .await?
        .ok_or_else(Failure::no_such_bucket)?;
    if rules.is_empty() {
        return Err(Failure::new(S3ErrorCode::NoSuchCORSConfiguration, "The CORS configuration does not exist"));
    }
    let rules = rules
        .into_iter()
        .map(|rule| CORSRule {
            allowed_headers: (!rule.allowed_headers.is_empty()).then_some(rule.allowed_headers),
            allowed_methods: rule.allowed_methods,
            allowed_origins: rule.allowed_origins,
            expose_headers: (!rule.expose_headers.is_empty()).then_some(rule.expose_headers),
            id: rule.id,
            max_age_seconds: rule.max_age_seconds.and_then(|seconds| i32::try_from(seconds).ok()),
        })
        .collect();
    Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(rules) }))
}

fn cors_rule(rule: CORSRule) -> Result<CorsRule, Failure> {
    if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(Failure::invalid_request(format!(
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        )));
    }
    let headers = rule.allowed_headers.unwrap_or_default();
    for (kind, pattern) in rule
        .allowed_origins
        .iter()
        .map(|pattern| ("Origin", pattern))
        .chain(headers.iter().map(|pattern| ("Header", pattern)))
    {
        if pattern.matches('*').count() > 1 {
            return Err(Failure::invalid_request(format!(
                "Allowed{kind} \"{pattern}\" can not have more than one wildcard."
            )));
        }
    }
    Ok(CorsRule {
        id: rule.id,
        allowed_origins: rule.allowed_origins,
        allowed_methods: rule.allowed_methods,
        allowed_headers: headers,
        expose_headers: rule.expose_headers.unwrap_or_default(),
        max_age_seconds: rule.max_age_seconds.and_then(|seconds| u32::try_from(seconds).ok()),
    })
}

pub(super) async fn put_bucket_cors(
    core: &Arc<Core>,
    request: S3Request<PutBucketCorsInput>,
) -> Result<S3Response<PutBucketCorsOutput>, Failure> {
    let input = request.input;
    let rules: Vec<CorsRule> =
        input.cors_configuration.cors_rules.into_iter().map(cors_rule).collect::<Result<_, _>>()?;
    if rules.is_empty() || rules.len() > MAX_CORS_RULES {
        return Err(Failure::new(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    change(core, input.bucket, input.expected_bucket_owner, move |transaction, bucket| {
        bucket::set_cors(transaction, &bucket.name, &rules)
    })
    .await?;
    Ok(S3Response::new(PutBucketCorsOutput {}))
}

pub(super) async fn delete_bucket_cors(
    core: &Arc<Core>,
    request: S3Request<DeleteBucketCorsInput>,
) -> Result<S3Response<DeleteBucketCorsOutput>, Failure> {
    let input = request.input;
    change(core, input.bucket, input.expected_bucket_owner, |transaction, bucket| {
        bucket::set_cors(transaction, &bucket.name, &[])
    })
    .await?;
    Ok(S3Response::new(DeleteBucketCorsOutput {}))
}

pub(super) async fn get_bucket_notification_configuration(
    core: &Arc<Core>,
    request: S3Request<GetBucketNotificationConfigurationInput>,
) -> Result<S3Response<GetBucketNotificationConfigurationOutput>, Failure> {
    let bucket = find(core, request.input.bucket, request.input.expected_bucket_owner).await?;
    Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: bucket.event_bridge.then(EventBridgeConfiguration::default),
        ..Default::default()
    }))
}

pub(super) async fn put_bucket_notification_configuration(
    core: &Arc<Core>,
    request: S3Request<PutBucketNotificationConfigurationInput>,
) -> Result<S3Response<PutBucketNotificationConfigurationOutput>, Failure> {
    let input = request.input;
    let configuration = input.notification_configuration;
    for (name, given) in [
        (
            "LambdaFunctionConfigurations",
            configuration.lambda_function_configurations.is_some_and(|list| !list.is_empty()),
        ),
        ("QueueConfigurations", configuration.queue_configurations.is_some_and(|list| !list.is_empty())),
        ("TopicConfigurations", configuration.topic_configurations.is_some_and(|list| !list.is_empty())),
    ] {
        if given {
            return Err(Failure::unsupported("PutBucketNotificationConfiguration", name));
        }
    }
    let on = configuration.event_bridge_configuration.is_some();
    change(core, input.bucket, input.expected_bucket_owner, move |transaction, bucket| {
        bucket::set_event_bridge(transaction, &bucket.name, on)
    })
    .await?;
    Ok(S3Response::new(PutBucketNotificationConfigurationOutput {}))
}
