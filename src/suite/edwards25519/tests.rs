//! Which points are taken, and what they sum to, against curve25519-dalek.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::{EdwardsPoint, Scalar};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::is_reduced;
use super::order::MANY;
use crate::suite::{Ed25519, Element, Row};

type E = <Ed25519 as crate::suite::Ciphersuite>::Element;

fn random(rng: &mut ChaCha20Rng) -> EdwardsPoint {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    EdwardsPoint::mul_base(&Scalar::from_bytes_mod_order(bytes))
}

fn encode(points: &[EdwardsPoint]) -> Vec<[u8; 32]> {
    points.iter().map(|point| point.compress().to_bytes()).collect()
}

/// Whether the points are taken, as a batch and in sums, which must agree.
fn are_taken(encodings: &[[u8; 32]]) -> bool {
    let slices: Vec<_> = encodings.iter().map(<[u8; 32]>::as_slice).collect();
    let batch = E::batch_from_bytes(&slices).is_some();
    let (rows, [a, b]) = encodings.split_last_chunk().unwrap();
    let row = Row { summed: rows.as_flattened(), others: [a, b] };
    assert_eq!(E::sums_from_bytes(rows.len(), &[row]).is_some(), batch);
    batch
}

#[test]
fn a_point_is_taken_exactly_if_dalek_says_that_it_is_of_prime_order() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut taken = 0;
    for round in 0..40 {
        let point = random(&mut rng);
        for torsion in EIGHT_TORSION {
            let with = point + torsion;
            let bytes = with.compress().to_bytes();
            assert_eq!(E::from_bytes(&bytes).is_some(), with.is_torsion_free());
            assert!(E::from_bytes(&torsion.compress().to_bytes()).is_none());
        }
        // Any bytes at all.
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        bytes[0] = round;
        let good = CompressedEdwardsY(bytes).decompress().is_some_and(|point| point.is_torsion_free());
        assert_eq!(E::from_bytes(&bytes).is_some(), good);
        taken += u32::from(
            E::from_bytes(&encode(&[point])[0]).is_some_and(|element| element.to_bytes() == encode(&[point])[0]),
        );
    }
    assert_eq!(taken, 40);
}

#[test]
fn a_number_is_reduced_below_the_fields_order_alone() {
    let number = |low, middle, high| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[15], bytes[31]) = (low, middle, high);
        bytes
    };
    for sign in [0, 0x80] {
        for low in [0, 1, 0xec] {
            assert!(is_reduced(&number(low, 0xff, 0x7f | sign)));
        }
        for low in [0xed, 0xee, 0xff] {
            assert!(!is_reduced(&number(low, 0xff, 0x7f | sign)));
            assert!(is_reduced(&number(low, 0xfe, 0x7f | sign)) && is_reduced(&number(low, 0xff, 0x7e | sign)));
        }
    }
}

#[test]
fn torsion_is_found_wherever_it_stands_and_where_it_cancels_out() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for count in [3, 4, 7, MANY - 1, MANY, MANY + 5] {
        let mut points: Vec<_> = (0..count).map(|_| random(&mut rng)).collect();
        assert!(are_taken(&encode(&points)));
        for torsion in &EIGHT_TORSION[1..] {
            let place = usize::try_from(rng.next_u32()).unwrap() % count;
            points[place] += torsion;
            assert!(!are_taken(&encode(&points)), "{place} of {count}");
            // Another that cancels it out in the sum of all: the next, and who stands as it does in the next block.
            for other in [(place + 1) % count, (place + 6) % count] {
                points[other] -= torsion;
                let cancels = other != place && are_taken(&encode(&points));
                assert!(!cancels, "{place} and {other} of {count}");
                points[other] += torsion;
            }
            points[place] -= torsion;
        }
        assert!(are_taken(&encode(&points)));
    }
}

#[test]
fn sums_are_those_of_dalek_also_of_the_same_and_of_opposite_points() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    for rows in [1, 2, 3, 60] {
        let mut table: Vec<[EdwardsPoint; 3]> = (0..rows).map(|_| [(); 3].map(|()| random(&mut rng))).collect();
        if rows == 3 {
            // The same, opposite, and a sum that is the identity before the end.
            table[1] = [table[0][0], -table[0][1], -table[0][2]];
            table[2][1] = table[0][1];
        }
        if rows == 2 {
            table[1][0] = -table[0][0];
        }
        let others = encode(&[random(&mut rng), random(&mut rng)]);
        let encoded: Vec<_> = table.iter().map(|row| encode(row)).collect();
        let parts: Vec<_> = encoded
            .iter()
            .map(|row| Row { summed: row.as_flattened(), others: [others[0].as_slice(), &others[1]] })
            .collect();
        let sums = E::sums_from_bytes(3, &parts).unwrap();
        for (column, sum) in sums.iter().enumerate() {
            let expected: EdwardsPoint = table.iter().map(|row| row[column]).sum();
            let expected = expected.compress().to_bytes().to_vec();
            assert!(sum.to_bytes() == expected || sum.is_identity() && expected == encode(&[EIGHT_TORSION[0]])[0]);
        }
        assert!(E::sums_from_bytes(4, &parts).is_none(), "another number of columns");
        let short = Row { summed: &parts[0].summed[..95], others: parts[0].others };
        assert!(E::sums_from_bytes(3, &[short]).is_none());
        let other = Row { summed: parts[0].summed, others: [&[], parts[0].others[1]] };
        assert!(E::sums_from_bytes(3, &[other]).is_none());
    }
}
