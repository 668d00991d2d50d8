//! The import of a key that was made elsewhere: what is proposed, and what a token enters it with.

use crate::keystore::Storage;
use crate::keystore::error::{Error, Misuse, Result};
use crate::keystore::imported::ImportedKey;
use crate::keystore::soft::keys::Key;
use crate::keystore::soft::propose::check_template;
use crate::keystore::soft::{Commit, Login, SoftToken};
use crate::keystore::token::Proposal;
use crate::protocol::{Importing, key_id};
use crate::wire::{DealPlan, EpochId, Identifier, KeyId, Source, one_of};

impl<S: Storage> SoftToken<S> {
    /// The plan of an import by this token, above whatever it has entered.
    pub(in crate::keystore::soft) fn import_plan(
        &self,
        login: &Login,
        key: Option<&Key>,
        proposal: &Proposal,
    ) -> Result<(Identifier, DealPlan)> {
        let Proposal::Import { group_key, chain_hash, threshold, members, template, least_attempt } = proposal else {
            return Err(Misuse::Plan("it imports nothing").into());
        };
        let me = members.identifier_of(login.card.identity()).ok_or(Misuse::NotAMember)?;
        check_template(template)?;
        if let Some(certified) = key.filter(|key| key.is_certified()) {
            return Err(Error::Exists(certified.id));
        }
        let (_, promised) = self.promised(login, before_history(key_id(group_key)))?;
        let deal = DealPlan {
            suite: group_key.suite(),
            threshold: *threshold,
            height: 0,
            attempt: promised.saturating_add(1).max(*least_attempt),
            template: template.clone(),
            receivers: members.clone(),
            source: Source::Import {
                group_key: group_key.clone(),
                chain_hash: *chain_hash,
                dealers: one_of(members, me).ok_or(Misuse::NotAMember)?,
            },
        };
        deal.check()?;
        Ok((me, deal))
    }

    /// What this token brings to the run, and what it promises by entering it.
    ///
    /// A key is imported once. Who holds it tells so; who signed an attempt that was not certified may sign a higher one, as
    /// in a renewal, and the joins bring the lower ones to light.
    pub(super) fn enter_import(
        &self,
        login: &Login,
        key: Option<&mut Key>,
        plan: &DealPlan,
        me: Identifier,
        imported: Option<&ImportedKey>,
        commit: &mut Commit,
    ) -> Result<Importing> {
        let Source::Import { group_key, chain_hash, dealers } = &plan.source else {
            return Err(Misuse::Plan("it imports nothing").into());
        };
        let brought = match (dealers.card(me).is_some(), imported) {
            (false, None) => None,
            (false, Some(_)) => return Err(Misuse::Plan("another member brings the key").into()),
            (true, None) => return Err(Misuse::Plan("it is entered with the key that this token brings").into()),
            (true, Some(key)) if key.is_that_of(group_key, chain_hash) => Some(key.to_deal()),
            (true, Some(_)) => return Err(Misuse::Plan("another key is imported by it").into()),
        };
        let mut attempts = Vec::new();
        if let Some(key) = &key {
            if key.is_certified() {
                return Err(Error::Exists(key.id));
            }
            // All attempts share one chain code, which this token keeps once.
            if key.epoch.chain_hash != *chain_hash {
                return Err(Misuse::Plan("an attempt before had another chain code").into());
            }
            for attempt in &key.record.pending {
                attempts.push(self.attempt(&login.unlocked, key.id, *attempt)?);
            }
        }
        self.promise(login, key, before_history(key_id(group_key)), plan, commit)?;
        Ok(Importing { brought, attempts })
    }
}

/// Under which name promises are kept that are made before a key has a first epoch: there may be several attempts at one.
pub(super) fn before_history(key: KeyId) -> EpochId {
    EpochId::from_bytes(*key.as_bytes())
}
