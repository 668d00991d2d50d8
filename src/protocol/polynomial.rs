//! Polynomials over the scalars: evaluation, in secret and in the exponent, and interpolation.

use core::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::suite::{Ciphersuite, Element, Scalar, parts};
use crate::wire::Identifier;

/// The scalar that stands for a member.
pub(crate) fn point<S: Scalar>(id: Identifier) -> S {
    S::from_u64(u64::from(id.get()))
}

/// The polynomial with these coefficients, constant term first, at `x`. Constant-time in the coefficients.
pub(crate) fn evaluate<S: Scalar>(coefficients: &[S], x: Identifier) -> S {
    let x = point(x);
    coefficients.iter().rev().fold(S::ZERO, |value, coefficient| value * x + *coefficient)
}

/// The committed polynomial at `x`, times the generator. Public data only.
pub(crate) fn evaluate_public<E: Element>(commitment: &[E], x: Identifier) -> E {
    // Identifiers have ten bits: a step is some ten doublings, where a full power of `x` costs several times that.
    commitment.iter().rev().fold(E::IDENTITY, |value, element| small_multiple(&value, x.get()) + *element)
}

/// [`evaluate_public`] at each of these identifiers.
///
/// Where they stand close together, by forward differences: from one number to the next is an addition for each
/// coefficient.
pub(crate) fn evaluate_public_all<E: Element>(
    commitment: &[E],
    ids: impl Iterator<Item = Identifier>,
) -> BTreeMap<Identifier, E> {
    let ids: BTreeSet<_> = ids.collect();
    let last = ids.last().map_or(0, |id| id.get());
    if usize::from(last) > 8 * ids.len() {
        return ids.into_iter().map(|id| (id, evaluate_public(commitment, id))).collect();
    }
    // Moved into what makes the values, so that they are gone when these are put in order.
    let mut differences = differences(commitment);
    let value = move |number: u16| {
        advance(&mut differences, last - number);
        let id = Identifier::new(number).filter(|id| ids.contains(id))?;
        Some((id, *differences.first()?))
    };
    (1..=last).filter_map(value).collect()
}

/// The forward differences at zero, of order 0 and up, of the committed polynomial: its coefficients in the basis of
/// the binomials of `x`.
///
/// Horner's rule in that basis: `x` times "x over k" is `k` times "x over k" and `k + 1` times "x over k + 1".
fn differences<E: Element>(commitment: &[E]) -> Vec<E> {
    let mut differences = Vec::with_capacity(commitment.len());
    for coefficient in commitment.iter().rev() {
        let top = (1..).zip(&differences).last().map(|(order, below)| small_multiple(below, order));
        let cells = Cell::from_mut(differences.as_mut_slice()).as_slice_of_cells();
        // Downwards, so that each takes what its neighbour was before this step.
        for (order, pair) in (1..).zip(cells.windows(2)).collect::<Vec<_>>().into_iter().rev() {
            if let [below, own] = pair {
                own.set(small_multiple(&(below.get() + own.get()), order));
            }
        }
        if let Some(first) = cells.first() {
            first.set(*coefficient);
        }
        differences.push(top.unwrap_or(*coefficient));
    }
    differences
}

/// From the differences at one number to those at the next, up to the order that counts when so many numbers are `left`
/// after it.
fn advance<E: Element>(differences: &mut [E], left: u16) {
    for pair in Cell::from_mut(differences).as_slice_of_cells().windows(2).take(usize::from(left) + 1) {
        if let [own, above] = pair {
            own.set(own.get() + above.get());
        }
    }
}

/// The value at zero of the polynomial through the first `count` of these values. Public data only.
pub(crate) fn interpolate_public<C: Ciphersuite>(
    values: &BTreeMap<Identifier, C::Element>,
    count: usize,
) -> C::Element {
    let first = || values.iter().take(count);
    // Up to there additions of small multiples are less than a sum of products.
    if count <= 120 && (1..).zip(first()).all(|(number, (id, _))| id.get() == number) {
        return before(&first().map(|(_, value)| *value).collect::<Vec<_>>());
    }
    let set: BTreeSet<_> = first().map(|(id, _)| *id).collect();
    let terms: Vec<_> = lagrange_all::<C>(&set).into_iter().zip(values.values().copied()).collect();
    // In parts, for the memory that a sum of products takes beside its terms, in vectors that double at 512.
    let sums = parts(&terms, 512).map(C::Element::vartime_sum_of_products);
    sums.fold(C::Element::IDENTITY, |whole, sum| whole + sum)
}

/// What comes before these values of a polynomial, of a degree below their number, at consecutive places: its
/// difference of that order is nothing, so it is the sum of the values times binomials with alternating signs.
fn before<E: Element>(values: &[E]) -> E {
    let signed: Vec<_> =
        [false, true].iter().cycle().zip(values).map(|(odd, value)| if *odd { -*value } else { *value }).collect();
    let Some((last, inner)) = signed.split_last() else { return E::IDENTITY };
    let count = u128::try_from(values.len()).expect("a small number");
    let binomials = (1..count).scan(1, |binomial, k| {
        *binomial = *binomial * (count + 1 - k) / k;
        Some(*binomial)
    });
    // A number and what it lacks to `count` have one binomial; one that is half of it has no other.
    let both =
        |(place, (one, other)): (usize, (&E, &E))| if 2 * place + 1 == inner.len() { *one } else { *one + *other };
    let pairs = inner.iter().zip(inner.iter().rev()).enumerate().map(both).take(inner.len().div_ceil(2));
    *last + sum_of_small_multiples(&binomials.zip(pairs).collect::<Vec<_>>())
}

fn small_multiple<E: Element>(element: &E, factor: u16) -> E {
    sum_of_small_multiples(&[(factor.into(), *element)])
}

/// Multiples of public data, summed, by the non-adjacent forms of factors of 126 bits at most.
fn sum_of_small_multiples<E: Element>(terms: &[(u128, E)]) -> E {
    let top = terms.iter().filter_map(|(factor, _)| (3 * factor).checked_ilog2()).max().unwrap_or(0);
    let sum = (1..=top).rev().fold(None, |sum: Option<E>, bit| {
        terms.iter().fold(sum.map(|sum| sum.double()), |sum, (factor, element)| {
            let digit = match (((3 * factor) >> bit) & 1, (factor >> bit) & 1) {
                (1, 0) => *element,
                (0, 1) => -*element,
                _ => return sum,
            };
            Some(sum.map_or(digit, |sum| sum + digit))
        })
    });
    sum.unwrap_or(E::IDENTITY)
}

/// RFC 9591, Section 4.2: the Lagrange coefficient of `id` at zero among `set`.
///
/// `id` itself does not count in the set, whether it is in it or not.
pub(crate) fn lagrange<C: Ciphersuite>(id: Identifier, set: &BTreeSet<Identifier>) -> C::Scalar {
    lagrange_at::<C>(None, id, set)
}

/// The Lagrange coefficient of `id` at the point of another member, or at zero.
pub(crate) fn lagrange_at<C: Ciphersuite>(
    x: Option<Identifier>,
    id: Identifier,
    set: &BTreeSet<Identifier>,
) -> C::Scalar {
    let others = || set.iter().filter(|other| **other != id);
    let numerator: C::Scalar = x.map_or_else(|| product(others().map(|other| other.get())), |x| from(x, others()));
    let denominator: C::Scalar = from(id, others());
    numerator * denominator.vartime_invert().expect("different numbers up to 1,000 differ modulo the order")
}

/// [`lagrange`] of every member of the set, in their order, with one inversion for all.
pub(crate) fn lagrange_all<C: Ciphersuite>(set: &BTreeSet<Identifier>) -> Vec<C::Scalar> {
    let whole: C::Scalar = product(set.iter().map(|id| id.get()));
    let denominator = |id: &Identifier| point::<C::Scalar>(*id) * from(*id, set.iter().filter(|other| *other != id));
    let mut inverses: Vec<_> = set.iter().map(denominator).collect();
    invert_all(&mut inverses);
    inverses.into_iter().map(|inverse| whole * inverse).collect()
}

/// The product of `other - x` over the others.
fn from<'a, S: Scalar>(x: Identifier, others: impl Iterator<Item = &'a Identifier> + Clone) -> S {
    let product: S = product(others.clone().map(|other| other.get().abs_diff(x.get())));
    if others.filter(|other| **other < x).count() % 2 == 0 { product } else { -product }
}

/// A product of small numbers, multiplied as machine words for as long as they fit.
fn product<S: Scalar>(factors: impl Iterator<Item = u16>) -> S {
    let (mut product, mut word) = (S::ONE, 1_u64);
    for factor in factors.map(u64::from) {
        word = word.checked_mul(factor).unwrap_or_else(|| {
            product = product * S::from_u64(word);
            factor
        });
    }
    product * S::from_u64(word)
}

/// Inverts scalars that are not zero, in place, with one inversion for all (Montgomery's trick).
fn invert_all<S: Scalar>(scalars: &mut [S]) {
    let mut products = Vec::with_capacity(scalars.len());
    let whole = scalars.iter().fold(S::ONE, |product, scalar| {
        products.push(product);
        product * *scalar
    });
    let mut inverse = whole.vartime_invert().expect("different numbers up to 1,000 differ modulo the order");
    for (scalar, before) in scalars.iter_mut().zip(products).rev() {
        let own = inverse * before;
        inverse = inverse * *scalar;
        *scalar = own;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{Ed25519, Secp256k1, Taproot};

    fn id(number: u16) -> Identifier {
        Identifier::new(number).unwrap()
    }

    fn any_t_values_give_the_constant_term<C: Ciphersuite>() {
        let coefficients: Vec<C::Scalar> = [7, 1 << 40, 12_345].map(C::Scalar::from_u64).to_vec();
        let commitment: Vec<C::Element> = coefficients.iter().map(C::Element::mul_base).collect();
        for set in [[1, 2, 3], [2, 5, 1000], [999, 4, 17]] {
            let set: BTreeSet<_> = set.into_iter().map(id).collect();
            let (mut sum, mut elsewhere) = (C::Scalar::ZERO, C::Scalar::ZERO);
            for member in &set {
                let value = evaluate(&coefficients, *member);
                assert_eq!(C::Element::mul_base(&value), evaluate_public(&commitment, *member));
                sum = sum + lagrange::<C>(*member, &set) * value;
                elsewhere = elsewhere + lagrange_at::<C>(Some(id(6)), *member, &set) * value;
            }
            assert_eq!(sum, C::Scalar::from_u64(7));
            assert_eq!(elsewhere, evaluate(&coefficients, id(6)));
        }
    }

    fn any_t_committed_values_give_the_committed_constant_term<C: Ciphersuite>() {
        for count in [1, 2, 3, 4, 7, 34, 120, 121] {
            let coefficients: Vec<_> = (1..=count).map(|number| C::Scalar::from_u64(number << 33)).collect();
            let commitment: Vec<_> = coefficients.iter().map(C::Element::mul_base).collect();
            let count = commitment.len();
            for first in [1, 2] {
                let ids = (first..first + 1 + u16::try_from(count).unwrap()).map(id);
                let mut values = evaluate_public_all(&commitment, ids);
                assert_eq!(interpolate_public::<C>(&values, count), commitment[0]);
                let wrong = values.get_mut(&id(first)).unwrap();
                *wrong = *wrong + C::Element::generator();
                assert_ne!(interpolate_public::<C>(&values, count), commitment[0]);
            }
        }
    }

    #[test]
    fn any_t_committed_values_of_a_polynomial_give_its_committed_constant_term() {
        any_t_committed_values_give_the_committed_constant_term::<Ed25519>();
        any_t_committed_values_give_the_committed_constant_term::<Secp256k1>();
    }

    #[test]
    fn any_t_values_of_a_polynomial_give_its_constant_term() {
        any_t_values_give_the_constant_term::<Ed25519>();
        any_t_values_give_the_constant_term::<Secp256k1>();
        any_t_values_give_the_constant_term::<Taproot>();
    }
}
