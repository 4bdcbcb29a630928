//! The marker: how many commits the database has, written beside it.
//!
//! fjall takes a truncated journal for one that a crash cut off, and starts an empty journal in place of a deleted one. So
//! each commit also writes its number into the table `meta`, and, when it is on disk, into the file of the marker. At the
//! start the database must have the commits of the marker. Flushed tables can hide a loss from that number; therefore the
//! marker lists the journals with their lengths, too.
//!
//! The marker is not synced with each commit: a power failure leaves an older one, which is never ahead of the journal. A
//! killed process loses nothing of it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Name of the file, which must not be missing once a commit has a number.
pub const FILE_NAME: &str = "commits";

/// The file has two slots, written in turn, so that a torn write leaves the other. Each fits into a sector.
const SLOT_BYTES: usize = 512;

/// Maximum number of journals in the marker: fjall keeps a few. Older ones are left out.
const MAX_JOURNALS: usize = 24;

const VERSION: u8 = 1;

/// A journal file of fjall, `<number>.jnl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalFile {
    /// Later journals have higher numbers. fjall removes the oldest ones first.
    pub number: u64,
    /// Its length, which only grows while the database is open.
    pub bytes: u64,
}

/// What the database must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marker {
    /// Number of the last commit that is on disk.
    pub commits: u64,
    /// The journals after that commit. Empty while the database is being opened: fjall then cuts their tails off.
    pub journals: Vec<JournalFile>,
}

impl Marker {
    /// Returns what is lost of the journals, if anything is.
    pub fn lost_journal(&self, found: &[JournalFile]) -> Option<String> {
        self.journals.iter().find_map(|known| {
            let name = format!("the journal {}.jnl", known.number);
            match found.iter().find(|found| found.number == known.number) {
                Some(found) if found.bytes >= known.bytes => None,
                Some(found) => Some(format!("{name} has {} bytes, and had at least {}", found.bytes, known.bytes)),
                // fjall removes a journal when its records are in tables, after the older ones, and never the newest.
                None if !found.is_empty() && found.iter().all(|found| found.number > known.number) => None,
                None => Some(format!("{name} is missing")),
            }
        })
    }

    fn encode(&self, sequence: u64) -> [u8; SLOT_BYTES] {
        let listed = &self.journals[self.journals.len().saturating_sub(MAX_JOURNALS)..];
        let mut fields = vec![VERSION];
        fields.extend(sequence.to_be_bytes());
        fields.extend(self.commits.to_be_bytes());
        fields.extend(u64::try_from(listed.len()).unwrap_or(0).to_be_bytes());
        for journal in listed {
            fields.extend(journal.number.to_be_bytes());
            fields.extend(journal.bytes.to_be_bytes());
        }
        let mut slot = [0; SLOT_BYTES];
        slot[..4].copy_from_slice(&crc32fast::hash(&fields).to_be_bytes());
        slot[4..4 + fields.len()].copy_from_slice(&fields);
        slot
    }

    /// Returns the sequence number and the marker of an intact slot.
    fn decode(slot: &[u8]) -> Option<(u64, Self)> {
        let (checksum, fields) = slot.split_first_chunk()?;
        let (&version, numbers) = fields.split_first()?;
        let mut numbers = numbers.chunks_exact(8).map_while(|chunk| Some(u64::from_be_bytes(chunk.try_into().ok()?)));
        let (sequence, commits, listed) = (numbers.next()?, numbers.next()?, usize::try_from(numbers.next()?).ok()?);
        let covered = fields.get(..1 + 8 * (3 + 2 * listed.min(MAX_JOURNALS)))?;
        if version != VERSION || listed > MAX_JOURNALS || crc32fast::hash(covered).to_be_bytes() != *checksum {
            return None;
        }
        let journal = |_| Some(JournalFile { number: numbers.next()?, bytes: numbers.next()? });
        let journals: Option<Vec<JournalFile>> = (0..listed).map(journal).collect();
        Some((sequence, Self { commits, journals: journals? }))
    }
}

/// What the file of the marker has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerContent {
    /// Nothing: it was missing, or no marker was written yet.
    None,
    /// The latest marker.
    Intact(Marker),
    /// No intact marker.
    Damaged,
}

/// The open file of the marker.
pub struct MarkerFile {
    file: File,
    /// Number of the last write.
    sequence: u64,
}

impl MarkerFile {
    /// Opens the file, or creates it, and reads it.
    pub fn open(folder: &Path) -> std::io::Result<(Self, MarkerContent)> {
        let path = folder.join(FILE_NAME);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut content = [0; 2 * SLOT_BYTES];
        let read = read_up_to(&file, &mut content)?;
        let slots = content[..read].chunks(SLOT_BYTES).filter_map(Marker::decode);
        match slots.max_by_key(|&(sequence, _)| sequence) {
            Some((sequence, marker)) => Ok((Self { file, sequence }, MarkerContent::Intact(marker))),
            None if read == 0 => Ok((Self { file, sequence: 0 }, MarkerContent::None)),
            None => Ok((Self { file, sequence: 0 }, MarkerContent::Damaged)),
        }
    }

    /// Writes the marker.
    pub fn write(&mut self, marker: &Marker) -> std::io::Result<()> {
        self.sequence += 1;
        let slot = (self.sequence % 2) * SLOT_BYTES as u64;
        self.file.write_all_at(&marker.encode(self.sequence), slot)
    }

    /// Returns when the marker is on disk, and the entry of the folder with it.
    pub fn sync(&self, folder: &Path) -> std::io::Result<()> {
        self.file.sync_all()?;
        File::open(folder)?.sync_all()
    }
}

fn read_up_to(file: &File, content: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < content.len() {
        match file.read_at(&mut content[read..], read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// Returns the journals in a folder, oldest first.
pub fn journals(folder: &Path) -> std::io::Result<Vec<JournalFile>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".jnl")?.parse().ok());
        if let Some(number) = number {
            found.push(JournalFile { number, bytes: entry.metadata()?.len() });
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(u64, u64)]) -> Vec<JournalFile> {
        files.iter().map(|&(number, bytes)| JournalFile { number, bytes }).collect()
    }

    #[test]
    fn a_loss_is_told_from_what_fjall_removes_itself() {
        let marker = Marker { commits: 9, journals: files(&[(3, 100), (4, 100), (5, 70)]) };
        let lost = |found: &[(u64, u64)]| marker.lost_journal(&files(found));
        for fine in
            [&[(3, 100), (4, 100), (5, 70)][..], &[(4, 100), (5, 90)], &[(5, 70)], &[(5, 70), (6, 64)], &[(6, 64)]]
        {
            assert_eq!(lost(fine), None, "{fine:?}");
        }
        for (found, reason) in [
            (&[][..], "the journal 3.jnl is missing"),
            (&[(3, 100), (4, 100)], "the journal 5.jnl is missing"),
            (&[(3, 100), (5, 70)], "the journal 4.jnl is missing"),
            (&[(3, 99), (4, 100), (5, 70)], "the journal 3.jnl has 99 bytes, and had at least 100"),
            (&[(3, 100), (4, 100), (5, 0)], "the journal 5.jnl has 0 bytes, and had at least 70"),
        ] {
            assert_eq!(lost(found).as_deref(), Some(reason), "{found:?}");
        }
        assert_eq!(Marker::default().lost_journal(&[]), None);
    }

    #[test]
    fn the_latest_intact_slot_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, none) = MarkerFile::open(folder.path()).unwrap();
        assert_eq!(none, MarkerContent::None);
        let marker = |commits| Marker { commits, journals: files(&[(commits, 7)]) };
        for commits in 1..=3 {
            file.write(&marker(commits)).unwrap();
            assert_eq!(MarkerFile::open(folder.path()).unwrap().1, MarkerContent::Intact(marker(commits)));
        }
        file.sync(folder.path()).unwrap();
        let path = folder.path().join(FILE_NAME);
        let intact = std::fs::read(&path).unwrap();
        // The third write is in the second slot.
        for position in (SLOT_BYTES..SLOT_BYTES + 45).step_by(3) {
            let mut torn = intact.clone();
            torn[position] ^= 1;
            std::fs::write(&path, torn).unwrap();
            assert_eq!(MarkerFile::open(folder.path()).unwrap().1, MarkerContent::Intact(marker(2)), "at {position}");
        }
        std::fs::write(&path, vec![7; 2 * SLOT_BYTES]).unwrap();
        assert_eq!(MarkerFile::open(folder.path()).unwrap().1, MarkerContent::Damaged);
        let long = Marker { commits: 1, journals: files(&(0..100).map(|number| (number, 1)).collect::<Vec<_>>()) };
        let (_, read) = Marker::decode(&long.encode(1)).unwrap();
        assert_eq!(read.journals, long.journals[100 - MAX_JOURNALS..]);
    }
}
