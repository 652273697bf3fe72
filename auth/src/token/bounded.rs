//! Lists in a token, which have an end.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// A list of `N` entries at most. Reading stops at the next.
pub(super) struct AtMost<const N: usize, T>(pub(super) Vec<T>);

impl<'de, const N: usize, T: Deserialize<'de>> Deserialize<'de> for AtMost<N, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<const N: usize, T>(PhantomData<T>);

impl<'de, const N: usize, T: Deserialize<'de>> Visitor<'de> for ListVisitor<N, T> {
    type Value = AtMost<N, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of {N} entries at most")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() == N {
                return Err(A::Error::custom(format_args!("more than {N} entries")));
            }
            entries.push(entry);
        }
        Ok(AtMost(entries))
    }
}

/// One text, or a list of them: what `aud` may be (RFC 7519 section 4.1.3).
pub(super) struct OneOrMore<const N: usize>(pub(super) Vec<Box<str>>);

impl<'de, const N: usize> Deserialize<'de> for OneOrMore<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<const N: usize>;
        impl<'de, const N: usize> Visitor<'de> for Either<N> {
            type Value = OneOrMore<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text or a list of {N} at most")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMore(vec![text.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                let list = ListVisitor::<N, Box<str>>(PhantomData).visit_seq(list)?;
                Ok(OneOrMore(list.0))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
