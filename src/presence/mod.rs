//! The domain: who is here, on which connection, with what status, and who is told.
//!
//! Everything here is pure: it is told the time, reads no clock, does no IO, logs nothing and cannot fail for outside
//! reasons. The actors in `engine/` carry out the [`effects`](user::Effects) that come out; what a change looks like on
//! a wire is decided in `dialect/`.
//!
//! Read [`id`], [`status`], [`diff`], then [`user`], the machine of one user.

pub mod calls;
pub mod dialect;
pub mod diff;
pub mod followers;
pub mod follows;
pub mod general_status;
pub mod id;
pub mod last_seen;
pub mod member_name;
pub mod member_record;
pub mod privacy;
pub mod quota;
pub mod rate;
pub mod remote;
pub mod roster;
pub mod status;
pub mod subscriptions;
pub mod time;
pub mod user;
