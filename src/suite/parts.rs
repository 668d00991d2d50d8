//! Many terms by parts: what is computed of some at once takes memory for each of them.

/// As few parts of at most so many as there can be, each about as large as the others.
pub(crate) fn parts<T>(whole: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    let count = whole.len().div_ceil(most).max(1);
    whole.chunks(whole.len().div_ceil(count).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_whole_and_alike() {
        let sizes = |whole: usize, most| -> Vec<usize> {
            let whole: Vec<_> = (0..whole).collect();
            assert_eq!(parts(&whole, most).flatten().copied().collect::<Vec<_>>(), whole);
            parts(&whole, most).map(<[_]>::len).collect()
        };
        assert!(sizes(0, 3).is_empty());
        assert_eq!(sizes(3, 3), [3]);
        assert_eq!(sizes(4, 3), [2, 2]);
        assert_eq!(sizes(667, 512), [334, 333]);
        assert_eq!(sizes(10, 4), [4, 4, 2]);
    }
}
