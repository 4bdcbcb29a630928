//! A bounded queue that is fair between clients.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::auth::client_network::ClientNetwork;

/// Gives each client that waits one turn after the other, however many items a client has. When the queue is full, the
/// client with the most items loses its newest one.
pub struct FairQueue<T> {
    /// The items of each client, oldest first. No list is empty.
    waiting: HashMap<ClientNetwork, VecDeque<T>>,
    /// The clients in the order of their turns.
    turns: VecDeque<ClientNetwork>,
    len: usize,
    max: usize,
}

impl<T> FairQueue<T> {
    /// Makes an empty queue for at most `max` items.
    pub fn new(max: usize) -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new(), len: 0, max }
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds an item. Returns the item that has no place when the queue is full: this one, or one of another client that
    /// has more.
    pub fn push(&mut self, client: ClientNetwork, item: T) -> Option<T> {
        let displaced = if self.len < self.max {
            self.len += 1;
            None
        } else {
            let own = self.waiting.get(&client).map_or(0, VecDeque::len);
            // At most `max` clients wait. The scan is short, and happens only in a full queue.
            let longest = self.waiting.values_mut().max_by_key(|items| items.len());
            match longest.filter(|items| items.len() > own + 1).and_then(VecDeque::pop_back) {
                Some(displaced) => Some(displaced),
                None => return Some(item),
            }
        };
        let items = self.waiting.entry(client).or_default();
        if items.is_empty() {
            self.turns.push_back(client);
        }
        items.push_back(item);
        displaced
    }

    /// Takes the oldest item of the next client.
    pub fn pop(&mut self) -> Option<T> {
        let client = self.turns.pop_front()?;
        let items = self.waiting.get_mut(&client)?;
        let item = items.pop_front();
        if items.is_empty() {
            self.waiting.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        self.len -= 1;
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> ClientNetwork {
        ClientNetwork::new(Some([192, 0, 2, number].into()))
    }

    #[test]
    fn clients_take_turns() {
        let mut queue = FairQueue::new(10);
        for item in 0..5 {
            assert_eq!(queue.push(client(1), format!("a{item}")), None);
        }
        queue.push(client(2), "b0".into());
        queue.push(client(3), "c0".into());
        let order: Vec<String> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["a0", "b0", "c0", "a1", "a2", "a3", "a4"]);
        assert_eq!((queue.len(), queue.pop()), (0, None));
    }

    #[test]
    fn a_full_queue_takes_from_the_client_with_the_most() {
        let mut queue = FairQueue::new(4);
        for item in 0..4 {
            queue.push(client(1), format!("a{item}"));
        }
        assert_eq!(queue.push(client(1), "a4".into()).as_deref(), Some("a4"), "its own fault");
        assert_eq!(queue.push(client(2), "b0".into()).as_deref(), Some("a3"));
        assert_eq!(queue.push(client(2), "b1".into()).as_deref(), Some("a2"));
        assert_eq!(queue.push(client(2), "b2".into()).as_deref(), Some("b2"), "both have two");
        assert_eq!(queue.len(), 4);
        let order: Vec<String> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["a0", "b0", "a1", "b1"]);
    }
}
