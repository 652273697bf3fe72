//! Who is checked in place of users that do not exist.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::users::User;
use crate::hash::StoredHash;

/// Users whose hashes match no password, one for each kind of work that is in
/// the file.
///
/// Each unknown name has its own, always the same, and as large a part of them
/// takes the work of a scheme as of the users who exist: so neither the time
/// that a refusal takes nor its changes from one attempt to the next tell who
/// exists, in a file of which every line is hashed in another way, too. What
/// decides is secret, and outlives restarts and most edits, because it is made
/// of the stored hashes and nothing else: were the names dealt out anew each
/// time, those that exist would be the ones that stay.
pub(super) struct StandIns {
    key: Hmac<Sha256>,
    /// Where each real user stands, in order, and who would do the same work.
    ring: Vec<(u64, Arc<User>)>,
}

impl StandIns {
    /// Makes them for the hashes of a file, of which there must be one at least.
    pub(super) fn of<'a>(hashes: impl Iterator<Item = &'a StoredHash>) -> Self {
        let mut decoys = HashMap::new();
        let mut least = [u8::MAX; 32];
        let mut ring: Vec<_> = hashes
            .map(|hash| {
                let digest: [u8; 32] = Sha256::digest(hash.as_str()).into();
                least = least.min(digest);
                let decoy = decoys
                    .entry(hash.work())
                    .or_insert_with(|| Arc::new(User::stand_in(hash.decoy())));
                (place(&digest), Arc::clone(decoy))
            })
            .collect();
        ring.sort_unstable_by_key(|&(place, _)| place);
        let key = Hmac::new_from_slice(&least).expect("HMAC takes a key of any length");
        Self { key, ring }
    }

    /// The one for a name: of the user who stands next on the ring.
    pub(super) fn find(&self, name: &str) -> &Arc<User> {
        let name = self.key.clone().chain_update(name).finalize().into_bytes();
        let name = place(&name.into());
        let next = self.ring.partition_point(|&(place, _)| place < name);
        let (_, user) = &self.ring[next % self.ring.len()];
        user
    }
}

impl fmt::Debug for StandIns {
    /// The places are made of hashes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIns").finish_non_exhaustive()
    }
}

fn place(digest: &[u8; 32]) -> u64 {
    let [first, ..] = digest.as_chunks::<8>().0 else {
        unreachable!("32 bytes are four times eight")
    };
    u64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(count: usize) -> Vec<StoredHash> {
        let bcrypt = "$2y$04$LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC";
        let sha1 = "{SHA}oPFJCiDQIRyZe0S8NX4Zct6riuM=";
        let of = |text| StoredHash::parse(text).unwrap().decoy();
        (0..count)
            .map(|n| if n % 4 == 0 { of(sha1) } else { of(bcrypt) })
            .collect()
    }

    fn names() -> impl Iterator<Item = String> {
        (0..1000).map(|n| format!("user{n}"))
    }

    #[test]
    fn unknown_users_take_the_work_of_known_ones_in_the_same_parts() {
        let hashes = hashes(400);
        let stand_ins = StandIns::of(hashes.iter());
        let sha1 = names()
            .filter(|name| stand_ins.find(name).hash().work() == hashes[0].work())
            .count();
        // A quarter, give or take six times what chance usually gives or takes.
        assert!((100..=400).contains(&sha1), "{sha1}");
        assert!(names().all(|name| !stand_ins.find(&name).hash().matches(b"")));
    }

    #[test]
    fn a_name_keeps_its_work_after_a_restart_and_an_edit() {
        let mut hashes = hashes(400);
        let before = StandIns::of(hashes.iter());
        // In another order, and without one user, who is not the one with the
        // least digest.
        hashes.sort_by_key(|hash| Sha256::digest(hash.as_str()));
        hashes.remove(200);
        let after = StandIns::of(hashes.iter());
        let moved = names()
            .filter(|name| before.find(name).hash().work() != after.find(name).hash().work())
            .count();
        assert!(moved < 50, "{moved}");
    }

    #[test]
    fn one_user_stands_for_all() {
        let hashes = hashes(1);
        let stand_ins = StandIns::of(hashes.iter());
        assert!(names().all(|name| stand_ins.find(&name).hash().work() == hashes[0].work()));
    }
}
