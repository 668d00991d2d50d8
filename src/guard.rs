//! Checks that can be switched off, one at a time, to see that a test misses them.
//!
//! A check whose absence no test notices may one day be absent. So the checks that hold back what `docs/traps.md` tells of
//! have names, and stand in the code as [`holds!`], [`forbids!`] or [`unless_off!`]. In a build with `--cfg
//! quorumkey_guards`, which only `scripts/guards` and `scripts/adversary` make, an environment variable names the one that is off.
//!
//! Without that cfg the macros are the plain expressions. Neither names nor look-up are compiled, and nothing can be
//! switched.

/// A condition that must hold. With its guard off it does, whatever it says.
#[cfg(not(quorumkey_guards))]
macro_rules! holds {
    ($guard:ident, $condition:expr $(,)?) => {
        $condition
    };
}

/// A condition that must not be. With its guard off it is not, whatever it says.
#[cfg(not(quorumkey_guards))]
macro_rules! forbids {
    ($guard:ident, $condition:expr $(,)?) => {
        $condition
    };
}

/// A value, and what stands in its place when its guard is off.
#[cfg(not(quorumkey_guards))]
macro_rules! unless_off {
    ($guard:ident, $value:expr, $instead:expr $(,)?) => {
        $value
    };
}

#[cfg(quorumkey_guards)]
macro_rules! holds {
    ($guard:ident, $condition:expr $(,)?) => {
        $condition || $crate::guard::is_off($crate::guard::Guard::$guard)
    };
}

#[cfg(quorumkey_guards)]
macro_rules! forbids {
    ($guard:ident, $condition:expr $(,)?) => {
        $condition && !$crate::guard::is_off($crate::guard::Guard::$guard)
    };
}

#[cfg(quorumkey_guards)]
macro_rules! unless_off {
    ($guard:ident, $value:expr, $instead:expr $(,)?) => {
        if $crate::guard::is_off($crate::guard::Guard::$guard) { $instead } else { $value }
    };
}

pub(crate) use {forbids, holds, unless_off};

#[cfg(all(quorumkey_guards, not(feature = "hazmat")))]
compile_error!("guards can be switched off in tests only");

#[cfg(quorumkey_guards)]
pub(crate) use switch::{Guard, is_off};

#[cfg(quorumkey_guards)]
mod switch {
    use std::sync::LazyLock;

    /// Names the guard that is off.
    const VARIABLE: &str = "QUORUMKEY_GUARD_OFF";

    static OFF: LazyLock<Option<Guard>> = LazyLock::new(|| {
        let name = std::env::var(VARIABLE).ok()?;
        let guard = Guard::ALL.iter().find(|guard| format!("{guard:?}") == name);
        // A name that is misspelt would switch nothing off.
        Some(*guard.expect("QUORUMKEY_GUARD_OFF names a guard"))
    });

    pub(crate) fn is_off(guard: Guard) -> bool {
        *OFF == Some(guard)
    }

    macro_rules! guards {
        ($($(#[$doc:meta])* $guard:ident,)*) => {
            /// Every guard, with what it holds back.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub(crate) enum Guard { $($(#[$doc])* $guard,)* }

            impl Guard {
                const ALL: &[Self] = &[$(Self::$guard,)*];
            }
        };
    }

    guards! {
        /// Holds nothing back: a test that fails without it says nothing about the others.
        Nothing,
        /// Bytes after a value are refused.
        NothingLeftOver,
        /// A length above the limit is refused before anything is allocated for it.
        LengthBounded,
        /// A secret is wiped when it goes.
        SecretWiped,
        /// No number stands in a roster twice.
        NumberOnceInARoster,
        /// No identity stands in a roster twice.
        IdentityOnceInARoster,
        /// A card is signed by the identity that it names.
        CardSignedByItsIdentity,
        /// A signature of one kind is none of another.
        SignatureOfItsKind,
        /// What is hashed stands behind its length, so that no two inputs share their bytes.
        PartsWithTheirLength,
        /// A threshold is 2 at least, and no higher than there are members.
        ThresholdAmongMembers,
        /// No plan commits to more than a certificate has room for.
        RoomInACertificate,
        /// A point of ed25519 is in the subgroup of prime order.
        PointOfPrimeOrder,
        /// Many points of ed25519, decoded together, are in the subgroup of prime order.
        PointsOfPrimeOrder,
        /// So are those that are summed as they are decoded.
        SumsOfPrimeOrder,
        /// A key of a signature has one encoding.
        KeyHasOneEncoding,
        /// A point of small order is no key of a signature.
        SmallOrderIsNoKey,
        /// Nor is it a commitment, also where the signature was made here and never read.
        SmallOrderIsNoCommitment,
        /// A scalar of ed25519 is below the order.
        Ed25519ScalarBelowTheOrder,
        /// A scalar of secp256k1 is below the order.
        Secp256k1ScalarBelowTheOrder,
        /// A taproot key never signs without a tweak.
        KeyAlwaysTweaked,
        /// A signature that does not verify is refused.
        SignatureVerifies,
        /// Nor is one of ed25519, whose key is kept decoded.
        Ed25519SignatureVerifies,
        /// Nothing is dealt with a threshold below 2.
        OneShareIsNoThreshold,
        /// No run key stands under two members.
        RunKeyOfOneMember,
        /// A deal has a ciphertext for each receiver.
        CiphertextForEach,
        /// A commitment has as many points as the threshold says.
        CommitmentOfTheThreshold,
        /// A dealer of old shares deals the part that it holds.
        ConstantAsAgreed,
        /// So do all dealers, whose deals are checked as one.
        ConstantsAsAgreed,
        /// A dealer proves that it knows what it commits to.
        ConstantProven,
        /// So do all dealers, checked as one.
        ConstantsProvenTogether,
        /// A dealt share is the value of the committed polynomial.
        ShareOfItsCommitment,
        /// Who deals alone deals nobody a share that is zero.
        LoneDealerDealsToAll,
        /// The sum of the dealt shares fits its verifying share.
        SharesAddUp,
        /// A share is the sum over all dealers and nobody else.
        SharesOfAllDealers,
        /// The identity is no group key.
        GroupKeyIsNotTheIdentity,
        /// A renewal keeps the group key.
        GroupKeyKept,
        /// A proof of possession counts in its own ceremony.
        ProofOfItsCeremony,
        /// An accuser proves that it opened the ciphertext with its own key.
        OpeningProven,
        /// A share that is handed over fits its verifying share.
        HandoverOfTheShare,
        /// Who accuses a handover proves that it opened it with its own key.
        HandoverOpeningProven,
        /// Fresh randomness stands in the nonce of every proof.
        NonceMixedWithRandomness,
        /// A transcript has the deals of all dealers and nobody else.
        TranscriptOfAllDealers,
        /// The proofs in a transcript of a renewal are of its own run.
        ProofsOfTheRun,
        /// Nothing is written of a key that could not be read again.
        RecordReadableAgain,
        /// A message counts in its own run.
        MessageOfItsRun,
        /// A message counts for its own suite, key and epoch.
        MessageOfItsEpoch,
        /// A message is signed by the card in the plan.
        MessageSigned,
        /// No more is kept of a message than its run needs.
        BodyBounded,
        /// A message is of a sender and a subject that its round expects.
        MessageInItsPlace,
        /// Nothing is kept of a round that can't have begun.
        RoundCanHaveBegun,
        /// Who says two things in one place is named.
        TwoVersionsNamed,
        /// Another device that speaks with this member's identity is found out.
        OwnVoiceKnown,
        /// Members that saw different rounds find it out.
        ViewsCompared,
        /// Only messages with their signatures count in a dispute.
        DisputedMessageSigned,
        /// Who shows something else than the view that it claimed is named.
        FalseViewNamed,
        /// A judge convicts whoever claimed to have seen something else than its own dispute shows.
        ClaimJudgedByItsDispute,
        /// A round is handed on once every sender has spoken.
        RoundComplete,
        /// A dispute shows each member once.
        DisputeShowsEachOnce,
        /// A certificate's transcript is of its plan.
        TranscriptOfItsPlan,
        /// Who tells of an attempt shows that its dealers knew what they dealt.
        AttemptDealt,
        /// Nobody endorses a certificate that takes no part in its dealing.
        EndorsedByItsMembersAlone,
        /// No member of an epoch has a share that is zero.
        NoShareIsZero,
        /// Every member's identity has signed the transcript.
        EndorsedByIdentity,
        /// So has every member's run key.
        EndorsedByRunKey,
        /// A certificate has the signatures of all its members.
        EveryMemberEndorsed,
        /// Rule 5, for whoever reads later: no attempt is passed over that others may go on from.
        AttemptEndedInACertificate,
        /// The height is right above the parent and the lines that lose, for whoever reads later.
        HeightInACertificate,
        /// A renewal is of the epoch that its plan names.
        ParentOfThePlan,
        /// A renewal keeps the template.
        TemplateKept,
        /// A renewal goes by the newest roster.
        RenewalOfTheNewestRoster,
        /// Whoever deals is a member of the epoch before.
        DealersOfTheParent,
        /// As many deal as sign a signature.
        EnoughDeal,
        /// Those that sign a transcript are a quorum of the epoch before.
        SignersAreAQuorum,
        /// A member that stays keeps its number.
        MemberKeepsItsNumber,
        /// Who does not go on is named.
        WhoLeavesIsNamed,
        /// No device deals that is lost, stolen or destroyed.
        StolenDeviceDealsNot,
        /// The rules are lifted by the officers of a quorum.
        OverrideTakesAQuorum,
        /// Who enters proves that it has its run key.
        RunKeyProven,
        /// Members that have one run key together are named.
        SharedRunKeyNamed,
        /// Nobody tells of attempts at another key.
        AttemptToldIsOfTheKey,
        /// Who tells of an attempt has signed it.
        AttemptToldIsSigned,
        /// Who tells of an attempt tells nothing of it that others have not signed.
        AttemptToldAlone,
        /// Nor a revision beside it.
        AttemptToldWithoutRevisions,
        /// What is told of is the renewal of a key, and not its making.
        AttemptToldIsOfARenewal,
        /// Rule 2: nobody tells of two attempts at one place.
        OneAttemptAtAPlace,
        /// Who tells of a dealing dealt in it.
        DealtByItsTeller,
        /// Who tells of a dealing tells of one receiver under each number.
        DealtOnceToANumber,
        /// Nobody tells of a dealing at or above the run's.
        DealtIsBelow,
        /// A join tells of so many dealings and no more.
        FewDealingsTold,
        /// Who has signed more attempts than a join lists is denied before they are put together.
        FewAttemptsInAJoin,
        /// Who has signed more than a join has room for is denied before anything is said.
        RoomInAJoin,
        /// Nothing is dealt when a transcript has no room for what was told.
        RoomInATranscript,
        /// Nothing is dealt at a height that is not right above the parent and the lines that lose.
        HeightBeforeDealing,
        /// Rule 5: nothing is dealt while an attempt is passed over that others may go on from.
        AttemptEndedBeforeDealing,
        /// Rule 8: a restored token deals with a quorum of others that remember.
        RestoredDealsInAQuorum,
        /// Beside a renewed share is the key's chain code.
        ChainCodeKept,
        /// A member's part of a new chain code is what it committed to.
        ChainPartAsCommitted,
        /// Who dealt so that its own share is zero, and signs for it, is named.
        ZeroShareNamed,
        /// A deal is judged beside the joins that its sender saw.
        DealJudgedByItsJoins,
        /// An accusation is judged beside the deals that its sender saw.
        AccusationJudgedByItsDeals,
        /// A vote is signed by a member of the roster before, and not by the one that it is about.
        VoteOfAMember,
        /// A quorum of the roster before has signed a revision.
        RevisionTakesAQuorum,
        /// Only a device that is surely destroyed is repaired.
        RepairOfADestroyedDevice,
        /// Who held a share of the epoch is never enrolled.
        HolderIsNeverEnrolled,
        /// Who never held a share is never repaired.
        StrangerIsNeverRepaired,
        /// A revision says what follows from the epoch and who comes.
        RevisionFollows,
        /// Nonces sign for their own commitments.
        NoncesOfTheirCommitments,
        /// What comes out as a signature was verified.
        SignatureOutIsVerified,
        /// A used nonce is known by its commitments alone, whatever the message.
        NonceNamedByItsCommitments,
        /// A signature share names the package that it answers.
        ShareAnswersItsPackage,
        /// A signature share is judged beside the commitments that its maker saw.
        ShareJudgedByItsPackage,
        /// Only the signers' shares are added up.
        SharesOfTheSigners,
        /// Each signer commits to as many nonces as the plan says.
        ListOfItsLength,
        /// Only messages with their signatures are evidence.
        EvidenceSigned,
        /// The user uses keys, the officer looks after the token.
        RolesApart,
        /// Nothing is signed, repaired or put together while the key is forked.
        ForkStopsSigning,
        /// A restored share does not sign before a refresh.
        RestoredShareSignsNot,
        /// A key signs if it may.
        SigningAllowed,
        /// A key's shares are renewed if they may be.
        RenewalAllowed,
        /// A key is put together if it was made for it.
        ReconstructionAllowed,
        /// A restored share is not handed over before a refresh.
        RestoredShareStaysHere,
        /// A member is repaired if the key allows it.
        RepairAllowed,
        /// A member is enrolled if the key allows it.
        EnrolmentAllowed,
        /// A backup leaves by the key's rule.
        ExportAllowed,
        /// A forked child does nothing with its parent's token.
        OneProcess,
        /// Every call is decided on before its step.
        PolicyAskedAtTheDoor,
        /// What a call changes is durable before what it releases.
        WrittenBeforeReleased,
        /// A run belongs to its session.
        RunOfItsSession,
        /// Each round of a run is decided on again.
        PolicyAskedAtEachRound,
        /// What a round leads to is durable before the answer leaves.
        WrittenBeforeSent,
        /// Of a run that was ended while a round was computed nothing leaves.
        RunLivesToItsStep,
        /// Nonces are used within ten minutes.
        NoncesLiveTenMinutes,
        /// Nonces that were made beforehand are used within the hour.
        PreparedNoncesLiveAnHour,
        /// Runs end with their session.
        LogoutEndsRuns,
        /// Runs that use a share end with its epoch.
        SigningEndsWithItsEpoch,
        /// Nonces that were made beforehand end with their epoch.
        PreparedNoncesEndWithTheirEpoch,
        /// A run is entered once.
        RunEnteredOnce,
        /// Only the newest epoch signs.
        SigningWithTheNewestEpoch,
        /// Only the newest roster signs.
        SigningWithTheNewestRoster,
        /// Who invites to sign is a member, and signed the plan.
        InvitationToSignSigned,
        /// Only the message that this member approved is signed.
        MessageAsApproved,
        /// Only the child that this member approved signs.
        ChildAsApproved,
        /// A plan's offset is that of its path.
        OffsetOfThePath,
        /// A key signs for its purpose.
        SignaturesForTheirPurpose,
        /// A token holds so many nonces and no more.
        NoncesBounded,
        /// Who invites to a dealing takes part in it, and signed the plan.
        InvitationToDealSigned,
        /// A token deals under its own number.
        OwnNumberKept,
        /// Rule 2: a token enters upwards only.
        AttemptAboveThePromise,
        /// Nobody can use up the attempts at an epoch.
        AttemptsNotUsedUp,
        /// Rule 2: the promise to an import outlives the key that is destroyed.
        ImportPromiseKept,
        /// Who is told the history of a key that it knows notices another one.
        HistoryToldIsTheKnownOne,
        /// Nor are revisions of a roster left out that are known.
        RevisionsToldAreTheKnownOnes,
        /// What was told when a run began does not take the place of what was learned since.
        HistoryKeptIsNoOlder,
        /// What a token signed it completes before it goes on from there.
        SignedIsCompletedFirst,
        /// A history is told to who has no share.
        HistoryForWhoHasNoShare,
        /// Nobody is given a share anew that it has.
        RepairedWhatItLacks,
        /// A token takes no share of an epoch that is not the one of its key.
        RepairedInItsEpoch,
        /// A member tells of a line that loses by its whole certificate only.
        LosingLineToldWhole,
        /// Nothing is dealt of an epoch that is over.
        DealsWhatItHolds,
        /// Who is shown a chain is told of a fork that it leaves open.
        OpenForkTold,
        /// An import is a run of the key that it brings.
        ImportNamesItsKey,
        /// Rule 2: a token signs upwards only.
        SignsAboveThePromise,
        /// Rule 11: a token signs an attempt only while it holds the epoch that is renewed.
        SignsWhileItHoldsTheParent,
        /// Rule 8: a member of the old epoch that knows nothing of the key says that it has forgotten.
        WhoForgotSaysSo,
        /// Rule 8: who destroyed the key has forgotten what it signed.
        DestroyedIsForgotten,
        /// A first epoch is taken from who signed it here.
        FirstEpochSignedHere,
        /// Rule 6: of two epochs of which neither supersedes the other none takes the other's place.
        LinesNeverMix,
        /// Rule 6: who named in one line what it signed in the other is no culprit.
        NamedIsNoCulprit,
        /// Who signed a revision is not named for an epoch that undoes it by name.
        UndoneIsNamed,
        /// Who signed both of two lines is asked of the epochs with which they part.
        ComparedWhereTheLinesPart,
        /// Rule 6: who had forgotten what it signed, and said so, is no culprit where others are.
        ForgetfulIsNoCulprit,
        /// Rule 6: who goes on from a line that parted before has not parted it.
        CulpritsWhereTheLinesPart,
        /// Rule 3: a certificate supersedes what it names and nothing else.
        ErasedWhatIsNamed,
        /// What was told of an attempt without its transcript, threshold and receivers, is joined by what its signers say.
        HearsayGivesWay,
        /// What others tell of attempts does not fill the record.
        RoomForWhatIsTold,
        /// Of lists that only get longer the newest are kept.
        RecordHasRoom,
        /// A device confirms for its own share, and not for that of the one before.
        DeviceSpeaksForItself,
        /// Rule 6: a plan that ends a fork names every line that is to lose.
        LosingLinesNamed,
        /// A plan that ends a fork stands right above the lines that lose, as far as this token has seen them.
        HeightAboveWhatLoses,
        /// Rule 6: a fork is ended with the officer's leave.
        OfficerEndsAFork,
        /// Rule 7: who signed an attempt at the epoch signs no revision of it.
        NoVoteAfterAnAttempt,
        /// Rule 7: of two revisions with one number a token signs one.
        OneVoteForANumber,
        /// Rule 8: a token that has forgotten what it signed signs no revision.
        ForgetfulVotesNot,
        /// Rule 7: who signed a revision signs no attempt before it is in force.
        NoAttemptAfterAVote,
        /// Rule 7: an attempt goes by the newest roster.
        AttemptOfTheNewestRoster,
        /// As many help as must sign the revision.
        HelpersAreAQuorum,
        /// Two revisions with one number name who signed both.
        TwoRevisionsSeen,
        /// An invitation that can't be entered shows a clash as a certificate does.
        ClashInInvitationSeen,
        /// A plan names every revision that is to lose by it.
        LosingRevisionsNamed,
        /// A clash of revisions is ended with the officer's leave.
        OfficerEndsAClash,
        /// What a line does not go by it undoes, or it is another line.
        WhatIsLeftIsUndone,
        /// As many sign as the threshold says.
        EnoughSigners,
        /// No signer is counted twice.
        SignersOnce,
        /// Every signer is a member.
        SignersAreMembers,
        /// What this version can't do is no promise in a template.
        BackupGateIsNotThere,
        /// What a key may do only gets less.
        OperationsOnlyTighten,
        /// An export rule only gets stricter.
        ExportOnlyTightens,
        /// A backup is of a share that a certificate covers.
        BackupOfACertifiedShare,
        /// A backup opens for the member that made it.
        BackupOfThisMember,
        /// A restored share fits its verifying share.
        BackupOfTheShare,
        /// So does a restored chain code its hash.
        BackupOfTheChainCode,
        /// Rule 2: a promise outlives the key.
        PromiseOutlivesTheKey,
        /// What this token dealt in itself is on record, whoever signed it.
        OwnDealingsKept,
        /// Of a run that was ended while it was computed for nothing leaves.
        NothingLeavesAfterTheEnd,
        /// What was recorded as a run's output is told.
        OutputOutlivesWhatFollows,
        /// A nonce is claimed once.
        NonceClaimedOnce,
        /// A peer that was rolled back is found out.
        StateNeverFallsBack,
        /// Who broke a run is not dealt with before it is pardoned.
        ConvictedIsRefused,
        /// A card that was followed by a later incarnation is refused.
        IncarnationNeverFallsBack,
        /// Nonces sign with the key and epoch that they were made for.
        BatchOfItsKey,
        /// Nonces sign with the devices that they were made on.
        BatchOfItsDevices,
        /// A key is put together if every user has consented.
        UserConsented,
        /// No share of the past is handed over.
        NewestShareHandedOver,
        /// As many hand over as the threshold says.
        EnoughToReconstruct,
        /// What is to be new in the store is.
        InsertedOnce,
        /// After too many wrong tries nobody gets in.
        TriesBounded,
        /// A try is counted before the PIN is looked at.
        TryCountedFirst,
        /// The header is the one that was left.
        HeaderAsSealed,
        /// The records are those that were left: none taken away, none put back.
        RecordsAsSealed,
        /// After the sealed head there are failed logins and nothing else.
        FailedLoginsOnly,
        /// The log leads to the current state.
        LogIsWhole,
        /// What a guess at a PIN costs is bounded before anything is allocated.
        CostBounded,
        /// A sealed record opens in its own place only.
        SealedForItsPlace,
        /// The user does not set the officer's PIN.
        OfficersPinIsItsOwn,
        /// What is erased is not written again.
        ErasedIsGone,
        /// An audit record has its hash.
        RecordHashed,
        /// Audit records follow each other without a gap.
        RecordNumbered,
        /// An audit record names the one before it.
        RecordChained,
        /// A file is checked when it is opened.
        IntegrityChecked,
        /// A file that goes is overwritten.
        OldBytesOverwritten,
        /// A store is open once.
        OpenOnce,
        /// What is no file is no store.
        LinkIsNoStore,
        /// A store of a later version is refused.
        LaterVersionRefused,
        /// Only its owner may read a store.
        ReadByItsOwnerOnly,
        /// The header of a backup is bounded before it is parsed.
        HeaderBounded,
        /// A file that is too long is not opened.
        FileBounded,
        /// The payload of a backup has a chunk, if an empty one.
        PayloadHasAChunk,
        /// No empty chunk follows others.
        LastChunkNotEmpty,
        /// A chunk is what was sealed, in its place, and the last where it is the last.
        ChunkAuthentic,
        /// Words are sealed to with a work factor within bounds.
        WorkFactorBounded,
    }
}
