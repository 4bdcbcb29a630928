//! What a write does to the tables, whatever they are kept in.

use super::{RelationChanged, RosterChange};
use crate::presence::id::UserId;
use crate::presence::member_record::{MemberRecord, RelationChange};
use crate::presence::quota::QuotaExceeded;
use crate::presence::roster::{Roster, RosterKind};
use crate::store::StoreError;

/// The tables: what is not there is the default.
pub trait Tables {
    fn standing(&self, account: UserId) -> Result<MemberRecord, StoreError>;
    fn put_standing(&mut self, account: UserId, standing: &MemberRecord);
    fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, StoreError>;
    fn put_roster(&mut self, kind: RosterKind, owner: UserId, roster: &Roster);
}

/// Changes a standing.
pub fn change(
    tables: &mut impl Tables,
    account: UserId,
    change: RelationChange,
) -> Result<RelationChanged, StoreError> {
    let mut standing = tables.standing(account)?;
    let dropped = standing.change(change);
    tables.put_standing(account, &standing);
    Ok(RelationChanged { standing, dropped })
}

/// Changes a list.
pub fn alter(
    tables: &mut impl Tables,
    kind: RosterKind,
    owner: UserId,
    change: RosterChange,
) -> Result<Result<Roster, QuotaExceeded>, StoreError> {
    let mut roster = tables.roster(kind, owner)?;
    match change {
        RosterChange::Add(names, quota) => {
            if let Err(exceeded) = roster.add(&names, quota) {
                return Ok(Err(exceeded));
            }
        }
        RosterChange::Remove(users) => roster.remove(&users),
    }
    tables.put_roster(kind, owner, &roster);
    Ok(Ok(roster))
}
