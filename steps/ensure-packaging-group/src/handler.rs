//! The first group with room, made when it is not there.

use std::future::Future;

use vodline_contracts::{
    ErrorCode,
    packaging::{PackagingConfiguration, PackagingFormat, PackagingGroup},
    steps::EnsurePackagingGroupInput,
};
use vodline_step::StepError;

/// Assets that a group holds.
/// Source: <https://docs.aws.amazon.com/mediapackage/latest/ug/vod-quotas.html>.
const ASSETS_MAX: u64 = 10_000;
/// Groups in a Region, by the same source.
const GROUPS_MAX: u32 = 10;
/// The count is approximate, and other runs are about to add to it: this much room is left.
const ASSETS_SPARED: u64 = 200;

/// What the line wants of its groups.
#[derive(Clone, Debug)]
pub struct Packaging {
    /// Groups are `<prefix>-1`, `<prefix>-2`, and so on.
    pub group_prefix: String,
    /// What to package into.
    pub formats: Vec<PackagingFormat>,
}

/// A group, as MediaPackage tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// With scheme, as MediaPackage gives it.
    pub domain_name: String,
    /// How many assets are in it, roughly.
    pub asset_count: u64,
    /// Whether it answers only those who know the secret.
    pub is_authorized: bool,
}

/// What became of an attempt to create something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created<T> {
    /// It is there.
    Yes(T),
    /// MediaPackage would not, in these words: mostly because someone else has created it meanwhile. There is no other sign
    /// of a conflict in this API.
    Refused(String),
}

/// What the step touches.
pub trait Ports {
    /// What the line wants of its groups.
    fn packaging(&self) -> &Packaging;
    /// The group of this id.
    fn group(&self, id: &str) -> impl Future<Output = Result<Option<Group>, StepError>>;
    /// Creates a group, with CDN authorization.
    fn create_group(&self, id: &str) -> impl Future<Output = Result<Created<Group>, StepError>>;
    /// Whether there is such a configuration.
    fn has_configuration(&self, id: &str) -> impl Future<Output = Result<bool, StepError>>;
    /// Creates a configuration of a group.
    fn create_configuration(
        &self,
        group_id: &str,
        id: &str,
        format: PackagingFormat,
    ) -> impl Future<Output = Result<Created<()>, StepError>>;
}

/// Finds or makes the group. Any number of runs may do so at the same time and end up with the same.
///
/// # Errors
/// [`ErrorCode::PackagingFailed`] when there is no room left or a group is open to everyone, and what MediaPackage answers.
pub async fn handle(_: EnsurePackagingGroupInput, ports: &impl Ports) -> Result<PackagingGroup, StepError> {
    let packaging = ports.packaging();
    for number in 1..=GROUPS_MAX {
        let id = format!("{}-{number}", packaging.group_prefix);
        let group = ensure_group(&id, ports).await?;
        if group.asset_count + ASSETS_SPARED > ASSETS_MAX {
            tracing::info!(group = id, assets = group.asset_count, "the packaging group is full");
            continue;
        }
        if !group.is_authorized {
            return Err(StepError::new(
                ErrorCode::PackagingFailed,
                format!("the packaging group {id} has no CDN authorization: anyone could play from it directly"),
            ));
        }
        let mut configurations = Vec::new();
        for &format in &packaging.formats {
            configurations.push(ensure_configuration(&id, format, ports).await?);
        }
        let domain_name = group.domain_name.trim_start_matches("https://").trim_end_matches('/').to_owned();
        return Ok(PackagingGroup { packaging_group_id: id, domain_name, configurations });
    }
    Err(StepError::new(
        ErrorCode::PackagingFailed,
        format!("all {GROUPS_MAX} packaging groups are full; ask for a higher quota, or delete videos"),
    ))
}

async fn ensure_group(id: &str, ports: &impl Ports) -> Result<Group, StepError> {
    if let Some(group) = ports.group(id).await? {
        return Ok(group);
    }
    match ports.create_group(id).await? {
        Created::Yes(group) => {
            tracing::info!(group = id, "made a packaging group");
            Ok(group)
        }
        Created::Refused(words) => ports.group(id).await?.ok_or_else(|| refused(id, &words)),
    }
}

async fn ensure_configuration(
    group_id: &str,
    format: PackagingFormat,
    ports: &impl Ports,
) -> Result<PackagingConfiguration, StepError> {
    let id = format!("{group_id}-{}", format.as_str());
    if !ports.has_configuration(&id).await? {
        match ports.create_configuration(group_id, &id, format).await? {
            Created::Yes(()) => tracing::info!(configuration = id, "made a packaging configuration"),
            Created::Refused(_) if ports.has_configuration(&id).await? => {}
            Created::Refused(words) => return Err(refused(&id, &words)),
        }
    }
    Ok(PackagingConfiguration { id, format })
}

fn refused(id: &str, words: &str) -> StepError {
    StepError::new(ErrorCode::PackagingFailed, format!("MediaPackage would not create {id}: {words}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::{cell::RefCell, collections::BTreeMap};

    use vodline_contracts::{VideoId, steps::Run};

    use super::*;

    /// MediaPackage, of which each group and configuration can be created once.
    struct Fake {
        packaging: Packaging,
        groups: RefCell<BTreeMap<String, Group>>,
        configurations: RefCell<Vec<String>>,
        /// What someone else creates just before this run tries to.
        meanwhile: Option<Group>,
        refuses: bool,
    }

    fn group(asset_count: u64) -> Group {
        Group { domain_name: "https://h.egress.example".to_owned(), asset_count, is_authorized: true }
    }

    fn fake(groups: &[(&str, Group)]) -> Fake {
        Fake {
            packaging: Packaging {
                group_prefix: "vod".to_owned(),
                formats: vec![PackagingFormat::Hls, PackagingFormat::Dash],
            },
            groups: RefCell::new(groups.iter().map(|(id, group)| ((*id).to_owned(), group.clone())).collect()),
            configurations: RefCell::default(),
            meanwhile: None,
            refuses: false,
        }
    }

    impl Ports for Fake {
        fn packaging(&self) -> &Packaging {
            &self.packaging
        }

        async fn group(&self, id: &str) -> Result<Option<Group>, StepError> {
            Ok(self.groups.borrow().get(id).cloned())
        }

        async fn create_group(&self, id: &str) -> Result<Created<Group>, StepError> {
            if self.refuses {
                return Ok(Created::Refused("no such role".to_owned()));
            }
            let new = self.meanwhile.clone().unwrap_or_else(|| group(0));
            self.groups.borrow_mut().insert(id.to_owned(), new.clone());
            Ok(if self.meanwhile.is_some() { Created::Refused("it exists".to_owned()) } else { Created::Yes(new) })
        }

        async fn has_configuration(&self, id: &str) -> Result<bool, StepError> {
            Ok(self.configurations.borrow().iter().any(|known| known == id))
        }

        async fn create_configuration(
            &self,
            group_id: &str,
            id: &str,
            format: PackagingFormat,
        ) -> Result<Created<()>, StepError> {
            assert_eq!(id, format!("{group_id}-{}", format.as_str()));
            self.configurations.borrow_mut().push(id.to_owned());
            Ok(if self.meanwhile.is_some() { Created::Refused("it exists".to_owned()) } else { Created::Yes(()) })
        }
    }

    async fn call(fake: &Fake) -> Result<PackagingGroup, StepError> {
        let run = Run { execution_arn: "e".to_owned(), state: "EnsurePackagingGroup".to_owned(), retry_count: 0 };
        handle(EnsurePackagingGroupInput { run, video_id: VideoId::of_object("b", "k", "1") }, fake).await
    }

    async fn check(fake: Fake, expected: &str) {
        let group = call(&fake).await.expect("a group");
        assert_eq!(group.packaging_group_id, expected);
        assert_eq!(group.domain_name, "h.egress.example");
        let ids: Vec<_> = group.configurations.iter().map(|configuration| configuration.id.clone()).collect();
        assert_eq!(ids, [format!("{expected}-hls"), format!("{expected}-dash")]);
        assert_eq!(*fake.configurations.borrow(), ids);
        assert_eq!(call(&fake).await.expect("a group"), group, "twice is as once");
        assert_eq!(*fake.configurations.borrow(), ids);
    }

    #[tokio::test]
    async fn the_first_group_with_room_is_found_or_made() {
        check(fake(&[]), "vod-1").await;
        check(fake(&[("vod-1", group(9_800))]), "vod-1").await;
        check(fake(&[("vod-1", group(9_801))]), "vod-2").await;
        check(fake(&[("vod-1", group(10_000)), ("vod-2", group(10_000))]), "vod-3").await;
    }

    #[tokio::test]
    async fn runs_that_create_at_the_same_time_converge() {
        check(Fake { meanwhile: Some(group(1)), ..fake(&[]) }, "vod-1").await;
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_said() {
        let check = async |fake: Fake, words: &str| {
            let error = call(&fake).await.expect_err("no group");
            assert_eq!(error.code(), ErrorCode::PackagingFailed);
            assert!(error.to_string().contains(words), "{error}");
        };
        check(Fake { refuses: true, ..fake(&[]) }, "no such role").await;
        check(fake(&[("vod-1", Group { is_authorized: false, ..group(0) })]), "no CDN authorization").await;
        let full: Vec<_> = (1..=10).map(|number| format!("vod-{number}")).collect();
        let full: Vec<_> = full.iter().map(|id| (id.as_str(), group(10_000))).collect();
        check(fake(&full), "all 10 packaging groups are full").await;
    }
}
