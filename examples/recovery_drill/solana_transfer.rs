//! A Solana transfer from the drill's key: the bytes to sign, and the signed transaction in its wire format.

use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use solana_address::Address;
use solana_hash::Hash;
use solana_message::Message;
use solana_system_interface::instruction::transfer;

/// Whom the sample pays: an address without a meaning.
const DESTINATION: [u8; 32] = *b"quorumkey/drill/destination/test";

/// A blockhash that no cluster ever had, so that no cluster takes the transaction.
const BLOCKHASH: [u8; 32] = *b"quorumkey/drill/blockhash/sample";

/// 0.05 SOL.
const LAMPORTS: u64 = 50_000_000;

/// A transfer that waits for its signature.
#[derive(Debug)]
pub(crate) struct Transfer {
    payer: VerifyingKey,
    message: Vec<u8>,
}

/// A signed transfer, which verified.
#[derive(Debug)]
pub(crate) struct SignedTransfer {
    /// What an RPC node would be sent.
    pub(crate) wire: Vec<u8>,
}

/// Why there is no signed transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferError {
    /// The payer's 32 bytes are no usable Ed25519 key.
    Key,
    /// The signature does not verify.
    Signature,
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the payer's key is not an Ed25519 key",
            Self::Signature => "the signature does not verify",
        })
    }
}

impl core::error::Error for TransferError {}

impl Transfer {
    /// The sample transfer, paid by this Ed25519 key.
    pub(crate) fn new(payer: &[u8; 32]) -> Result<Self, TransferError> {
        let key = VerifyingKey::from_bytes(payer).map_err(|_| TransferError::Key)?;
        if key.is_weak() {
            return Err(TransferError::Key);
        }
        let from = Address::new_from_array(*payer);
        let to = Address::new_from_array(DESTINATION);
        let instructions = [transfer(&from, &to, LAMPORTS)];
        let message = Message::new_with_blockhash(&instructions, Some(&from), &Hash::new_from_array(BLOCKHASH));
        Ok(Self { payer: key, message: message.serialize() })
    }

    /// The bytes to sign: the whole message, not a hash of it.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Checks the signature as validators do and puts the transaction together.
    pub(crate) fn finalize(self, signature: &[u8; 64]) -> Result<SignedTransfer, TransferError> {
        self.payer
            .verify_strict(&self.message, &Signature::from_bytes(signature))
            .map_err(|_| TransferError::Signature)?;
        // The count of signatures as a compact-u16: one byte below 128.
        let wire = [&[1_u8][..], signature, &self.message].concat();
        Ok(SignedTransfer { wire })
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    fn signer() -> SigningKey {
        SigningKey::from_bytes(&[0x42; 32])
    }

    #[test]
    fn the_message_is_the_one_that_solana_documents() {
        let payer = signer().verifying_key().to_bytes();
        let transfer = Transfer::new(&payer).unwrap();
        let mut wanted = vec![1, 0, 1, 3];
        wanted.extend_from_slice(&payer);
        wanted.extend_from_slice(&DESTINATION);
        wanted.extend_from_slice(&[0; 32]);
        wanted.extend_from_slice(&BLOCKHASH);
        // One instruction: the program is account 2, it takes accounts 0 and 1, and twelve bytes: Transfer, lamports.
        wanted.extend_from_slice(&[1, 2, 2, 0, 1, 12, 2, 0, 0, 0]);
        wanted.extend_from_slice(&LAMPORTS.to_le_bytes());
        assert_eq!(transfer.message(), wanted);
    }

    #[test]
    fn a_signed_transfer_is_count_signature_and_message() {
        let transfer = Transfer::new(&signer().verifying_key().to_bytes()).unwrap();
        let message = transfer.message().to_vec();
        let signature = signer().sign(&message).to_bytes();
        let signed = transfer.finalize(&signature).unwrap();
        assert_eq!(signed.wire.len(), 1 + 64 + message.len());
        assert_eq!(signed.wire, [&[1][..], &signature, &message].concat());
    }

    #[test]
    fn a_wrong_signature_makes_no_transaction() {
        let payer = signer().verifying_key().to_bytes();
        let good = signer().sign(Transfer::new(&payer).unwrap().message()).to_bytes();
        let mut changed = good;
        changed[40] ^= 1;
        let other_message = signer().sign(b"another message").to_bytes();
        for wrong in [changed, other_message, [0; 64], [0xff; 64]] {
            let transfer = Transfer::new(&payer).unwrap();
            assert_eq!(transfer.finalize(&wrong).err(), Some(TransferError::Signature));
        }
    }

    #[test]
    fn a_key_that_is_none_pays_nothing() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut no_point = [0; 32];
        no_point[0] = 2;
        for wrong in [identity, [0; 32], no_point] {
            assert_eq!(Transfer::new(&wrong).err(), Some(TransferError::Key), "{wrong:02x?}");
        }
    }
}
