//! The effect of a write on the tables, for every store.

use super::{ChangedMember, RosterChange};
use crate::presence::id::UserId;
use crate::presence::member_record::{MemberRecord, RelationChange};
use crate::presence::quota::QuotaExceeded;
use crate::presence::roster::{Roster, RosterKind};
use crate::store::StoreError;

/// The tables. A record that does not exist is the default.
pub trait RelationTables {
    fn member(&self, user: UserId) -> Result<MemberRecord, StoreError>;
    fn put_member(&mut self, user: UserId, member: &MemberRecord);
    fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, StoreError>;
    fn put_roster(&mut self, kind: RosterKind, owner: UserId, roster: &Roster);
}

/// Changes a member record.
pub fn change_member(
    tables: &mut impl RelationTables,
    user: UserId,
    change: RelationChange,
) -> Result<ChangedMember, StoreError> {
    let mut member = tables.member(user)?;
    let dropped = member.change(change);
    tables.put_member(user, &member);
    Ok(ChangedMember { member, dropped })
}

/// Changes a list.
pub fn change_roster(
    tables: &mut impl RelationTables,
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
