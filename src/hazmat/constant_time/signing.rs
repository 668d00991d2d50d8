//! Signing's two rounds.

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use super::{Preparation, Prepared, Tape, Watch, ensure, hide, publish};
use crate::protocol::polynomial::evaluate;
use crate::protocol::sign::{Commitments, Nonces, SignatureShare, SigningPackage, Target, sign, verify_share};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};
use crate::wire::Identifier;

pub(super) struct Commit<C: Ciphersuite> {
    share: Secret<C::Scalar>,
    tape: Tape,
    made: Option<(Nonces<C>, Vec<u8>)>,
}

impl<C: Ciphersuite> Commit<C> {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut share = Secret::new(C::Scalar::random(rng));
        hide(watch, share.expose_mut());
        Ok(Box::new(Self { share, tape: Tape::record(rng, watch), made: None }))
    }
}

impl<C: Ciphersuite> Prepared for Commit<C> {
    fn run(&mut self) {
        let nonces = Nonces::<C>::generate(&self.share, &mut self.tape);
        let bytes = nonces.commitments().as_bytes().to_vec();
        self.made = Some((nonces, bytes));
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        let (_, bytes) = self.made.as_mut().ok_or("nothing was made")?;
        publish(watch, bytes.as_mut_slice())?;
        ensure(Commitments::<C>::from_bytes(bytes).is_some(), "the commitments can't be read")?;
        Ok(String::new())
    }
}

/// Member 1 signs, with member 3.
pub(super) struct Sign<C: Ciphersuite> {
    me: Identifier,
    package: SigningPackage<C>,
    nonces: Option<Nonces<C>>,
    share: Secret<C::Scalar>,
    verifying_share: C::Element,
    key: C::Element,
    made: Option<[u8; 32]>,
}

impl<C: Ciphersuite> Sign<C> {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let coefficients = [C::Scalar::random(rng), C::Scalar::random(rng)];
        let [me, other] = [1, 3].map(Identifier::new).map(|id| id.ok_or("identifier"));
        let (me, other) = (me?, other?);
        let mut share = Secret::new(evaluate(&coefficients, me));
        let other_share = Secret::new(evaluate(&coefficients, other));
        let mut nonces = Nonces::<C>::generate(&share, rng);
        let other_nonces = Nonces::<C>::generate(&other_share, rng);
        let commitments = BTreeMap::from([(me, *nonces.commitments()), (other, *other_nonces.commitments())]);
        let [constant, _] = &coefficients;
        let key = C::Element::mul_base(constant);
        let package = SigningPackage::new(b"the message".to_vec(), commitments, &Target::new(key));
        let package = package.map_err(|_| "the package")?;
        let verifying_share = C::Element::mul_base(share.expose());
        hide(watch, share.expose_mut());
        nonces.secrets_mut().into_iter().for_each(|nonce| hide(watch, nonce));
        Ok(Box::new(Self { me, package, nonces: Some(nonces), share, verifying_share, key, made: None }))
    }

    /// Which of BIP-340's negations this signature needed.
    fn case(&self) -> String {
        let parity = |odd: bool| if odd { "odd" } else { "even" };
        let key = self.key.to_bytes().first() == Some(&3);
        format!("{} key, {} commitment", parity(key), parity(self.package.negates_nonces()))
    }
}

impl<C: Ciphersuite> Prepared for Sign<C> {
    fn run(&mut self) {
        let Some(nonces) = self.nonces.take() else { return };
        let signed = sign(&self.package, nonces, &self.share, self.me);
        self.made = signed.ok().map(SignatureShare::to_bytes);
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        let bytes = self.made.as_mut().ok_or("nothing was signed")?;
        publish(watch, bytes)?;
        let share = SignatureShare::from_bytes(bytes).ok_or("the signature share can't be read")?;
        let right = verify_share(&self.package, self.me, &share, &self.verifying_share);
        ensure(right, "the signature share is wrong")?;
        Ok(self.case())
    }
}
