//! Key and certificate on disk: one file, replaced whole, so that a key never stands beside another's certificate.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;

use super::{Identity, JoinToken, TrustError};

const IDENTITY_FILE: &str = "identity.json";
const JOIN_KEY_FILE: &str = "join-key";
/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Why key or certificate could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {reason}", path.display())]
pub struct KeeperError {
    action: &'static str,
    path: PathBuf,
    reason: String,
}

/// The directory where a gateway keeps its key and certificate.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    directory: PathBuf,
}

impl Keeper {
    /// Keeps them in a directory that exists.
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Reads the identity, if there is one.
    pub(crate) fn load(&self) -> Result<Option<Identity>, KeeperError> {
        let path = self.directory.join(IDENTITY_FILE);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| KeeperError {
            action: "use",
            path,
            reason: "it is damaged; remove it and give this gateway a new join token".to_owned(),
        })
    }

    /// Keeps an identity in place of the one before; the key that was made for it is its own from now on.
    pub(crate) fn save(&self, identity: &Identity) -> Result<(), KeeperError> {
        let path = self.directory.join(IDENTITY_FILE);
        let text = serde_json::to_vec(identity).map_err(|error| KeeperError {
            action: "write",
            path: path.clone(),
            reason: error.to_string(),
        })?;
        write(&path, &text)?;
        let join_key = self.directory.join(JOIN_KEY_FILE);
        match std::fs::remove_file(&join_key) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failed("remove", &join_key)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The key to enrol with: kept before it is used, since a join token is good once, but for one key.
    pub(crate) fn join_key(&self) -> Result<KeyPair, TrustError> {
        let path = self.directory.join(JOIN_KEY_FILE);
        let kept = read(&path)?.and_then(|bytes| KeyPair::try_from(bytes.as_slice()).ok());
        if let Some(key) = kept {
            return Ok(key);
        }
        let key = KeyPair::generate().map_err(|error| TrustError::Key(error.to_string()))?;
        write(&path, key.serialized_der())?;
        Ok(key)
    }
}

/// Reads a join token's file; an absent file is no token.
pub(crate) fn read_join_token(path: &Path) -> Result<Option<JoinToken>, TrustError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| TrustError::Token)?;
    JoinToken::parse(&text).map(Some)
}

fn failed(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> KeeperError {
    let path = path.to_owned();
    move |error| KeeperError { action, path: path.clone(), reason: error.to_string() }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, KeeperError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(Some(bytes))
}

/// Writes a file that only its owner may read; when this returns, it survives a loss of power.
fn write(path: &Path, bytes: &[u8]) -> Result<(), KeeperError> {
    let failed = failed("write", path);
    let unfinished = path.with_added_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(&failed)?;
    file.write_all(bytes).map_err(&failed)?;
    file.sync_all().map_err(&failed)?;
    std::fs::rename(&unfinished, path).map_err(&failed)?;
    // The rename itself is on disk only with its directory.
    let Some(directory) = path.parent() else { return Ok(()) };
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(&failed)
}
