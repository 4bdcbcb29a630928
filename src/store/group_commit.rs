//! Group commit for the stores on disk: one thread per store collects writes, commits them as one batch, and then replies to
//! all of them. So a reply means that the write is on disk, and a thousand writes at once cost a few syncs.
//!
//! * **Bounds**: at most [`MAX_WAITING`] writes wait, and one group has at most [`MAX_GROUP`].
//! * **When full**: further callers wait for a place. No write is refused or dropped.
//! * **Refused writes**: a write that breaks a rule gets its own error. The rest of the group is not affected.
//! * **Failed commits**: every write of the group gets the error. The writer continues with the next group.
//! * **End**: [`GroupWriter::close`] and dropping the writer let everything that waits be committed first. Later writes get
//!   [`StoreError::Closed`].

use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use super::{StoreError, StoreFuture};

/// Maximum number of writes in one commit.
pub const MAX_GROUP: usize = 512;

/// Maximum number of writes that wait.
const MAX_WAITING: usize = 1024;

/// The store behind a [`GroupWriter`]. The methods run on the writer's thread.
pub trait GroupStore: Send + 'static {
    /// The writes of one group before their commit.
    type Group: 'static;

    /// Runs once, before the first group.
    fn prepare(&mut self) {}

    /// Begins an empty group.
    fn begin(&mut self) -> Self::Group;

    /// Commits a group, all of it or nothing, and returns when it is on disk.
    fn commit(&mut self, group: Self::Group) -> Result<(), StoreError>;

    /// Finishes a close, after the commit of the group. Returns the result of the close.
    fn close(&mut self, committed: Result<(), StoreError>) -> Result<(), StoreError> {
        committed
    }
}

/// Sends the reply to one write, given the result of the commit.
type CommitReply = Box<dyn FnOnce(&Result<(), StoreError>)>;

/// A message to the writer's thread.
enum WriterJob<G> {
    Write(Box<dyn FnOnce(&mut G) -> CommitReply + Send>),
    Wake,
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// The handle of a writer's thread. The thread ends after a close, and when the handle is dropped.
pub struct GroupWriter<G> {
    jobs: mpsc::Sender<WriterJob<G>>,
}

impl<G: 'static> GroupWriter<G> {
    /// Starts the thread. It commits as soon as a write waits. With an `interval`, it commits at least that often, even if
    /// no write waits.
    pub fn start(
        name: &str,
        interval: Option<Duration>,
        store: impl GroupStore<Group = G>,
    ) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Database(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        let (jobs, waiting) = mpsc::channel(MAX_WAITING);
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn(move || run(store, waiting, interval, &runtime)).map_err(failed)?;
        Ok(Self { jobs })
    }

    /// Queues a write and returns its result after the commit. `rule` checks the write and puts it into the group.
    pub fn write<T: Send + 'static>(
        &self,
        rule: impl FnOnce(&mut G) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (sender, result) = oneshot::channel();
        let job = WriterJob::Write(Box::new(move |group: &mut G| {
            let outcome = rule(group);
            let reply: CommitReply = Box::new(move |committed| {
                // The caller may be gone. The write stays.
                let _caller_gone = sender.send(committed.clone().and(outcome));
            });
            reply
        }));
        async move {
            self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
            result.await.map_err(|_| StoreError::Closed)?
        }
        .boxed()
    }

    /// Starts the next group now.
    pub fn wake(&self) {
        // A full queue wakes the writer anyway.
        let _woken_anyway = self.jobs.try_send(WriterJob::Wake);
    }

    /// Commits everything that waits and accepts no more writes. A second close succeeds at once.
    pub fn close(&self) -> StoreFuture<'_, ()> {
        async {
            let (sender, result) = oneshot::channel();
            if self.jobs.send(WriterJob::Close(sender)).await.is_err() {
                return Ok(());
            }
            result.await.map_err(|_| StoreError::Closed)?
        }
        .boxed()
    }
}

/// Runs the writer's thread.
fn run<S: GroupStore>(
    mut store: S,
    mut jobs: mpsc::Receiver<WriterJob<S::Group>>,
    interval: Option<Duration>,
    runtime: &Runtime,
) {
    store.prepare();
    let mut waiting = Vec::with_capacity(MAX_GROUP);
    loop {
        let is_open = runtime.block_on(receive(&mut jobs, &mut waiting, interval));
        let mut group = store.begin();
        let mut replies = Vec::new();
        let mut closing = Vec::new();
        for job in waiting.drain(..) {
            match job {
                WriterJob::Write(write) => replies.push(write(&mut group)),
                WriterJob::Wake => {}
                WriterJob::Close(sender) => {
                    jobs.close();
                    closing.push(sender);
                }
            }
        }
        let committed = store.commit(group);
        replies.into_iter().for_each(|reply| reply(&committed));
        for sender in closing {
            // The caller may be gone. The store is closed.
            let _caller_gone = sender.send(store.close(committed.clone()));
        }
        if !is_open {
            return;
        }
    }
}

/// Waits until jobs are there or the interval has passed. Returns false if no more jobs can come.
async fn receive<J>(jobs: &mut mpsc::Receiver<J>, waiting: &mut Vec<J>, interval: Option<Duration>) -> bool {
    let received = jobs.recv_many(waiting, MAX_GROUP);
    match interval {
        None => received.await > 0,
        Some(interval) => tokio::time::timeout(interval, received).await.map_or(true, |count| count > 0),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc as blocking;

    use futures_util::future::join_all;
    use parking_lot::Mutex;

    use super::*;

    /// A store of numbers. Each commit waits for its result from the test.
    struct Numbers {
        groups: Arc<Mutex<Vec<Vec<usize>>>>,
        results: blocking::Receiver<Result<(), StoreError>>,
    }

    impl GroupStore for Numbers {
        type Group = Vec<usize>;

        fn begin(&mut self) -> Vec<usize> {
            Vec::new()
        }

        fn commit(&mut self, group: Vec<usize>) -> Result<(), StoreError> {
            if group.is_empty() {
                return Ok(());
            }
            let result = self.results.recv().unwrap_or(Err(StoreError::Closed));
            self.groups.lock().push(group);
            result
        }
    }

    struct NumberWriter {
        writer: GroupWriter<Vec<usize>>,
        groups: Arc<Mutex<Vec<Vec<usize>>>>,
        results: blocking::Sender<Result<(), StoreError>>,
    }

    fn start() -> NumberWriter {
        let (results, receiver) = blocking::channel();
        let groups = Arc::<Mutex<Vec<Vec<usize>>>>::default();
        let store = Numbers { groups: groups.clone(), results: receiver };
        NumberWriter { writer: GroupWriter::start("numbers", None, store).unwrap(), groups, results }
    }

    impl NumberWriter {
        /// Adds a number. Numbers above 9000 are refused.
        fn add(&self, number: usize) -> StoreFuture<'_, usize> {
            self.writer.write(move |group| {
                if number > 9000 {
                    return Err(StoreError::NoAccount);
                }
                group.push(number);
                Ok(number)
            })
        }
    }

    #[actix_web::test]
    async fn a_full_queue_makes_callers_wait_and_loses_no_write() {
        let numbers = Arc::new(start());
        // Each caller is a task of its own, as in the server: one task would soon have used its budget of polls.
        let callers = (0..3000).map(|number| {
            let numbers = numbers.clone();
            actix_web::rt::spawn(async move { numbers.add(number).await })
        });
        let callers: Vec<_> = callers.collect();
        while numbers.writer.jobs.capacity() > 0 {
            actix_web::rt::task::yield_now().await;
        }
        (0..3000).for_each(|_| numbers.results.send(Ok(())).unwrap());
        let written: Vec<usize> = join_all(callers).await.into_iter().map(|number| number.unwrap().unwrap()).collect();
        assert_eq!(written, (0..3000).collect::<Vec<_>>());
        let groups = numbers.groups.lock();
        assert!(groups.iter().all(|group| group.len() <= MAX_GROUP));
        let mut committed = groups.concat();
        committed.sort_unstable();
        assert_eq!(committed, written, "each once");
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert!(sizes.contains(&MAX_GROUP), "the waiting writes were one group: {sizes:?}");
    }

    #[actix_web::test]
    async fn a_failed_commit_fails_its_group_and_the_next_group_succeeds() {
        let numbers = start();
        let full = StoreError::Database("the disk is full".into());
        numbers.results.send(Err(full.clone())).unwrap();
        assert_eq!(numbers.add(1).await, Err(full));
        numbers.results.send(Ok(())).unwrap();
        assert_eq!(numbers.add(2).await, Ok(2));
    }

    #[actix_web::test]
    async fn a_refused_write_does_not_affect_the_others() {
        let numbers = start();
        (0..3).for_each(|_| numbers.results.send(Ok(())).unwrap());
        let written = join_all([1, 9001, 2].map(|number| numbers.add(number))).await;
        assert_eq!(written, [Ok(1), Err(StoreError::NoAccount), Ok(2)]);
    }

    #[actix_web::test]
    async fn a_close_commits_what_waits_and_later_writes_are_refused() {
        let numbers = start();
        (0..3).for_each(|_| numbers.results.send(Ok(())).unwrap());
        let (first, second, closed) = futures_util::join!(numbers.add(1), numbers.add(2), numbers.writer.close());
        assert_eq!((first, second, closed), (Ok(1), Ok(2), Ok(())));
        assert_eq!(numbers.add(3).await, Err(StoreError::Closed));
        assert_eq!(numbers.writer.close().await, Ok(()), "closed twice");
    }

    /// Reports each commit, and the end of the thread when it is dropped.
    struct Ticks(blocking::Sender<()>);

    impl GroupStore for Ticks {
        type Group = ();

        fn begin(&mut self) {}

        fn commit(&mut self, (): ()) -> Result<(), StoreError> {
            // The test may have ended.
            let _test_gone = self.0.send(());
            Ok(())
        }
    }

    #[test]
    fn a_writer_with_an_interval_commits_without_writes_and_ends_when_it_is_dropped() {
        let (commits, committed) = blocking::channel();
        let writer = GroupWriter::start("ticks", Some(Duration::from_millis(1)), Ticks(commits)).unwrap();
        (0..3).for_each(|_| committed.recv().unwrap());
        drop(writer);
        while committed.recv().is_ok() {}
    }

    #[test]
    fn a_wake_starts_the_next_group_before_the_interval_has_passed() {
        let (commits, committed) = blocking::channel();
        let writer = GroupWriter::start("ticks", Some(Duration::from_secs(3600)), Ticks(commits)).unwrap();
        (0..3).for_each(|_| {
            writer.wake();
            committed.recv().unwrap();
        });
    }
}
