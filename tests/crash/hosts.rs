//! What a host does to a token: it forks, its disk is full, its disk can't be written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use quorumkey::{Error, KeyStore, Misuse, StorageError, Suite};

#[cfg(target_os = "linux")]
use super::host::not_checked;
use super::kill::{open, settle};
use super::*;

#[allow(unsafe_code)]
mod process {
    // Nothing else can fork. The child only asks the token, which has to refuse it, and ends.
    unsafe extern "C" {
        pub safe fn fork() -> i32;
        pub safe fn waitpid(process: i32, status: &mut i32, options: i32) -> i32;
    }
}

const FORKS: &str = "QUORUMKEY_TEST_FORKS";

#[test]
fn a_forked_child_is_refused_and_its_parent_goes_on() {
    let _alone = alone();
    if std::env::var_os(FORKS).is_some() {
        return fork_and_go_on();
    }
    // In a process of its own: a child has its parent's open files, and with them the locks of other tests.
    let name = "hosts::a_forked_child_is_refused_and_its_parent_goes_on";
    let output =
        Command::new(std::env::current_exe().unwrap()).args([name, "--exact"]).env(FORKS, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn fork_and_go_on() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invitation = members[0].session.invite_sign(key.id, &both(), b"m").unwrap();
    let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap());
    let commitment = runs[1].poll_transmit().unwrap();
    let child = process::fork();
    if child == 0 {
        // With its parent's nonces it would sign what its parent signs differently.
        let refused = matches!(runs[0].handle(&commitment), Err(Error::Misuse(Misuse::ForkedProcess)))
            && matches!(members[0].session.card(), Err(Error::Misuse(Misuse::ForkedProcess)))
            && matches!(members[0].store.login(&user_pin()), Err(Error::Misuse(Misuse::ForkedProcess)));
        std::process::exit(i32::from(!refused));
    }
    assert!(child > 0);
    let mut status = -1;
    assert_eq!(process::waitpid(child, &mut status, 0), child);
    assert_eq!(status, 0, "the child was not refused");
    runs[0].handle(&commitment).unwrap();
    exchange(&mut runs);
}

const FULL: &str = "QUORUMKEY_TEST_FULL_FOLDER";

/// Works until something can't be written, and says what it has done before.
fn work_until_full(folder: &Path) {
    let mut done = 0;
    let failed = (|| -> Result<(), Error> {
        let mut members = Vec::new();
        for name in ["one", "two"] {
            let store = KeyStore::open(folder.join(name))?;
            let session = store.login(&user_pin())?;
            members.push(Member { store, session });
        }
        let sessions = [&members[0].session, &members[1].session];
        let key = sessions[0].find(&quorumkey::Filter::default())?[0].id;
        for text in 0..3_u8 {
            sign_noting(sessions, key, &[text], &mut || {})?;
            done += 1;
            println!("signed {done}");
        }
        refresh_noting(sessions, key, &mut || {})
    })();
    match failed {
        Ok(()) => println!("enough"),
        Err(error) => {
            assert!(matches!(error, Error::Storage(StorageError::Io(_))), "{error:?}");
            println!("full");
        }
    }
}

/// Two tokens with a key, in that folder.
fn make_in(folder: &Path) {
    let members = ["one", "two"].map(|name| Member::new(KeyStore::create(folder.join(name), &init(name)).unwrap()));
    dkg(&members, Suite::Ed25519, 2);
}

/// The tokens there lose nothing while a process of its own works with them on disks with so much room. `None` when there is no
/// such disk.
fn survive_full_disks(folder: &Path, on_disk: impl Fn(u64) -> Option<Output>) -> Option<()> {
    let (mut full, mut known) = (0, 0);
    for kilobytes in [0, 4, 16, 48, 128, 256, 512, 1024, 1536, 8192] {
        let output = on_disk(kilobytes)?;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        full += usize::from(said.contains("\nfull\n"));
        known += said.matches("signed ").count();
        let members = open(folder);
        settle([&members[0].session, &members[1].session]);
        for member in &members {
            assert!(claims(&member.session.audit(None, 10_000).unwrap()).len() >= known, "a claim is gone");
        }
    }
    assert!((2..10).contains(&full), "{full} of ten disks were full");
    let members = open(folder);
    let sessions = [&members[0].session, &members[1].session];
    let key = settle(sessions);
    sign_noting(sessions, key, b"there is room again", &mut || {}).unwrap();
    refresh_noting(sessions, key, &mut || {}).unwrap();
    assert_eq!(store_names(folder), ["one", "two"]);
    Some(())
}

#[test]
fn on_a_full_disk_a_token_fails_and_loses_nothing() {
    let _alone = alone();
    if let Some(folder) = std::env::var_os(FULL) {
        return work_until_full(Path::new(&folder));
    }
    let folder = fast_folder();
    make_in(folder.path());
    let on_disk = |kilobytes: u64| {
        // The system ends a file there, as a full disk would; sh counts in blocks of 512 bytes.
        Command::new("sh")
            .args(["-c", r#"trap "" XFSZ; ulimit -f "$1"; shift; exec "$@""#, "sh", &(2 * kilobytes).to_string()])
            .arg(std::env::current_exe().unwrap())
            .args(["hosts::on_a_full_disk_a_token_fails_and_loses_nothing", "--exact", "--nocapture"])
            .env(FULL, folder.path())
            .output()
            .ok()
    };
    survive_full_disks(folder.path(), on_disk).unwrap();
}

/// The same on a disk of its own, where what was written last and what comes next share the room.
#[cfg(target_os = "linux")]
#[test]
fn on_a_disk_with_no_room_left_a_token_fails_and_loses_nothing() {
    let _alone = alone();
    if let Some(disk) = std::env::var_os(FULL) {
        return work_until_full(Path::new(&disk));
    }
    let (folder, disk) = (fast_folder(), tempfile::tempdir().unwrap());
    make_in(folder.path());
    // With so much room beside the tokens, as many bytes as they have; what is there afterwards comes back.
    let mounted = r#"
        size=$(($3 + 8 + $(cat "$1"/* | wc -c) / 1024)) && mount -t tmpfs -o size="$size"k none "$2" &&
        for token in one two; do cat "$1/$token" >"$2/$token" || exit; done && echo mounted || exit
        from=$2 to=$1; shift 3; "$@"; status=$?; cp "$from"/* "$to" && exit $status"#;
    let on_disk = |kilobytes: u64| {
        let output = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", mounted, "sh"])
            .args([folder.path(), disk.path()])
            .arg(kilobytes.to_string())
            .arg(std::env::current_exe().unwrap())
            .args(["hosts::on_a_disk_with_no_room_left_a_token_fails_and_loses_nothing", "--exact", "--nocapture"])
            .env(FULL, disk.path())
            .output();
        output.ok().filter(|output| output.stdout.starts_with(b"mounted\n"))
    };
    if survive_full_disks(folder.path(), on_disk).is_none() {
        not_checked("a disk with no room left, which this system lets nobody mount");
    }
}

/// Root writes where nobody may. A thread gives that up for itself, for good.
#[cfg(target_os = "linux")]
fn need_the_right_to_write() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

    let rights = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    let mut sets = capabilities(None).unwrap();
    for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
        set.remove(rights);
    }
    set_capabilities(None, sets).unwrap();
}

#[cfg(not(target_os = "linux"))]
fn need_the_right_to_write() {}

fn is_refused<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Storage(StorageError::Io(_))))
}

/// What a token does in a folder in which nothing can be made.
fn work_where_nothing_can_be_made(folder: &Path) {
    need_the_right_to_write();
    let (path, probe) = (folder.join("token"), fs::write(folder.join("probe"), b""));
    assert!(probe.is_err(), "whoever runs this test may write anywhere, and so it would check nothing");
    assert!(is_refused(&KeyStore::open(&path)));
    assert!(is_refused(&KeyStore::create(folder.join("new"), &init("new"))));
}

#[test]
fn what_cannot_be_written_is_an_error_and_stays_as_it_is() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    drop(KeyStore::create(&path, &init("token")).unwrap());
    let before = fs::read(&path).unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(&path, 0o400);
    set(folder.path(), 0o500);
    std::thread::scope(|scope| {
        scope.spawn(|| work_where_nothing_can_be_made(folder.path()));
    });
    assert!(fs::read(&path).unwrap() == before, "a file that can't be written has changed");
    set(&path, 0o600);
    // A file that can be written in a directory that can't: an erasure fails, and the rest goes on.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            need_the_right_to_write();
            let member = Member::new(KeyStore::open(&path).unwrap());
            assert!(is_refused(&member.session.set_pin(&officer_pin())));
            member.store.login(&user_pin()).unwrap();
        });
    });
    set(folder.path(), 0o700);
    assert!(fs::read(&path).unwrap().len() >= before.len());
    KeyStore::open(&path).unwrap().login(&user_pin()).unwrap();
}

#[cfg(target_os = "linux")]
const READ_ONLY: &str = "QUORUMKEY_TEST_READ_ONLY_FOLDER";

#[cfg(target_os = "linux")]
#[test]
fn on_a_read_only_disk_a_token_fails_and_stays_as_it_is() {
    let _alone = alone();
    if let Some(folder) = std::env::var_os(READ_ONLY) {
        return work_where_nothing_can_be_made(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    drop(KeyStore::create(&path, &init("token")).unwrap());
    let before = fs::read(&path).unwrap();
    // Read-only for a process of its own, and root there, whoever it is here.
    let mounted =
        r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && echo mounted || exit; shift; exec "$@""#;
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", mounted, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["hosts::on_a_read_only_disk_a_token_fails_and_stays_as_it_is", "--exact", "--nocapture"])
        .env(READ_ONLY, folder.path())
        .output();
    match output.ok().filter(|output| output.stdout.starts_with(b"mounted\n")) {
        None => not_checked("a read-only disk, which this system lets nobody mount"),
        Some(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
        }
    }
    assert!(fs::read(&path).unwrap() == before, "a read-only file has changed");
    KeyStore::open(&path).unwrap().login(&user_pin()).unwrap();
}
