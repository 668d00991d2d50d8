//! Tries and PINs.

use super::*;

#[test]
fn tries_are_counted_across_openings_then_the_role_is_locked_until_the_officer_sets_a_pin() {
    let (shared, vault) = filled();
    drop(vault);
    for tries_left in (1..10).rev() {
        let vault = Vault::open(shared.clone()).unwrap();
        let refused = vault.unlock(UserType::User, &pin("not the words")).unwrap_err();
        assert_eq!(refused, VaultError::Login { tries_left });
    }
    let vault = Vault::open(shared.clone()).unwrap();
    assert_eq!(vault.unlock(UserType::User, &pin("not the words")).unwrap_err(), VaultError::Locked);
    let vault = Vault::open(shared).unwrap();
    assert_eq!(vault.unlock(UserType::User, &pin(USER)).unwrap_err(), VaultError::Locked);
    let officer = vault.unlock(UserType::SecurityOfficer, &pin(OFFICER)).unwrap();
    let kinds: Vec<_> = vault.audit(None, 100).unwrap().unwrap().iter().map(|record| record.event().kind()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::LoginFailed).count(), 10);
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::LockedOut).count(), 1);
    vault.set_pin(&officer, UserType::User, &pin("other words")).unwrap();
    check(&vault, &vault.unlock(UserType::User, &pin("other words")).unwrap()).unwrap();
    let refused = vault.unlock(UserType::User, &pin(USER)).unwrap_err();
    assert_eq!(refused, VaultError::Login { tries_left: 9 }, "the count began anew");
}

#[test]
fn a_login_that_succeeds_resets_the_count_of_its_role_only() {
    let (_, vault) = filled();
    let wrong = |role| vault.unlock(role, &pin("not the words")).unwrap_err();
    assert_eq!(wrong(UserType::User), VaultError::Login { tries_left: 9 });
    assert_eq!(wrong(UserType::SecurityOfficer), VaultError::Login { tries_left: 4 });
    login(&vault);
    assert_eq!(wrong(UserType::User), VaultError::Login { tries_left: 9 });
    assert_eq!(wrong(UserType::SecurityOfficer), VaultError::Login { tries_left: 3 });
}

#[test]
fn a_crash_at_any_moment_of_a_login_gives_no_try_back() {
    let (shared, vault) = filled();
    drop(vault);
    let before = shared.map();
    for commits in 0..2 {
        let shared = Shared::of(&before);
        let vault = Vault::open(shared.clone()).unwrap();
        *shared.commits_left.lock().unwrap() = Some(commits);
        let died = vault.unlock(UserType::User, &pin("not the words")).unwrap_err();
        assert!(matches!(died, VaultError::Storage(_)), "no answer was given");
        *shared.commits_left.lock().unwrap() = None;
        let next = Vault::open(shared).unwrap().unlock(UserType::User, &pin("not the words")).unwrap_err();
        let spent = u8::try_from(commits).unwrap();
        assert_eq!(next, VaultError::Login { tries_left: 9 - spent });
    }
}

#[test]
fn a_user_sets_its_own_pin_and_not_the_officers() {
    let (_, vault) = filled();
    let user = login(&vault);
    let denied = vault.set_pin(&user, UserType::SecurityOfficer, &pin("mine now")).unwrap_err();
    assert_eq!(denied, VaultError::Denied);
    vault.set_pin(&user, UserType::User, &pin("my new words")).unwrap();
    check(&vault, &user).unwrap();
    assert!(vault.unlock(UserType::User, &pin(USER)).is_err());
    check(&vault, &vault.unlock(UserType::User, &pin("my new words")).unwrap()).unwrap();
    check(&vault, &vault.unlock(UserType::SecurityOfficer, &pin(OFFICER)).unwrap()).unwrap();
}
