//! The media types of manifests.

use std::fmt;

/// The manifests that can be pushed, the two forms of Docker's first format
/// only where the settings say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ManifestType {
    /// `application/vnd.oci.image.manifest.v1+json`
    OciManifest,
    /// `application/vnd.oci.image.index.v1+json`
    OciIndex,
    /// `application/vnd.docker.distribution.manifest.v2+json`
    DockerManifest,
    /// `application/vnd.docker.distribution.manifest.list.v2+json`
    DockerList,
    /// `application/vnd.docker.distribution.manifest.v1+json`: as it is stored, without signatures.
    DockerSchema1,
    /// `application/vnd.docker.distribution.manifest.v1+prettyjws`: as it is pushed and served.
    DockerSchema1Signed,
}

impl ManifestType {
    const ALL: [Self; 6] = [
        Self::OciManifest,
        Self::OciIndex,
        Self::DockerManifest,
        Self::DockerList,
        Self::DockerSchema1,
        Self::DockerSchema1Signed,
    ];

    /// The media type as it stands in `Content-Type` and `mediaType`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OciManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::DockerSchema1 => "application/vnd.docker.distribution.manifest.v1+json",
            Self::DockerSchema1Signed => {
                "application/vnd.docker.distribution.manifest.v1+prettyjws"
            }
        }
    }

    /// Finds the type that a `Content-Type` or a `mediaType` names. Parameters
    /// are ignored, and so is case (RFC 9110 §8.3.1).
    pub fn named(text: &str) -> Option<Self> {
        let essence = text
            .split_once(';')
            .map_or(text, |(essence, _)| essence)
            .trim();
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(essence))
    }

    /// Whether it lists manifests rather than layers.
    pub fn is_index(self) -> bool {
        matches!(self, Self::OciIndex | Self::DockerList)
    }
}

impl fmt::Display for ManifestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Layers that may stay elsewhere: OCI image-spec, "Non-distributable layers",
/// and Docker's foreign layers. A manifest gives the URLs to fetch them from.
pub(super) fn is_nondistributable(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_name() {
        for kind in ManifestType::ALL {
            assert_eq!(ManifestType::named(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn parameters_and_case_do_not_matter() {
        assert_eq!(
            ManifestType::named("Application/vnd.OCI.image.index.v1+json ; charset=utf-8"),
            Some(ManifestType::OciIndex)
        );
        assert_eq!(ManifestType::named("application/json"), None);
        assert_eq!(ManifestType::named(""), None);
    }
}
