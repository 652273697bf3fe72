//! From when to when a certificate is valid.

use time::{Duration, OffsetDateTime};

use crate::error::CertsError;

/// A hundred years: longer than anybody means it.
pub(crate) const MAX_DAYS: u32 = 36_500;

/// How far the first moment lies in the past, for clients whose clock is slow.
const BACKDATED: Duration = Duration::hours(1);

/// A span of whole seconds, as certificates know no fractions (RFC 5280 section
/// 4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
}

impl Validity {
    /// From now, for so many days.
    pub(crate) fn new(now: OffsetDateTime, days: u32) -> Result<Self, CertsError> {
        if !(1..=MAX_DAYS).contains(&days) {
            return Err(CertsError::Days { got: days });
        }
        let now = now.truncate_to_second();
        Ok(Self {
            not_before: now - BACKDATED,
            not_after: now + Duration::days(days.into()),
        })
    }

    /// The part of it that lies within `outer`.
    pub(crate) fn within(self, outer: Self) -> Self {
        Self {
            not_before: self.not_before.max(outer.not_before),
            not_after: self.not_after.min(outer.not_after),
        }
    }

    pub(crate) fn contains(self, moment: OffsetDateTime) -> bool {
        (self.not_before..=self.not_after).contains(&moment)
    }
}

/// A moment as people read it, in UTC to the second.
pub(crate) fn show(moment: OffsetDateTime) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let utc = moment.to_offset(time::UtcOffset::UTC);
    // Formatting a date in UTC with parts that every date has cannot fail.
    utc.format(format).unwrap_or_else(|_| utc.to_string())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-31 12:00:00.5 UTC);

    #[test]
    fn starts_an_hour_ago_and_counts_the_days_from_now() {
        let validity = Validity::new(NOW, 750).unwrap();
        assert_eq!(validity.not_before, datetime!(2026-01-31 11:00:00 UTC));
        assert_eq!(validity.not_after, datetime!(2028-02-20 12:00:00 UTC));
        assert!(validity.contains(NOW));
        assert!(!validity.contains(validity.not_after + Duration::SECOND));
    }

    #[test]
    fn refuses_spans_that_nobody_means() {
        for days in [0, MAX_DAYS + 1, u32::MAX] {
            assert!(matches!(
                Validity::new(NOW, days),
                Err(CertsError::Days { got }) if got == days
            ));
        }
        assert!(Validity::new(NOW, MAX_DAYS).is_ok());
    }

    #[test]
    fn lies_within_another() {
        let outer = Validity::new(NOW, 10).unwrap();
        let inner = Validity::new(NOW - Duration::days(1), 750).unwrap();
        assert_eq!(inner.within(outer), outer);
    }

    #[test]
    fn is_shown_in_utc() {
        let moment = datetime!(2026-01-31 01:02:03 +2);
        assert_eq!(show(moment), "2026-01-30 23:02:03 UTC");
    }
}
