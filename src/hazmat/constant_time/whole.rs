//! Keys that are whole: put together out of shares, or imported and dealt.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::dealing::{Circle, MEMBERS, THRESHOLD, identifiers};
use super::{Operation, Preparation, Prepared, Tape, Watch, ensure, hide, publish, random};
use crate::keystore::ImportedKey;
use crate::protocol::dealing::{Deal, Handing, Handover, Hedge, RunKey, check, deal};
use crate::protocol::polynomial::evaluate;
use crate::protocol::put_together;
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, GroupKey, Scalar, Suite};
use crate::wire::Identifier;

/// Two members of a reconstruction: the second hands its share over to the first.
struct Pair<C: Ciphersuite> {
    handing: Handing<'static, C>,
    recipient: RunKey<C>,
    sender: RunKey<C>,
    recipients_share: Secret<C::Scalar>,
    share: Secret<C::Scalar>,
    key: C::Element,
}

impl<C: Ciphersuite> Pair<C> {
    fn new(rng: &mut dyn CryptoRng) -> Result<Self, &'static str> {
        let [first, second, _] = identifiers()?;
        let [recipient, sender] = [0, 1].map(|_| RunKey::<C>::generate(rng));
        let polynomial = [C::Scalar::random(rng), C::Scalar::random(rng)];
        let share = Secret::new(evaluate(&polynomial, second));
        let handing = Handing {
            context: b"what was said before",
            sender: second,
            sender_key: *sender.public(),
            recipient: first,
            recipient_key: *recipient.public(),
            verifying_share: C::Element::mul_base(share.expose()),
        };
        let [constant, _] = &polynomial;
        let key = C::Element::mul_base(constant);
        Ok(Self { handing, recipient, sender, recipients_share: Secret::new(evaluate(&polynomial, first)), share, key })
    }
}

/// A member hands its share over.
pub(super) struct HandOver<C: Ciphersuite> {
    pair: Pair<C>,
    tape: Tape,
    said: Vec<u8>,
}

impl<C: Ciphersuite> HandOver<C> {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut pair = Pair::<C>::new(rng)?;
        hide(watch, pair.sender.secret_mut());
        hide(watch, pair.share.expose_mut());
        Ok(Box::new(Self { pair, tape: Tape::record(rng, watch), said: Vec::new() }))
    }
}

impl<C: Ciphersuite> Prepared for HandOver<C> {
    fn run(&mut self) {
        let Pair { handing, sender, share, .. } = &self.pair;
        self.said = handing.seal(sender, share, &mut self.tape).encode();
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        publish(watch, self.said.as_mut_slice())?;
        let handover = Handover::<C>::decode(&self.said).map_err(|_| "the handover can't be read")?;
        let opened = self.pair.handing.open(&self.pair.recipient, &handover);
        ensure(opened.is_some(), "the handover is wrong")?;
        Ok(String::new())
    }
}

/// A member gets another's share, and puts the key together.
pub(super) struct TakeOver<C: Ciphersuite> {
    pair: Pair<C>,
    handover: Handover<C>,
    whole: Option<Secret<[u8; 32]>>,
}

impl<C: Ciphersuite> TakeOver<C> {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut pair = Pair::<C>::new(rng)?;
        let handover = pair.handing.seal(&pair.sender, &pair.share, rng);
        hide(watch, pair.recipient.secret_mut());
        hide(watch, pair.recipients_share.expose_mut());
        Ok(Box::new(Self { pair, handover, whole: None }))
    }
}

impl<C: Ciphersuite> Prepared for TakeOver<C> {
    fn run(&mut self) {
        let Pair { handing, recipient, recipients_share, key, .. } = &self.pair;
        let Some(share) = handing.open(recipient, &self.handover) else { return };
        let own = Secret::new(*recipients_share.expose());
        self.whole = put_together::<C>(&BTreeMap::from([(handing.recipient, own), (handing.sender, share)]), key);
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        let whole = self.whole.as_mut().ok_or("nothing was put together")?;
        publish(watch, whole.expose_mut())?;
        let secret = C::Scalar::from_bytes(whole.expose()).ok_or("the key can't be read")?;
        ensure(C::Element::mul_base(&secret) == self.pair.key, "the key is wrong")?;
        Ok(String::new())
    }
}

/// The first member reads a key that was made elsewhere, finds that it is the plan's, and deals it to all.
pub(super) struct Import<C: Ciphersuite> {
    /// Whether the bytes are a seed, and not the scalar itself.
    operation: Operation,
    bytes: Option<Zeroizing<[u8; 32]>>,
    group_key: GroupKey,
    chain_hash: [u8; 32],
    circle: Circle<C>,
    me: Identifier,
    key: RunKey<C>,
    hedge: Zeroizing<[u8; 32]>,
    tape: Tape,
    said: Vec<u8>,
}

fn read(operation: Operation, suite: Suite, bytes: Zeroizing<[u8; 32]>) -> Option<ImportedKey> {
    match operation {
        Operation::ImportSeed => Some(ImportedKey::from_seed(bytes)),
        _ => ImportedKey::from_scalar(suite, bytes).ok(),
    }
}

impl<C: Ciphersuite> Import<C> {
    pub(super) fn prepare(operation: Operation, rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut bytes = Zeroizing::new(C::Scalar::random(rng).to_bytes());
        let known = read(operation, C::SUITE, bytes.clone()).ok_or("the key")?;
        let element = known.group_key().element::<C>().ok_or("the key is of another suite")?;
        let [me, ..] = identifiers()?;
        let mut circle = Circle::<C>::with_lone_dealer(me, element, rng)?;
        let (me, key) = circle.first(watch)?;
        let mut hedge = Zeroizing::new(random(rng));
        hide(watch, &mut *hedge);
        hide(watch, &mut *bytes);
        let (group_key, chain_hash, bytes) = (known.group_key().clone(), known.chain_hash(), Some(bytes));
        let tape = Tape::record(rng, watch);
        Ok(Box::new(Self { operation, bytes, group_key, chain_hash, circle, me, key, hedge, tape, said: Vec::new() }))
    }

    fn deal(&mut self) -> Option<Deal<C>> {
        let key = read(self.operation, C::SUITE, self.bytes.take()?)?;
        if !key.is_that_of(&self.group_key, &self.chain_hash) {
            return None;
        }
        let brought = key.to_deal();
        let constant = C::Scalar::from_bytes(brought.secret.expose()).map(Secret::new)?;
        let (payload, hedge) = (brought.chain_code.expose(), Hedge::Mixed(&self.hedge));
        deal(&self.circle.ceremony, self.me, &self.key, Some(constant), payload, &mut self.tape, hedge).ok()
    }
}

impl<C: Ciphersuite> Prepared for Import<C> {
    fn run(&mut self) {
        self.said = self.deal().map_or_else(Vec::new, |deal| deal.encode());
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        publish(watch, self.said.as_mut_slice())?;
        let deal = Deal::<C>::decode(&self.said, THRESHOLD, MEMBERS.len(), 32).map_err(|_| "the deal can't be read")?;
        check(&self.circle.ceremony, self.me, &deal).map_err(|_| "the deal is wrong")?;
        Ok(String::new())
    }
}
