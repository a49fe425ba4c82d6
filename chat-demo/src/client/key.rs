//! Key files: what makes a member the same one tomorrow.
//!
//! A key is 32 random bytes in a file that only its owner may read, made on first use. While a client lives it holds a lock
//! on the file: two clients with one key would take the place from each other for ever, and give two texts one number.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::journal::{beside, sync_folder};
use crate::{Name, folders, wire::room::Key};

/// A key, and the lock that comes with it.
#[derive(Debug)]
pub(crate) struct KeyFile {
    key: Key,
    /// Locked until it is closed.
    _file: File,
}

/// Why there is no key.
#[derive(Debug)]
pub(crate) enum NoKey {
    /// The system says so.
    Io(io::Error),
    /// A living client has it.
    InUse,
    /// It has so many bytes, and not 32.
    Damaged(u64),
    /// All its bytes are zero, as a loss of power may leave them.
    Zeros,
}

impl KeyFile {
    /// The key in this file, made if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, NoKey> {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        loop {
            let mut file = options().truncate(false).open(path)?;
            file.try_lock()?;
            match read(&mut file)? {
                Some(key) => return Ok(Self { key, _file: file }),
                // Whoever makes a key holds the lock on the file it is made for.
                None if is_at(&file, path)? => make(path)?,
                None => {}
            }
        }
    }

    /// What it opens a place with.
    pub(crate) fn key(&self) -> Key {
        self.key.clone()
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options
}

/// The key in the file, if there is anything in it.
fn read(file: &mut File) -> Result<Option<Key>, NoKey> {
    let mut bytes = Vec::new();
    file.take(33).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let length = file.metadata()?.len();
    let key = <[u8; 32]>::try_from(bytes).map_err(|_| NoKey::Damaged(length))?;
    if key == [0; 32] {
        return Err(NoKey::Zeros);
    }
    // One that was copied may be readable for all.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(Some(Key(key)))
}

/// Whether the file is the one that is found there now.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (open, found) = (file.metadata()?, fs::metadata(path)?);
    Ok((open.dev(), open.ino()) == (found.dev(), found.ino()))
}

/// Puts a key there that is on the disk before it has its name: whatever goes wrong, there is a whole one or none.
fn make(path: &Path) -> io::Result<()> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let new = beside(path, ".new");
    let mut file = options().truncate(true).open(&new)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(path)
}

/// Where the key of this name is if nobody says otherwise; `None` where there is no home for it.
pub(crate) fn default_path(name: &Name) -> Option<PathBuf> {
    Some(folders::data()?.join("keys").join(file_name(name)))
}

/// Names that are alike have one key, as they have one place.
fn file_name(name: &Name) -> String {
    let mut escaped = name.likeness();
    for (character, code) in [('%', "%25"), ('/', "%2F"), ('\\', "%5C"), ('.', "%2E")] {
        escaped = escaped.replace(character, code);
    }
    escaped + ".key"
}

impl From<io::Error> for NoKey {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TryLockError> for NoKey {
    fn from(error: TryLockError) -> Self {
        match error {
            TryLockError::WouldBlock => Self::InUse,
            TryLockError::Error(error) => Self::Io(error),
        }
    }
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::InUse => f.write_str("another client on this machine has it"),
            Self::Zeros => f.write_str("it has nothing but zeros, as a loss of power may leave it"),
            Self::Damaged(bytes) => write!(f, "a key has 32 bytes, and not {bytes}"),
        }
    }
}

impl std::error::Error for NoKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/ann.key");

        let made = KeyFile::open(&path).unwrap().key();
        let again = KeyFile::open(&path).unwrap().key();

        assert!(made == again && made.0 != [0; 32]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn no_two_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let keys = ["a", "b"].map(|name| KeyFile::open(&folder.path().join(name)).unwrap().key());
        assert!(keys[0] != keys[1]);
    }

    /// Fails if the lock is not taken, or is not kept.
    #[test]
    fn a_key_in_use_is_not_to_be_had() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ann.key");
        let held = KeyFile::open(&path).unwrap();

        assert!(matches!(KeyFile::open(&path), Err(NoKey::InUse)));
        drop(held);
        assert!(KeyFile::open(&path).is_ok());
    }

    #[test]
    fn a_damaged_key_is_neither_used_nor_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ann.key");
        for length in [1, 31, 33, 1000] {
            fs::write(&path, vec![7; length]).unwrap();

            let why = KeyFile::open(&path).unwrap_err();

            assert_eq!(why.to_string(), format!("a key has 32 bytes, and not {length}"));
            assert_eq!(fs::read(&path).unwrap().len(), length);
        }
    }

    /// Fails if a key that everybody can guess is used.
    #[test]
    fn nothing_but_zeros_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ann.key");
        fs::write(&path, [0; 32]).unwrap();

        assert!(matches!(KeyFile::open(&path), Err(NoKey::Zeros)));
        assert_eq!(fs::read(&path).unwrap(), [0; 32]);
    }

    /// Fails if what was left of an attempt is used, or is in the way.
    #[test]
    fn a_key_that_was_not_made_to_the_end_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ann.key");
        fs::write(&path, b"").unwrap();
        fs::write(beside(&path, ".new"), [0; 31]).unwrap();

        let made = KeyFile::open(&path).unwrap();

        assert!(fs::read(&path).unwrap() == made.key().0 && made.key().0 != [0; 32]);
        assert!(matches!(KeyFile::open(&path), Err(NoKey::InUse)), "the lock is on the file that is there");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_copied_key_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ann.key");
        fs::write(&path, [7; 32]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();

        let _file = KeyFile::open(&path).unwrap();

        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn any_name_has_a_file_of_its_own_in_the_folder() {
        let name = |text: &str| file_name(&Name::new(text).unwrap());
        assert_eq!(name("John Doe"), "john doe.key");
        assert_eq!(name("../é%2F"), "%2E%2E%2Fé%252f.key");
        assert!(name(&"🦀".repeat(Name::MAX_CHARS)).len() < 255);
    }
}
