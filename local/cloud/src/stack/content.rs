//! What a deployment puts into buckets: `Metadata.Content` of a bucket names a folder beside the template.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use vodline_core::{ObjectMetadata, Objects};

use super::{Builder, Resource, StackError};
use crate::gateway::content_type;

/// The bundler's files, in the folder `assets`, carry a hash of their contents in their names and never change.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Pages name the built files, so they are asked for anew each time.
const REVALIDATED: &str = "no-cache";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Content {
    folder: String,
    prefix: String,
}

impl Builder<'_> {
    /// Fills a bucket with its content; a folder that does not exist (a site not built yet) is left out and said so.
    pub(super) fn fill(&self, id: &str) -> Result<(), StackError> {
        let Some(resource) = self.resource(id)? else { return Ok(()) };
        let Some(content) = resource.metadata.get("Content") else { return Ok(()) };
        let content =
            Content::deserialize(content).map_err(|error| resource.error("Metadata.Content", error.to_string()))?;
        let folder = self.setting.template.folder().join(&content.folder);
        if !folder.is_dir() {
            tracing::warn!(folder = %folder.display(), "{id} stays empty: the folder of its content is not there");
            return Ok(());
        }
        let bucket = &self.evaluator.resources[id].reference;
        let failed = |path: PathBuf| {
            let logical_id = id.to_owned();
            move |source| StackError::File { logical_id, path, source }
        };
        let mut files = Vec::new();
        walk(&folder, &mut files).map_err(failed(folder.clone()))?;
        for path in files {
            self.put(&resource, bucket, &content.prefix, &folder, &path)?;
        }
        Ok(())
    }

    fn put(
        &self,
        resource: &Resource<'_>,
        bucket: &str,
        prefix: &str,
        folder: &Path,
        path: &Path,
    ) -> Result<(), StackError> {
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let key = format!("{prefix}{name}");
        let file = |source| StackError::File { logical_id: resource.id.into(), path: path.to_owned(), source };
        let objects: &dyn Objects = &*self.services.s3;
        let size = std::fs::metadata(path).map_err(file)?.len();
        if let Ok(stored) = objects.get(bucket, &key)
            && stored.info.size_bytes == size
            && std::fs::read(&stored.path).ok() == std::fs::read(path).ok()
        {
            return Ok(());
        }
        // `put_file` moves; what is deployed stays where it is.
        let copy = self.setting.scratch.join(format!("content-{}", self.setting.entropy.hex(16)));
        std::fs::create_dir_all(&self.setting.scratch).map_err(file)?;
        std::fs::copy(path, &copy).map_err(file)?;
        let metadata = ObjectMetadata {
            content_type: Some(content_type(&name).to_owned()),
            cache_control: Some(if name.starts_with("assets/") { IMMUTABLE } else { REVALIDATED }.into()),
            ..ObjectMetadata::default()
        };
        objects.put_file(bucket, &key, &copy, metadata).map(drop).map_err(resource.refused())
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
