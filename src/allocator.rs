//! The allocator, and how it is set.

/// jemalloc: most of what a request takes is of the size of what the one before
/// gave back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What is unused goes back to the system after a second, at once and not by way
/// of pages that only count as free when others want them. The default of ten
/// seconds kept three times as much after two thousand connections had gone.
#[expect(
    unsafe_code,
    reason = "jemalloc looks for this name; it is a pointer to text that ends with a zero byte"
)]
#[used]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: &[u8; 37] = b"dirty_decay_ms:1000,muzzy_decay_ms:0\0";
