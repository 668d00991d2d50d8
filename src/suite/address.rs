//! Addresses, as chains write keys.

use bech32::{Fe32, Hrp, segwit};

use super::{Suite, SuiteError, VerifyingKey};

/// Bitcoin's networks, as addresses and extended keys tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// Where the money is.
    Mainnet,
    /// Testnets and signets.
    Testnet,
    /// A node of one's own.
    Regtest,
}

impl Network {
    const fn prefix(self) -> Hrp {
        match self {
            Self::Mainnet => bech32::hrp::BC,
            Self::Testnet => bech32::hrp::TB,
            Self::Regtest => bech32::hrp::BCRT,
        }
    }
}

impl VerifyingKey {
    /// The taproot address that pays to this output key (BIP-341, BIP-350). No member is needed for it.
    ///
    /// With the output key of a key without scripts it is BIP-86's address.
    ///
    /// ```
    /// use quorumkey::{GroupKey, Network, Suite};
    ///
    /// // BIP-86, account 0, first receiving address: the internal key.
    /// let mut key = vec![2];
    /// key.extend((0..32).map(|i| {
    ///     let hex = "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115";
    ///     u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()
    /// }));
    /// let output = GroupKey::from_bytes(Suite::Secp256k1Taproot, &key)?.verifying_key(None);
    /// let address = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr";
    /// assert_eq!(output.p2tr_address(Network::Mainnet)?, address);
    /// # Ok::<(), quorumkey::SuiteError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SuiteError::OtherSuite`] for a key of another suite: nothing on the chain pays to it.
    pub fn p2tr_address(&self, network: Network) -> Result<String, SuiteError> {
        if self.suite() != Suite::Secp256k1Taproot {
            return Err(SuiteError::OtherSuite);
        }
        // Version 1, and hence bech32m.
        let address = segwit::encode(network.prefix(), Fe32::P, self.as_bytes());
        Ok(address.expect("32 bytes are a program of version 1, and fit in an address"))
    }

    /// The Solana address of an ed25519 key: its 32 bytes in base58.
    ///
    /// ```
    /// use quorumkey::{Suite, VerifyingKey};
    ///
    /// // RFC 8032, Section 7.1, test 1.
    /// let hex = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    /// let key: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
    /// let key = VerifyingKey::from_bytes(Suite::Ed25519, &key)?;
    /// assert_eq!(key.solana_address()?, "FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z");
    /// # Ok::<(), quorumkey::SuiteError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SuiteError::OtherSuite`] for a key of another suite.
    pub fn solana_address(&self) -> Result<String, SuiteError> {
        if self.suite() == Suite::Ed25519 {
            Ok(bs58::encode(self.as_bytes()).into_string())
        } else {
            Err(SuiteError::OtherSuite)
        }
    }
}
