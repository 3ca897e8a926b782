//! The port for the home's services that work on files.

use std::path::Path;

use s3s::crypto::{Checksum as _, Md5};
use vodline_core::{AwsError, ObjectBody, ObjectInfo, ObjectMetadata, Objects};

use crate::{
    bucket,
    checksum::{Checksum, DEFAULT_ALGORITHM, Hasher},
    conditions::WriteCondition,
    details::Details,
    failure::Failure,
    listing::{Current, Page, Query, Start, list},
    service::{Core, NewObject, S3},
    versions,
};

/// Objects per walk of [`Objects::list`].
const PAGE: usize = 1000;

impl Objects for S3 {
    fn get(&self, bucket: &str, key: &str) -> Result<ObjectBody, AwsError> {
        let (bucket, version) = self.core.store.read(|connection| {
            let bucket = bucket::find(connection, bucket)?;
            let version = versions::readable(connection, &bucket, key, None)?;
            Ok::<_, Failure>((bucket, version))
        })?;
        Ok(ObjectBody { info: version.info(&bucket), path: self.core.files.path(&version.file) })
    }

    fn put_file(&self, bucket: &str, key: &str, from: &Path, metadata: ObjectMetadata) -> Result<ObjectInfo, AwsError> {
        Ok(put_file(&self.core, bucket, key, from, metadata)?)
    }

    fn delete(&self, bucket: &str, key: &str) -> Result<(), AwsError> {
        self.core.delete(bucket, key, None, |_| Ok(()), &self.core.internal_cause("DeleteObject"))?;
        Ok(())
    }

    fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectInfo>, AwsError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let query = Query { prefix: prefix.into(), delimiter: None, start, limit: PAGE };
            let (bucket, page) = self.core.store.read(|connection| {
                let bucket = bucket::find(connection, bucket)?;
                let page: Page<Current> = list(connection, &bucket.name, &query)?;
                Ok::<_, Failure>((bucket, page))
            })?;
            found.extend(page.items.into_iter().map(|item| item.0.info(&bucket)));
            match page.next {
                Some(next) => start = Some(Start::AfterKey(next)),
                None => return Ok(found),
            }
        }
    }
}

fn put_file(
    core: &Core,
    bucket: &str,
    key: &str,
    from: &Path,
    metadata: ObjectMetadata,
) -> Result<ObjectInfo, Failure> {
    // Refused before the file is moved, so that it is still the caller's.
    core.store.read(|connection| bucket::find(connection, bucket))?;
    let details = Details::from(metadata).check()?;
    let file = core.files.adopt(from)?;
    let (mut md5, mut hasher) = (Md5::new(), Hasher::new(DEFAULT_ALGORITHM));
    let mut size_bytes = 0;
    let mut reader = core.files.read(file.name())?;
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        let read = std::io::Read::read(&mut reader, &mut buffer).map_err(Failure::disk("read"))?;
        if read == 0 {
            break;
        }
        size_bytes += read as u64;
        md5.update(&buffer[..read]);
        hasher.update(&buffer[..read]);
    }
    let checksum = Checksum::of_bytes(DEFAULT_ALGORITHM, &hasher.finish());
    let object = NewObject {
        bucket: bucket.into(),
        key: key.into(),
        file,
        size_bytes,
        etag: hex::encode(md5.finalize()),
        details: Details { checksum: Some(checksum), ..details },
        part_sizes: Vec::new(),
        condition: WriteCondition::default(),
        cause: core.internal_cause("PutObject"),
    };
    let (bucket, version) = core.put(object, |_, _| Ok(Vec::new()))?;
    Ok(version.info(&bucket))
}
