//! The domain: users, their connections and statuses, and their followers.
//!
//! Everything here is pure: it takes the time as an argument, reads no clock, does no IO, logs nothing and cannot fail for
//! outside reasons. The actors in `engine/` carry out the [effects](user::Effects) that come out. `dialect/` decides what a
//! change looks like on the wire.
//!
//! Read [`id`], [`status`] and [`diff`], then [`user`], the state machine of one user.
//!
//! | module | holds |
//! |---|---|
//! | [`id`], [`member_name`], [`dialect`], [`time`] | identifiers, dialects and points in time |
//! | [`status`], [`general_status`], [`diff`] | what a user shows, and changes of it |
//! | [`user`], [`followers`] | the state machine of one user and its followers |
//! | [`remote`], [`linger`] | connections without a socket on this node |
//! | [`follows`], [`quota`], [`rate`], [`work`] | what one session follows, and limits |
//! | [`privacy`], [`roster`] | friends, blocks, and which users see each other |
//! | [`last_seen`] | what outlives the connections of every user |
//! | [`member_record`], [`subscriptions`], [`calls`] | what outlives the connections of a Tencent member, and its call rates |

pub mod calls;
pub mod dialect;
pub mod diff;
pub mod followers;
pub mod follows;
pub mod general_status;
pub mod id;
pub mod last_seen;
pub mod linger;
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
pub mod work;
