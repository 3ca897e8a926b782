//! Multipart uploads.

use std::sync::Arc;

use s3s::{
    S3ErrorCode, S3Request, S3Response,
    crypto::{Checksum as _, Md5},
    dto::*,
};

use super::{Caller, check_owner, etag, lists, refuse_customer_keys, refuse_write_fields, size, write};
use crate::{
    bucket::{self, Bucket},
    checksum::{Algorithm, Checksum, ChecksumType as Kind, DEFAULT_ALGORITHM, Declared, checksums_of, set_checksum},
    conditions::WriteCondition,
    details::{Details, details_of},
    event::Cause,
    failure::Failure,
    files::NewFile,
    receive::{Received, receive},
    service::{Core, NewObject},
    uploads::{self, MAX_PARTS, MIN_PART_BYTES, Part, Upload},
    versions::{self, Version, s3_time},
};

/// Hexadecimal digits of an upload id behind the time it begins with.
const UPLOAD_ID_DIGITS: usize = 84;

/// The largest object. Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html> (50 TB since December 2025).
const MAX_OBJECT_BYTES: u64 = 50_000_000_000_000;

pub(super) fn check_number(number: i32) -> Result<(), Failure> {
    if (1..=MAX_PARTS).contains(&number) {
        return Ok(());
    }
    Err(Failure::invalid_argument(format!("Part number must be an integer between 1 and {MAX_PARTS}, inclusive")))
}

pub(super) async fn create_multipart_upload(
    core: &Arc<Core>,
    request: S3Request<CreateMultipartUploadInput>,
) -> Result<S3Response<CreateMultipartUploadOutput>, Failure> {
    let mut input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse_write_fields!("CreateMultipartUpload", input);
    let details = details_of!(input)?;
    let named = input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?;
    let algorithm = named.unwrap_or(DEFAULT_ALGORITHM);
    let kind = match input.checksum_type.as_ref() {
        Some(kind) => Kind::parse(kind.as_str())?,
        None => algorithm.default_type(),
    };
    if !algorithm.allows(kind) {
        return Err(Failure::invalid_request(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.name().to_lowercase()
        )));
    }
    let (bucket, key) = (input.bucket, input.key);
    let answer = CreateMultipartUploadOutput {
        bucket: Some(bucket.clone()),
        key: Some(key.clone()),
        checksum_algorithm: named.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: named.map(|_| ChecksumType::from_static(kind.name())),
        ..Default::default()
    };
    let id = core
        .blocking(move |core| {
            let initiated = core.clock.now();
            let id = format!("{:012x}{}", initiated.as_millisecond(), core.entropy.hex(UPLOAD_ID_DIGITS));
            let upload = Upload { id, key, initiated, details, named, checksum_type: kind, completed: None };
            core.store.write(|transaction| {
                bucket::find(transaction, &bucket)?;
                uploads::insert(transaction, &bucket, &upload)
            })?;
            Ok(upload.id)
        })
        .await?;
    Ok(S3Response::new(CreateMultipartUploadOutput { upload_id: Some(id), ..answer }))
}

/// Holds a part's checksum against what the upload's creator named, in S3's words.
fn check_algorithm(upload: &Upload, sent: Option<Algorithm>) -> Result<(), Failure> {
    let fits = match (upload.named, sent) {
        // What nobody promised is checked where it is sent, and not kept: today's SDKs add a CRC32 to every part.
        (None, _) => true,
        // A composite needs every part's checksum; a whole object's CRC does not.
        (Some(_), None) => upload.checksum_type == Kind::FullObject,
        (named, sent) => named == sent,
    };
    if fits {
        return Ok(());
    }
    let name =
        |algorithm: Option<Algorithm>| algorithm.map_or("null".into(), |algorithm| algorithm.name().to_lowercase());
    Err(Failure::invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        name(upload.named),
        name(sent)
    )))
}

/// Stores a part whose bytes are on disk.
pub(super) fn store_part(
    core: &Core,
    bucket: &str,
    key: &str,
    upload_id: &str,
    number: i32,
    received: Received,
    checksum: Checksum,
) -> Result<Part, Failure> {
    let part = Part {
        number,
        size_bytes: received.size_bytes,
        etag: hex::encode(received.md5),
        modified: core.clock.now(),
        file: received.file.name().to_owned(),
        checksum,
    };
    let replaced = core.store.write(|transaction| {
        // The upload may have been completed or aborted while the bytes came in.
        uploads::find_open(transaction, bucket, key, upload_id)?;
        uploads::put_part(transaction, upload_id, &part)
    })?;
    received.file.keep();
    core.files.discard(replaced, core.clock.now());
    Ok(part)
}

pub(super) async fn upload_part(
    core: &Arc<Core>,
    request: S3Request<UploadPartInput>,
) -> Result<S3Response<UploadPartOutput>, Failure> {
    let headers = request.headers;
    let trailers = request.trailing_headers;
    let mut input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse_customer_keys!("UploadPart", input);
    check_number(input.part_number)?;
    write::check_length(input.content_length)?;
    let (bucket, key, id) = (input.bucket, input.key, input.upload_id);
    let (wanted_bucket, wanted_key, wanted_id) = (bucket.clone(), key.clone(), id.clone());
    let upload = core
        .blocking(move |core| {
            core.store.read(|connection| uploads::find_open(connection, &wanted_bucket, &wanted_key, &wanted_id))
        })
        .await?;
    let declared = Declared::from_headers(&headers, upload.algorithm())?;
    check_algorithm(&upload, declared.sent())?;
    let algorithms = vec![declared.algorithm, upload.algorithm()];
    let received = receive(core, input.body.take(), algorithms).await?;
    write::check_md5(input.content_md5.as_deref(), &received)?;
    let verified = declared.verify(received.digest(declared.algorithm), trailers.as_ref())?;
    let checksum = Checksum::of_bytes(upload.algorithm(), received.digest(upload.algorithm()));
    let number = input.part_number;
    let part = core.blocking(move |core| store_part(core, &bucket, &key, &id, number, received, checksum)).await?;
    let mut output = UploadPartOutput { e_tag: Some(etag(&part.etag)), ..Default::default() };
    set_checksum!(output, &verified);
    Ok(S3Response::new(output))
}

/// What CompleteMultipartUpload asks for, ready to be held against the store.
struct Completion {
    bucket: String,
    key: String,
    upload_id: String,
    parts: CompletedPartList,
    condition: WriteCondition,
    /// The checksum of the whole that the client expects.
    expected: Option<(Algorithm, String)>,
    kind: Option<Kind>,
    size_bytes: Option<u64>,
    cause: Cause,
}

pub(super) async fn complete_multipart_upload(
    core: &Arc<Core>,
    request: S3Request<CompleteMultipartUploadInput>,
) -> Result<S3Response<CompleteMultipartUploadOutput>, Failure> {
    let caller = Caller::of(core, &request)?;
    let input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse_customer_keys!("CompleteMultipartUpload", input);
    let expected = checksums_of!(input).next().map(|(algorithm, value)| (algorithm, value.to_owned()));
    let completion = Completion {
        parts: input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default(),
        condition: WriteCondition { if_match: input.if_match, if_none_match: input.if_none_match }
            .checked("CompleteMultipartUpload")?,
        expected,
        kind: input.checksum_type.as_ref().map(|kind| Kind::parse(kind.as_str())).transpose()?,
        size_bytes: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
        cause: caller.cause("CompleteMultipartUpload"),
        bucket: input.bucket,
        key: input.key,
        upload_id: input.upload_id,
    };
    let (bucket, version) = core.blocking(move |core| complete(core, completion)).await?;
    let location = format!(
        "https://{}.s3.{}.amazonaws.com/{}",
        bucket.name,
        core.account.region,
        percent_encoding::utf8_percent_encode(&version.key, percent_encoding::NON_ALPHANUMERIC)
    );
    let mut output = CompleteMultipartUploadOutput {
        e_tag: Some(etag(&version.etag)),
        location: Some(location),
        version_id: version.shown_id(&bucket),
        bucket: Some(bucket.name),
        ..Default::default()
    };
    if let Some(checksum) = &version.details.checksum {
        set_checksum!(output, checksum);
        output.checksum_type = Some(ChecksumType::from_static(checksum.kind.name()));
    }
    output.key = Some(version.key);
    Ok(S3Response::new(output))
}

fn complete(core: &Core, completion: Completion) -> Result<(Bucket, Version), Failure> {
    let Completion { bucket, key, upload_id, parts: wanted, condition, expected, kind, size_bytes, cause } = completion;
    let (upload, stored, done) = core.store.read(|connection| {
        let bucket = bucket::find(connection, &bucket)?;
        let upload = uploads::find(connection, &bucket.name, &key, &upload_id)?;
        let stored = uploads::parts(connection, &upload_id, 0, usize::try_from(MAX_PARTS).unwrap_or_default())?;
        // A completion whose answer was lost is repeated, and answered from the version it made.
        let done = match upload.completed {
            None => None,
            Some(sequence) => {
                let version = versions::by_sequence(connection, &bucket.name, &key, sequence)?;
                Some((bucket, version.ok_or_else(Failure::no_such_upload)?))
            }
        };
        Ok::<_, Failure>((upload, stored, done))
    })?;
    if let Some(done) = done {
        return Ok(done);
    }
    let parts = choose(&upload, &wanted, stored)?;
    let size: u64 = parts.iter().map(|part| part.size_bytes).sum();
    if size > MAX_OBJECT_BYTES {
        return Err(Failure::new(
            S3ErrorCode::EntityTooLarge,
            "Your proposed upload exceeds the maximum allowed object size.",
        ));
    }
    if size_bytes.is_some_and(|expected| expected != size) {
        return Err(Failure::invalid_request(
            "The provided 'x-amz-mp-object-size' header does not match what was computed.",
        ));
    }
    if kind.is_some_and(|kind| kind != upload.checksum_type) {
        return Err(Failure::invalid_request(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            upload.checksum_type.name()
        )));
    }
    let pieces: Vec<(Checksum, u64)> = parts.iter().map(|part| (part.checksum.clone(), part.size_bytes)).collect();
    let checksum = Checksum::of_parts(upload.algorithm(), upload.checksum_type, &pieces)?;
    if let Some((algorithm, expected)) = expected
        && (algorithm != checksum.algorithm || expected != checksum.value)
    {
        return Err(Failure::new(
            S3ErrorCode::BadDigest,
            format!("The {} you specified did not match the calculated checksum.", algorithm.name().to_lowercase()),
        ));
    }
    let object = NewObject {
        bucket: bucket.clone(),
        key: key.clone(),
        file: join(core, &parts)?,
        size_bytes: size,
        etag: etag_of_parts(&parts)?,
        details: Details { checksum: Some(checksum), ..upload.details },
        part_sizes: parts.iter().map(|part| part.size_bytes).collect(),
        condition,
        cause,
    };
    core.put(object, |transaction, version| {
        uploads::find_open(transaction, &bucket, &key, &upload_id)?;
        uploads::complete(transaction, &upload_id, version.sequence)
    })
}

/// The stored parts that the client lists, in its order, if they are what it says they are.
fn choose(upload: &Upload, wanted: &[CompletedPart], stored: Vec<Part>) -> Result<Vec<Part>, Failure> {
    if wanted.is_empty() {
        return Err(Failure::new(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    if wanted.windows(2).any(|pair| pair[0].part_number >= pair[1].part_number) {
        return Err(Failure::new(
            S3ErrorCode::InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    let invalid = || {
        Failure::new(
            S3ErrorCode::InvalidPart,
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified \
             entity tag may not match the part's entity tag.",
        )
    };
    let mut stored: std::collections::HashMap<i32, Part> = stored.into_iter().map(|part| (part.number, part)).collect();
    let mut chosen = Vec::with_capacity(wanted.len());
    for part in wanted {
        let found = part.part_number.and_then(|number| stored.remove(&number)).ok_or_else(invalid)?;
        if part.e_tag.as_ref().is_none_or(|etag| etag.value() != found.etag) {
            return Err(invalid());
        }
        let mut sent = checksums_of!(part).peekable();
        if let (Some(named), Kind::Composite, None) = (upload.named, upload.checksum_type, sent.peek()) {
            return Err(Failure::invalid_request(format!(
                "The upload was created using a {} checksum. The complete request must include the checksum for each part. It \
                 was missing for part {} in the request.",
                named.name().to_lowercase(),
                found.number
            )));
        }
        if sent.any(|(algorithm, value)| algorithm != found.checksum.algorithm || value != found.checksum.value) {
            return Err(invalid());
        }
        chosen.push(found);
    }
    if let Some((_, others)) = chosen.split_last()
        && let Some(small) = others.iter().find(|part| part.size_bytes < MIN_PART_BYTES)
    {
        return Err(Failure::new(
            S3ErrorCode::EntityTooSmall,
            format!(
                "Your proposed upload is smaller than the minimum allowed size (part {} has {} bytes)",
                small.number, small.size_bytes
            ),
        ));
    }
    Ok(chosen)
}

/// The MD5 of the parts' MD5s, and how many they are.
fn etag_of_parts(parts: &[Part]) -> Result<String, Failure> {
    let mut md5 = Md5::new();
    for part in parts {
        let digest = hex::decode(&part.etag)
            .map_err(|_| vodline_core::StoreError::Corrupt(format!("the ETag {} is not hexadecimal", part.etag)))?;
        md5.update(&digest);
    }
    Ok(format!("{}-{}", hex::encode(md5.finalize()), parts.len()))
}

/// One file of all parts. The kernel copies, where it can without moving the bytes.
fn join(core: &Core, parts: &[Part]) -> Result<NewFile, Failure> {
    if let [only] = parts {
        return core.files.link(&only.file);
    }
    let (new, mut file) = core.files.create()?;
    for part in parts {
        let copied = std::io::copy(&mut core.files.read(&part.file)?, &mut file)
            .map_err(Failure::disk("joined from its parts"))?;
        if copied != part.size_bytes {
            let short = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(Failure::disk("joined from its parts")(short));
        }
    }
    Ok(new)
}

pub(super) async fn abort_multipart_upload(
    core: &Arc<Core>,
    request: S3Request<AbortMultipartUploadInput>,
) -> Result<S3Response<AbortMultipartUploadOutput>, Failure> {
    let input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    super::refuse!("AbortMultipartUpload", input, if_match_initiated_time => "IfMatchInitiatedTime");
    core.blocking(move |core| {
        let files = core.store.write(|transaction| {
            let bucket = bucket::find(transaction, &input.bucket)?;
            uploads::find_open(transaction, &bucket.name, &input.key, &input.upload_id)?;
            uploads::abort(transaction, &input.upload_id)
        })?;
        core.files.discard(files, core.clock.now());
        Ok(())
    })
    .await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

pub(super) async fn list_parts(
    core: &Arc<Core>,
    request: S3Request<ListPartsInput>,
) -> Result<S3Response<ListPartsOutput>, Failure> {
    let input = request.input;
    check_owner(core, input.expected_bucket_owner.as_deref())?;
    refuse_customer_keys!("ListParts", input);
    let after = input.part_number_marker.unwrap_or_default();
    let max_parts = input.max_parts;
    let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    let (upload, parts, more, max_parts) = core
        .blocking(move |core| {
            let upload = core.store.read(|connection| {
                bucket::find(connection, &bucket)?;
                uploads::find_open(connection, &bucket, &key, &id)
            })?;
            let (parts, more, max_parts) = lists::parts(core, &upload, after, max_parts)?;
            Ok((upload, parts, more, max_parts))
        })
        .await?;
    let owner = lists::owner(core);
    let next = parts.last().filter(|_| more).map(|part| part.number);
    let parts = parts.into_iter().map(|part| {
        let mut shown = s3s::dto::Part {
            e_tag: Some(etag(&part.etag)),
            last_modified: Some(s3_time(part.modified)),
            part_number: Some(part.number),
            size: Some(size(part.size_bytes)),
            ..Default::default()
        };
        if upload.named.is_some() {
            set_checksum!(shown, &part.checksum);
        }
        shown
    });
    Ok(S3Response::new(ListPartsOutput {
        parts: Some(parts.collect()),
        bucket: Some(input.bucket),
        checksum_algorithm: upload.named.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: upload.named.map(|_| ChecksumType::from_static(upload.checksum_type.name())),
        initiator: Some(Initiator { display_name: None, id: owner.id.clone() }),
        is_truncated: Some(more),
        key: Some(input.key),
        max_parts: Some(max_parts),
        next_part_number_marker: next,
        owner: Some(owner),
        part_number_marker: Some(after),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(input.upload_id),
        ..Default::default()
    }))
}
