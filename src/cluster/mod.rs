//! Several nodes, one presence graph.

pub mod event;
pub mod feed;
pub mod keys;
pub mod node;
pub mod record;
pub mod slot;
