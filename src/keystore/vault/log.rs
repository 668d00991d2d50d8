//! The audit log in the storage.

use crate::audit::{self, AuditError, Digest, EventKind, Head, Record};
use crate::guard::holds;
use crate::keystore::Storage;

use super::header::Ledger;
use super::{PAGE, Vault, VaultError, space};

impl<S: Storage> Vault<S> {
    /// The audit records after the one with that hash, or from the first; at most `limit`. No PIN is needed to read them.
    ///
    /// `None` if no record has the hash.
    pub(crate) fn audit(&self, after: Option<Digest>, limit: usize) -> Result<Option<Vec<Record>>, VaultError> {
        // Held, so that no record is added, and none renumbered, in between.
        let state = self.state()?;
        let genesis = Head::genesis(&state.current.header.token);
        let from = match after {
            None => 0,
            Some(digest) if digest == genesis.digest => 0,
            Some(digest) => match self.find(digest)? {
                Some(sequence) => sequence.saturating_add(1),
                None => return Ok(None),
            },
        };
        Ok(Some(self.audit_page(from, limit)?))
    }

    fn find(&self, digest: Digest) -> Result<Option<u64>, VaultError> {
        let mut from = 0;
        loop {
            let page = self.audit_page(from, PAGE)?;
            if let Some(found) = page.iter().find(|record| record.hash() == digest) {
                return Ok(Some(found.sequence()));
            }
            match page.last() {
                Some(last) => from = last.head().next,
                None => return Ok(None),
            }
        }
    }

    /// The records from that number on.
    fn audit_page(&self, from: u64, limit: usize) -> Result<Vec<Record>, VaultError> {
        let after = from.checked_sub(1).map(space::audit);
        let page = self.storage.scan(space::AUDIT, after.as_deref(), limit)?;
        page.into_iter()
            .map(|(place, value)| {
                let record = Record::from_bytes(&value)?;
                // A record in another's place; also what keeps the paging going forward.
                if place == space::audit(record.sequence()) {
                    Ok(record)
                } else {
                    Err(AuditError::Reordered(record.sequence()).into())
                }
            })
            .collect()
    }

    /// Checks the whole log: it leads from the token's beginning through the sealed head to the current one, and after the
    /// sealed head there are failed logins only.
    pub(super) fn verify_log(&self, token: &[u8; 16], sealed: &Ledger, current: &Ledger) -> Result<(), VaultError> {
        let mut head = Head::genesis(token);
        // What the log says of the state: the sealed one, and one transaction more for each failed login.
        let mut ledger = None;
        loop {
            if head.next == sealed.head.next {
                if head.digest != sealed.head.digest {
                    return Err(AuditError::Edited(head.next.saturating_sub(1)).into());
                }
                ledger = Some(*sealed);
            }
            let until_sealed = usize::try_from(sealed.head.next.saturating_sub(head.next)).unwrap_or(PAGE);
            let limit = if until_sealed == 0 { PAGE } else { until_sealed.min(PAGE) };
            let page = self.audit_page(head.next, limit)?;
            head = audit::follow(&page, &head)?;
            if let Some(ledger) = &mut ledger {
                page.iter().try_for_each(|record| follow_failed_login(ledger, record))?;
            }
            if page.is_empty() {
                break;
            }
        }
        match ledger {
            Some(ledger) if holds!(LogIsWhole, ledger == *current) => Ok(()),
            _ => Err(AuditError::Cut(head.next).into()),
        }
    }
}

fn follow_failed_login(ledger: &mut Ledger, record: &Record) -> Result<(), VaultError> {
    let counter = match record.event().kind() {
        EventKind::LoginFailed => ledger.counter.saturating_add(1),
        // In one transaction with the failed login that it follows from.
        EventKind::LockedOut => ledger.counter,
        _ if holds!(FailedLoginsOnly, false) => record.counter(),
        _ => return Err(AuditError::Edited(record.sequence()).into()),
    };
    if record.counter() != counter {
        return Err(AuditError::Edited(record.sequence()).into());
    }
    *ledger = Ledger { counter, head: record.head() };
    Ok(())
}
