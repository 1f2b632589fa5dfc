//! The last good configuration on disk, from which a gateway starts when no controller answers.
//!
//! The file is a header (magic, format, length), a SHA-256 of header and payload, and the controller's `Config`
//! message. It is replaced by rename, so it is whole or the one before; what does not check out is set aside and
//! never applied.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use pinhole_proto::v1;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

/// The first bytes of the file.
const MAGIC: [u8; 8] = *b"PINHOLEC";
/// The format of what follows.
const FORMAT: u32 = 1;
/// Magic, format, payload length.
const HEADER_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 32;
/// The largest configuration that is stored or read; the same bound holds on the control stream.
pub const MAX_CONFIG_BYTES: usize = 4 << 20;
const FILE_NAME: &str = "last-good-config";

/// Why the last good configuration could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    source: std::io::Error,
}

/// Why a file is not a stored configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Damage {
    /// It ends early.
    #[error("it is cut off")]
    Truncated,
    /// It goes on behind its end, or says so.
    #[error("its length does not fit its header")]
    Length,
    /// It starts with something else.
    #[error("it is not a stored configuration")]
    Magic,
    /// It is of another format.
    #[error("it has the unknown format {0}")]
    Format(u32),
    /// Bytes have changed.
    #[error("its checksum does not match")]
    Checksum,
    /// The checksum is right, and the message still makes no sense.
    #[error("its message does not decode")]
    Message,
}

/// What was found on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// Nothing: this gateway never had a configuration.
    Absent,
    /// The last good configuration.
    Config(Box<v1::Config>),
    /// A damaged file, which was set aside.
    Damaged {
        /// What is wrong with it.
        damage: Damage,
        /// Where it is now.
        aside: PathBuf,
    },
}

/// The directory where a gateway keeps its last good configuration.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// Uses `directory`, which is made when it is not there.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory).map_err(|source| StoreError {
            action: "make the directory",
            path: directory.to_owned(),
            source,
        })?;
        Ok(Self { directory: directory.to_owned() })
    }

    fn path(&self) -> PathBuf {
        self.directory.join(FILE_NAME)
    }

    /// Reads what is stored; a damaged file is renamed, so that it is reported once and kept for whoever looks.
    pub fn load(&self) -> Result<Stored, StoreError> {
        let path = self.path();
        let failed = |action| {
            let path = path.clone();
            move |source| StoreError { action, path, source }
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Stored::Absent),
            Err(error) => return Err(failed("open")(error)),
        };
        let most = HEADER_BYTES + CHECKSUM_BYTES + MAX_CONFIG_BYTES + 1;
        let mut bytes = Vec::new();
        file.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes).map_err(failed("read"))?;
        match decode(&bytes) {
            Ok(config) => Ok(Stored::Config(Box::new(config))),
            Err(damage) => {
                let aside = path.with_extension("damaged");
                std::fs::rename(&path, &aside).map_err(failed("set aside"))?;
                Ok(Stored::Damaged { damage, aside })
            }
        }
    }

    /// Stores a configuration in place of the one before; when this returns, it survives a loss of power.
    pub fn save(&self, config: &v1::Config) -> Result<(), StoreError> {
        let path = self.path();
        let temporary = path.with_extension("new");
        let failed = |action| {
            let path = path.clone();
            move |source| StoreError { action, path, source }
        };
        let mut file = File::create(&temporary).map_err(failed("write"))?;
        file.write_all(&encode(config)).map_err(failed("write"))?;
        file.sync_all().map_err(failed("write"))?;
        std::fs::rename(&temporary, &path).map_err(failed("replace"))?;
        // The rename itself is on disk only with its directory.
        let directory = File::open(&self.directory).map_err(failed("sync"))?;
        directory.sync_all().map_err(failed("sync"))
    }
}

fn encode(config: &v1::Config) -> Vec<u8> {
    let payload = config.encode_to_vec();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + CHECKSUM_BYTES + payload.len());
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    // A configuration came over a stream that bounds it far below this.
    bytes.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    let checksum = Sha256::new().chain_update(&bytes).chain_update(&payload).finalize();
    bytes.extend(checksum);
    bytes.extend(payload);
    bytes
}

fn decode(bytes: &[u8]) -> Result<v1::Config, Damage> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Damage::Truncated)?;
    let (checksum, payload) = rest.split_first_chunk::<CHECKSUM_BYTES>().ok_or(Damage::Truncated)?;
    let [m0, m1, m2, m3, m4, m5, m6, m7, f0, f1, f2, f3, l0, l1, l2, l3] = *header;
    if [m0, m1, m2, m3, m4, m5, m6, m7] != MAGIC {
        return Err(Damage::Magic);
    }
    let format = u32::from_le_bytes([f0, f1, f2, f3]);
    if format != FORMAT {
        return Err(Damage::Format(format));
    }
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if payload.len() < length {
        return Err(Damage::Truncated);
    }
    if payload.len() > length || length > MAX_CONFIG_BYTES {
        return Err(Damage::Length);
    }
    let expected = Sha256::new().chain_update(header).chain_update(payload).finalize();
    if expected.as_slice() != checksum {
        return Err(Damage::Checksum);
    }
    v1::Config::decode(payload).map_err(|_| Damage::Message)
}

#[cfg(test)]
mod tests;
