//! Sums of points that were decoded here.

use super::Decoded;
use super::decode::D;
use super::field::Field;
use super::order::Test;
use crate::guard::forbids;

/// A sum in extended coordinates: x = X/Z, y = Y/Z, x·y = T/Z.
#[derive(Clone, Copy)]
struct Sum {
    x: Field,
    y: Field,
    z: Field,
    t: Field,
}

impl Sum {
    const IDENTITY: Self = Self { x: Field::ZERO, y: Field::ONE, z: Field::ONE, t: Field::ZERO };

    /// Hisil, Wong, Carter and Dawson 2008, Section 3.1, which holds for all points, with a Z of one.
    fn add(&self, point: &Decoded) -> Self {
        let minus = (self.y - self.x) * (point.y - point.x);
        let plus = (self.y + self.x) * (point.y + point.x);
        let (twist, scale) = (self.t * (D * point.x * point.y).double(), self.z.double());
        let (x_over, x_under) = (plus - minus, scale - twist);
        let (y_over, y_under) = (plus + minus, scale + twist);
        Self { x: x_over * x_under, y: y_under * y_over, z: x_under * y_under, t: x_over * y_over }
    }
}

/// Sums by columns, of points whose order is tested at the end.
pub(in crate::suite) struct Sums<'a> {
    sums: Vec<Sum>,
    test: Test<'a>,
}

impl<'a> Sums<'a> {
    /// So many empty sums, to decode so many points; `seed` must bind all of these.
    pub(in crate::suite) fn new(columns: usize, points: usize, seed: &'a [u8; 64]) -> Self {
        Self { sums: vec![Sum::IDENTITY; columns], test: Test::new(points, seed) }
    }

    /// Adds a row's points to the sums, and tests others with them. `None` when one is not of prime order, if that is
    /// already known.
    pub(in crate::suite) fn take<'b>(
        &mut self,
        row: impl Iterator<Item = &'b [u8; 32]>,
        others: impl Iterator<Item = &'b [u8; 32]>,
    ) -> Option<()> {
        let mut columns = self.sums.iter_mut();
        for bytes in row {
            let (point, sum) = (Decoded::from_bytes(bytes)?, columns.next()?);
            *sum = sum.add(&point);
            self.test.take(&point).then_some(())?;
        }
        for bytes in others {
            self.test.take(&Decoded::from_bytes(bytes)?).then_some(())?;
        }
        Some(())
    }

    /// The encoded sums, of points that are all of prime order.
    pub(in crate::suite) fn finish(self) -> Option<Vec<[u8; 32]>> {
        if forbids!(SumsOfPrimeOrder, !self.test.passes()) {
            return None;
        }
        Some(encode_all(&self.sums))
    }
}

/// RFC 8032's encodings, with one inversion for all (Montgomery's trick).
fn encode_all(sums: &[Sum]) -> Vec<[u8; 32]> {
    let mut products = Vec::with_capacity(sums.len());
    let whole = sums.iter().fold(Field::ONE, |product, sum| {
        products.push(product);
        product * sum.z
    });
    let mut inverse = whole.invert();
    let mut encoded = Vec::with_capacity(sums.len());
    for (sum, before) in sums.iter().zip(products).rev() {
        let own = inverse * before;
        inverse = inverse * sum.z;
        encoded.push(encode(sum.x * own, sum.y * own));
    }
    encoded.reverse();
    encoded
}

fn encode(x: Field, y: Field) -> [u8; 32] {
    let mut bytes = y.to_bytes();
    if let Some(high) = bytes.last_mut() {
        *high |= u8::from(x.is_odd()) << 7;
    }
    bytes
}
