//! The folder of the database: no other user of the machine may read it.

use std::fs::{DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use crate::store::StoreError;

/// The permissions of folders and of files.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The permissions of a group and of others.
const OTHERS: u32 = 0o077;

/// Creates the folder if it is missing. Takes the permissions of other users from everything in it, or fails.
pub fn protect(folder: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| {
        let name = folder.display();
        StoreError::Refused(format!("{name} cannot be closed to other users of this machine (mode 0700): {error}"))
    };
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(failed)?;
    }
    let tightened = tighten(folder, FOLDER_MODE).and_then(|own| Ok(own + tighten_content(folder)?)).map_err(failed)?;
    if tightened > 0 {
        log::warn!(
            "{} was open to other users of this machine; it is now closed ({tightened} modes)",
            folder.display()
        );
    }
    Ok(())
}

/// Returns how many modes were changed.
fn tighten_content(folder: &Path) -> std::io::Result<usize> {
    let mut tightened = 0;
    for entry in folder.read_dir()? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let changed = if kind.is_dir() {
            tighten(&path, FOLDER_MODE).and_then(|own| Ok(own + tighten_content(&path)?))
        } else if kind.is_file() {
            tighten(&path, FILE_MODE)
        } else {
            Ok(0)
        };
        tightened += changed.or_else(ignore_removed)?;
    }
    Ok(tightened)
}

/// Another process that has the database open removes files at any time. The lock of the database refuses it later.
fn ignore_removed(error: std::io::Error) -> std::io::Result<usize> {
    if error.kind() == ErrorKind::NotFound { Ok(0) } else { Err(error) }
}

fn tighten(path: &Path, mode: u32) -> std::io::Result<usize> {
    if path.metadata()?.permissions().mode() & OTHERS == 0 {
        return Ok(0);
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map(|()| 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_folder_is_closed_and_an_open_one_is_closed_with_its_content() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("one").join("data");
        protect(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        let (inner, file) = (folder.join("keyspaces"), folder.join("keyspaces").join("table"));
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(&file, "x").unwrap();
        for (path, open) in [(&folder, 0o755), (&inner, 0o750), (&file, 0o644)] {
            std::fs::set_permissions(path, Permissions::from_mode(open)).unwrap();
        }
        protect(&folder).unwrap();
        assert_eq!([mode(&folder), mode(&inner), mode(&file)], [0o700, 0o700, 0o600]);
        std::fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
        protect(&folder).unwrap();
        assert_eq!(mode(&file), 0o400, "closed enough");
    }
}
