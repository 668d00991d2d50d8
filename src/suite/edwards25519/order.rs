//! Whether many points are of prime order, from their symbols.

use sha2::{Digest, Sha512};

use super::Decoded;
use super::field::{Field, are_fourth_powers};

/// From so many points on products cost less than an exponentiation for each.
pub(super) const MANY: usize = 160;
/// How many products: each misses a point of another order with probability 1/2 at most.
const PRODUCTS: usize = 128;
/// How many points share a table of the products of their subsets, which has `1 << BLOCK` entries.
const BLOCK: usize = 6;

/// Whether all points are of prime order.
pub(in crate::suite) fn are_of_prime_order(points: &[Decoded], seed: &[u8; 64]) -> bool {
    let mut test = Test::new(points.len(), seed);
    points.iter().all(|point| test.take(point)) && test.passes()
}

/// [`are_of_prime_order`] of points that come one after the other.
pub(super) enum Test<'a> {
    /// Each by itself, in pairs; the one that waits for its pair.
    Each(Option<Field>),
    /// Products of random subsets.
    ///
    /// A symbol that is no fourth power: with and without it at most one of two products is one, whatever the others in
    /// it are. So what is wrong passes with probability 2^-128, over the hash that draws the subsets. That products in the
    /// field are looked at is enough; of a sum of points the symbol is not the product of theirs.
    Products { seed: &'a [u8; 64], block: Vec<Field>, blocks: u64, products: Vec<Field> },
}

impl<'a> Test<'a> {
    /// A test of so many points; `seed` must bind all of them.
    pub(super) fn new(count: usize, seed: &'a [u8; 64]) -> Self {
        if count < MANY {
            return Self::Each(None);
        }
        Self::Products { seed, block: Vec::with_capacity(BLOCK), blocks: 0, products: vec![Field::ONE; PRODUCTS] }
    }

    /// Takes the next point; false when a point is known to be of another order.
    pub(super) fn take(&mut self, point: &Decoded) -> bool {
        match self {
            Self::Each(waiting) => {
                if let Some(other) = waiting.take() {
                    return are_fourth_powers([other, point.symbol]);
                }
                *waiting = Some(point.symbol);
                true
            }
            Self::Products { seed, block, blocks, products } => {
                block.push(point.symbol);
                if block.len() == BLOCK {
                    multiply(products, block, seed, *blocks);
                    block.clear();
                    *blocks += 1;
                }
                true
            }
        }
    }

    /// Whether all that were taken are of prime order, given that each `take` said that it may be.
    pub(super) fn passes(self) -> bool {
        match self {
            Self::Each(waiting) => waiting.is_none_or(|symbol| are_fourth_powers([symbol, Field::ONE])),
            Self::Products { seed, block, blocks, mut products } => {
                multiply(&mut products, &block, seed, blocks);
                products.as_chunks().0.iter().all(|pair| are_fourth_powers(*pair))
            }
        }
    }
}

/// Multiplies each product by that of a random subset of the block.
fn multiply(products: &mut [Field], block: &[Field], seed: &[u8; 64], number: u64) {
    let mut subsets = [Field::ONE; 1 << BLOCK];
    let mut count = 1;
    for symbol in block {
        let (without, with) = subsets.split_at_mut(count);
        with.iter_mut().zip(without.iter()).for_each(|(with, without)| *with = *without * *symbol);
        count *= 2;
    }
    for (product, index) in products.iter_mut().zip(draw(seed, number)) {
        if let Some(subset) = subsets.get(usize::from(index) % count) {
            *product = *product * *subset;
        }
    }
}

/// A uniform byte for each of the [`PRODUCTS`].
fn draw(seed: &[u8; 64], block: u64) -> impl Iterator<Item = u8> {
    let hash = move |half: u8| {
        <[u8; 64]>::from(
            Sha512::new_with_prefix(seed).chain_update(block.to_le_bytes()).chain_update([half]).finalize(),
        )
    };
    (0..2).flat_map(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_of_a_block_is_in_about_half_of_the_products() {
        let other = Field::ONE.double();
        for place in 0..BLOCK {
            for number in 0..4 {
                let mut block = [Field::ONE; BLOCK];
                block[place] = other;
                let mut products = vec![Field::ONE; PRODUCTS];
                multiply(&mut products, &block, &[7; 64], number);
                let drawn = products.iter().filter(|product| product.to_bytes() == other.to_bytes()).count();
                assert!((PRODUCTS / 4..PRODUCTS * 3 / 4).contains(&drawn), "{drawn} at {place}");
            }
        }
    }
}
