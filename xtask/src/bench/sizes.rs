//! How much work there is in each case.

/// Amounts and sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Bytes of the layer that is pulled and pushed.
    pub(crate) layer: u64,
    /// How many blobs of 10 KiB are pulled.
    pub(crate) small_blobs: usize,
    /// How many blobs of 1 MiB are pushed.
    pub(crate) pushed_blobs: usize,
    /// The unit of the mixed load: blobs of 1, 10 and 100 of these, in bytes.
    pub(crate) mixed_unit: u64,
    /// Bytes of each layer of the image that docker pushes.
    pub(crate) docker_layer: u64,
    /// Bytes of the huge blob.
    pub(crate) huge: u64,
    /// Connections that do nothing.
    pub(crate) idle: usize,
    /// Repositories in the catalog.
    pub(crate) repositories: usize,
    /// Tags of one repository.
    pub(crate) tags: usize,
    /// Manifests of the registry whose garbage is collected; each has 100
    /// layers, and 100 more are nobody's.
    pub(crate) collected_manifests: usize,
}

impl Sizes {
    /// What the report says.
    pub(crate) const FULL: Self = Self {
        layer: 512 << 20,
        small_blobs: 1_000,
        pushed_blobs: 100,
        mixed_unit: 1_000_000,
        docker_layer: 16 << 20,
        huge: 10 << 30,
        idle: 2_000,
        repositories: 10_000,
        tags: 100_000,
        collected_manifests: 500,
    };

    /// Enough to see that every case works.
    pub(crate) const SMALL: Self = Self {
        layer: 8 << 20,
        small_blobs: 20,
        pushed_blobs: 16,
        mixed_unit: 10_000,
        docker_layer: 64 << 10,
        huge: 64 << 20,
        idle: 100,
        repositories: 200,
        tags: 500,
        collected_manifests: 3,
    };
}
