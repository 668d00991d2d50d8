//! Polynomials over the scalars: evaluation, in secret and in the exponent, and interpolation.

use std::collections::BTreeSet;

use crate::suite::{Ciphersuite, Element, Scalar};
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
    let x: E::Scalar = point(x);
    let mut power = E::Scalar::ONE;
    let mut terms = Vec::with_capacity(commitment.len());
    for element in commitment {
        terms.push((power, *element));
        power = power * x;
    }
    E::vartime_sum_of_products(&terms)
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
    let (x, own): (C::Scalar, C::Scalar) = (x.map_or(C::Scalar::ZERO, point), point(id));
    let (mut numerator, mut denominator) = (C::Scalar::ONE, C::Scalar::ONE);
    for other in set.iter().filter(|other| **other != id) {
        let other: C::Scalar = point(*other);
        numerator = numerator * (other - x);
        denominator = denominator * (other - own);
    }
    numerator * denominator.invert().expect("different numbers up to 1,000 differ modulo the order")
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

    #[test]
    fn any_t_values_of_a_polynomial_give_its_constant_term() {
        any_t_values_give_the_constant_term::<Ed25519>();
        any_t_values_give_the_constant_term::<Secp256k1>();
        any_t_values_give_the_constant_term::<Taproot>();
    }
}
