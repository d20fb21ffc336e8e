//! Applies a delta of a pack to its base
//! (<https://git-scm.com/docs/gitformat-pack#_deltified_representation>).

/// Objects that say to be larger are left to gix: no source file is, and a damaged size must not
/// make us allocate it.
const LARGEST: usize = 16 << 20;

/// The content that `delta` makes of `base`, written over `content`; `None` if the delta is
/// damaged, is for another base, or makes something too large.
pub(super) fn apply(base: &[u8], delta: &[u8], content: &mut Vec<u8>) -> Option<()> {
    let (base_size, delta) = size(delta)?;
    let (size, mut delta) = size(delta)?;
    if base_size != base.len() || size > LARGEST {
        return None;
    }
    content.clear();
    content.reserve(size);
    while let Some((command, rest)) = delta.split_first() {
        let piece;
        // The first bit tells new bytes, which follow, from a copy of a piece of the base.
        if command & 0x80 == 0 {
            (piece, delta) = rest.split_at_checked(usize::from(*command))?;
            if piece.is_empty() {
                return None;
            }
        } else {
            let (start, rest) = number(*command, 4, rest)?;
            let (length, rest) = number(command >> 4, 3, rest)?;
            // By the format, a length of zero stands for 65,536.
            let length = if length == 0 { 0x10000 } else { length };
            piece = base.get(start..start.checked_add(length)?)?;
            delta = rest;
        }
        if content.len() + piece.len() > size {
            return None;
        }
        content.extend_from_slice(piece);
    }
    (content.len() == size).then_some(())
}

/// A size, seven bits in each byte, the low ones first.
fn size(delta: &[u8]) -> Option<(usize, &[u8])> {
    let end = delta.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
    let (bytes, rest) = delta.split_at_checked(end)?;
    let size = bytes.iter().rev().fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
    Some((size, rest))
}

/// A number of as many bytes, the low ones first; only those are there whose bit is set.
fn number(present: u8, bytes: u32, mut delta: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    for place in 0..bytes {
        if present >> place & 1 == 1 {
            let (byte, rest) = delta.split_first()?;
            number |= usize::from(*byte) << (8 * place);
            delta = rest;
        }
    }
    Some((number, delta))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
        let mut content = b"of another file".to_vec();
        apply(base, delta, &mut content).map(|()| content)
    }

    #[test]
    fn pieces_come_from_the_base_and_from_the_delta() {
        let delta = [6, 8, 0x91, 2, 3, 2, b'x', b'y', 0x90, 3];
        assert_eq!(applied(b"abcdef", &delta).unwrap(), b"cdexyabc");
    }

    #[test]
    fn no_length_is_the_longest_and_sizes_may_take_more_bytes() {
        let base = vec![7; 0x10000];
        let delta = [0x80, 0x80, 4, 0x80, 0x80, 4, 0x80];
        assert_eq!(applied(&base, &delta).unwrap(), base);
    }

    #[test]
    fn what_is_damaged_or_for_another_base_is_refused() {
        for delta in [
            &[6, 3, 0x91, 2][..],
            &[6, 3, 0x91, 4, 3],
            &[5, 3, 0x90, 3],
            &[6, 2, 0x90, 3],
            &[6, 4, 0x90, 3],
            &[6, 0, 0],
            &[6, 3, 3, b'x'],
            &[0x80; 12],
            &[],
        ] {
            assert_eq!(applied(b"abcdef", delta), None, "{delta:?}");
        }
    }
}
